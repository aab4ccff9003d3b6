"""Checks of a `tfmtl.spec.DatasetSpec`: names, chains, exposures, and features that are known in training only."""

import re
from typing import TYPE_CHECKING

from tfmtl import config
from tfmtl.config import FieldError, require
from tfmtl.features import WEIGHTS_SUFFIX, MultiValuedFeature
from tfmtl.offsets import EXPOSURE_SUFFIX, Offset
from tfmtl.splits import RandomSplit
from tfmtl.tasks import Task

if TYPE_CHECKING:
    from tfmtl.spec import DatasetSpec

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_NAME_RULE = "a letter followed by letters, digits or underscores"


def check_columns(spec: "DatasetSpec") -> None:
    """Checks that names of columns are well-formed and unique.

    Args:
        spec: Spec of a dataset.

    Raises:
        FieldError: If a field is wrong; the error names it.
    """
    roles: dict[str, str] = {}

    def add(name: str, path: config.Path, role: str) -> None:
        require(bool(_NAME.fullmatch(name)), path, _NAME_RULE, name)
        is_allowed = role == "weights column" or not name.endswith(WEIGHTS_SUFFIX)
        require(is_allowed, path, f"a name that does not end in {WEIGHTS_SUFFIX}", name)
        if name in roles:
            raise FieldError(path, f"should be unique: a {roles[name]} has the same name. Received: {name!r}")
        roles[name] = role

    for i, feature in enumerate(spec.features):
        add(feature.name, ("features", i, "name"), "feature")
        if isinstance(feature, MultiValuedFeature) and feature.weights:
            add(feature.weights, ("features", i, "weights"), "weights column")
    for i, cross in enumerate(spec.crosses):
        add(cross.name, ("crosses", i, "name"), "cross")
    for i, task in enumerate(spec.tasks):
        add(task.label, ("tasks", i, "label"), "label")
        for field in ("column", "copy", "elapsed") if task.open_labels is not None else ():
            column = getattr(task.open_labels, field)
            if column is not None:
                add(column, ("tasks", i, "open", field), "column of open labels")
    if spec.weight is not None:
        add(spec.weight, ("weight",), "column of row weights")


def check_task_names(spec: "DatasetSpec") -> None:
    """Checks that names of tasks and of their outputs are well-formed and unique.

    Args:
        spec: Spec of a dataset.

    Raises:
        FieldError: If a field is wrong; the error names it.
    """
    for attribute in ("name", "output", "conditional_output"):
        seen: set[str] = set()
        for i, task in enumerate(spec.tasks):
            name = getattr(task, attribute)
            require(not name or bool(_NAME.fullmatch(name)), ("tasks", i, attribute), _NAME_RULE, name)
            require(name not in seen, ("tasks", i, attribute), "unique among the tasks", name)
            seen |= {name} if name else set()
    names = [output.name for output in spec.outputs]
    for i, task in enumerate(spec.tasks):
        for attribute in ("output", "conditional_output"):
            name = getattr(task, attribute)
            require(names.count(name) <= 1, ("tasks", i, attribute), "unique among the outputs", name)


def check_chains(spec: "DatasetSpec") -> None:
    """Checks that each task follows a binary task that is listed before it.

    Args:
        spec: Spec of a dataset.

    Raises:
        FieldError: If a field is wrong; the error names it.
    """
    earlier: dict[str, Task] = {}
    for i, task in enumerate(spec.tasks):
        if task.follows is not None:
            expected = f"a task listed before it ({', '.join(earlier) or 'there is none'})"
            require(task.follows in earlier, ("tasks", i, "follows"), expected, task.follows)
            require(earlier[task.follows].kind == "binary", ("tasks", i, "follows"), "a binary task", task.follows)
        earlier[task.name] = task


def check_offsets(spec: "DatasetSpec") -> None:
    """Checks that exposures are numbers, and that the names of their transformed inputs are free.

    Args:
        spec: Spec of a dataset.

    Raises:
        FieldError: If a field is wrong; the error names it.
    """
    columns = {*(feature.name for feature in spec.features), *spec.labels}
    for i, task in enumerate(spec.tasks):
        path, name = ("tasks", i, "offset"), task.name + EXPOSURE_SUFFIX
        if isinstance(task.offset, Offset):
            task.offset.check_feature(spec.features, path)
            require(name not in columns, path, f"omitted: a column has the name {name}", task.offset.feature)


def check_open_labels(spec: "DatasetSpec") -> None:
    """Checks that copies of a row are in its split, that their columns are no tasks, and that no sampled task has them.

    Args:
        spec: Spec of a dataset.

    Raises:
        FieldError: If a field is wrong; the error names it.
    """
    names = [task.name for task in spec.tasks]
    for i, task in enumerate(spec.tasks):
        for column in task.open_labels.columns if task.open_labels is not None else ():
            require(column not in names, ("tasks", i, "open"), "columns whose names are not those of tasks", column)
    key = spec.split.key if isinstance(spec.split, RandomSplit) else None
    if spec.copy_columns and key is not None:
        require(bool(key), ("split", "key"), "given, so that a row and its copy are in the same split", key)
    for i, column in enumerate(key or ()):
        expected = "a column other than those of open labels, in which a row and its copy differ"
        require(column not in spec.maturity_columns, ("split", "key", i), expected, column)
    if spec.sampling is not None and spec.sampling.task in names:
        sampled = spec.task(spec.sampling.task).open_labels
        is_plain = sampled is None or not sampled.trains_open_rows
        expected = (
            "a task without `maturity: importance` or `delay`, of whose open rows the negative ones are not known"
        )
        require(is_plain, ("sampling", "task"), expected, spec.sampling.task)


def check_training_only(spec: "DatasetSpec") -> None:
    """Checks that other parts of the spec do not need a feature that is known in training only.

    Args:
        spec: Spec of a dataset.

    Raises:
        FieldError: If a field is wrong; the error names it.
    """
    used = {task.offset.feature for task in spec.tasks if isinstance(task.offset, Offset)} | {spec.scenario}
    for i, feature in enumerate(spec.features):
        if feature in spec.training_only_features:
            path = ("features", i, "training_only")
            require(feature.name not in used, path, "left out for the scenario and for exposures", feature.name)
            is_one = len(spec.training_only_features) < len(spec.features)
            require(is_one, path, "left out for at least one feature", feature.name)


def check_sampling(spec: "DatasetSpec") -> None:
    """Checks that all tasks follow the one whose negatives are sampled, and that the log is not split yet.

    Args:
        spec: Spec of a dataset.

    Raises:
        FieldError: If a field is wrong; the error names it.
    """
    if spec.sampling is None:
        return
    tasks, name = {task.name: task for task in spec.tasks}, spec.sampling.task
    path = ("sampling", "task")
    require(name in tasks, path, f"one of {', '.join(tasks)}", name)
    is_root = tasks[name].kind == "binary" and tasks[name].follows is None
    reached = {name}
    for task in spec.tasks:
        reached |= {task.name} if task.follows in reached else set()
    others = [task for task in tasks if task not in reached]
    expected = "a binary task that all others follow"
    require(is_root and not others, path, expected + (f"; {', '.join(others)} would be biased" if others else ""), name)
    require(spec.split.kind != "given", ("sampling",), "left out for a log that is split already", name)
    for i, column in enumerate(spec.sampling.key):
        require(column not in spec.labels, ("sampling", "key", i), "a column other than a label", column)


def check_groups(spec: "DatasetSpec") -> None:
    """Checks that each group has a well-formed name and distinct features of the spec.

    Args:
        spec: Spec of a dataset.

    Raises:
        FieldError: If a field is wrong; the error names it.
    """
    names = [feature.name for feature in spec.features]
    for group, members in spec.groups.items():
        require(bool(_NAME.fullmatch(group)), ("groups", group), _NAME_RULE, group)
        require(bool(members), ("groups", group), "at least one feature", members)
        for i, name in enumerate(members):
            require(name in names, ("groups", group, i), f"a feature: {', '.join(names)}", name)
            require(name not in members[:i], ("groups", group, i), "listed once in its group", name)
