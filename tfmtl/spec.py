"""DatasetSpec: the meaning of a log's columns.

The spec is the one place that names features and tasks. Transforms, models, evaluation, serving and reports read the
names from it.
"""

import dataclasses
import hashlib
import json
import pathlib
import re
from collections.abc import Mapping
from typing import Any

from tfmtl import config
from tfmtl.config import FieldError, require
from tfmtl.features import WEIGHTS_SUFFIX, CategoricalFeature, Feature, MultiValuedFeature, NumericalFeature
from tfmtl.offsets import EXPOSURE_SUFFIX, Offset
from tfmtl.splits import GivenSplit, RandomSplit, TimeSplit
from tfmtl.tasks import CONDITIONAL, ENTIRE, Output, Task

__all__ = [
    "CONDITIONAL",
    "ENTIRE",
    "SPEC_VERSION",
    "DatasetSpec",
    "GivenSplit",
    "Offset",
    "Output",
    "RandomSplit",
    "Task",
    "TimeSplit",
]

SPEC_VERSION = 1
"""Version of the format of specs."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_NAME_RULE = "a letter followed by letters, digits or underscores"


@dataclasses.dataclass(frozen=True)
class DatasetSpec:
    """Features, tasks, scenario, group key and split of one dataset.

    Attributes:
        name: Name of the dataset.
        features: Inputs of a model.
        tasks: Prediction targets; a task is listed after the one that it follows.
        scenario: Name of the categorical feature by whose values results are reported; null for none.
        group_key: Name of the column by which GAUC groups rows, usually the user; null for none.
        split: Division of the rows into train, eval and test.
        weight: Name of a column of row weights, numbers of at least 0; null for weights of 1. A row of weight 2 counts
            as two rows in losses, metrics and gates, and one of weight 0 as none.
        groups: Names of features by the name of their group, for models that treat groups of features differently,
            such as M2M with its groups scenario, profile, behaviour and performance. Other models ignore them.
        version: Version of the format, `SPEC_VERSION`.

    Example:
        >>> from tfmtl import DatasetSpec
        >>> spec = DatasetSpec.from_yaml('''
        ... name: shop
        ... features:
        ...   - {name: user, kind: categorical}
        ...   - {name: price, kind: numerical}
        ... tasks:
        ...   - {name: click, label: clicked, output: ctr}
        ...   - {name: buy, label: bought, follows: click, output: ctcvr, conditional_output: cvr}
        ... ''')
        >>> [(output.name, output.space) for output in spec.outputs]
        [('ctr', 'entire'), ('cvr', 'conditional'), ('ctcvr', 'entire')]
    """

    name: str
    features: tuple[Feature, ...]
    tasks: tuple[Task, ...]
    scenario: str | None = None
    group_key: str | None = None
    split: RandomSplit | TimeSplit | GivenSplit = dataclasses.field(default_factory=RandomSplit)
    groups: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    weight: str | None = None
    version: int = SPEC_VERSION

    def __post_init__(self) -> None:
        require(self.version == SPEC_VERSION, "version", f"{SPEC_VERSION}, the supported version", self.version)
        require(bool(self.features), "features", "at least one feature", self.features)
        require(bool(self.tasks), "tasks", "at least one task", self.tasks)
        self._check_columns()
        self._check_task_names()
        self._check_chains()
        self._check_offsets()
        if self.scenario is not None:
            names = [feature.name for feature in self.features if isinstance(feature, CategoricalFeature)]
            require(self.scenario in names, "scenario", f"a categorical feature: {', '.join(names)}", self.scenario)
        if self.group_key is not None:
            known = (*self.labels, *self.open_columns.values(), self.weight)
            require(self.group_key not in known, "group_key", "a column other than a label or weight", self.group_key)
        for i, key in enumerate(self.split.key if isinstance(self.split, RandomSplit) else ()):
            expected = "a column other than a label, which would put all rows of one label into the same split"
            require(key not in self.labels, ("split", "key", i), expected, key)
        self._check_training_only()
        object.__setattr__(self, "groups", {name: tuple(self.groups[name]) for name in sorted(self.groups)})
        self._check_groups()

    def _check_columns(self) -> None:
        """Checks that names of columns are well-formed and unique."""
        roles: dict[str, str] = {}

        def add(name: str, path: config.Path, role: str) -> None:
            require(bool(_NAME.fullmatch(name)), path, _NAME_RULE, name)
            is_allowed = role == "weights column" or not name.endswith(WEIGHTS_SUFFIX)
            require(is_allowed, path, f"a name that does not end in {WEIGHTS_SUFFIX}", name)
            if name in roles:
                raise FieldError(path, f"should be unique: a {roles[name]} has the same name. Received: {name!r}")
            roles[name] = role

        for i, feature in enumerate(self.features):
            add(feature.name, ("features", i, "name"), "feature")
            if isinstance(feature, MultiValuedFeature) and feature.weights:
                add(feature.weights, ("features", i, "weights"), "weights column")
        for i, task in enumerate(self.tasks):
            add(task.label, ("tasks", i, "label"), "label")
            if task.open is not None:
                add(task.open, ("tasks", i, "open"), "column of open labels")
        if self.weight is not None:
            add(self.weight, ("weight",), "column of row weights")

    def _check_task_names(self) -> None:
        """Checks that names of tasks and of their outputs are well-formed and unique."""
        for attribute in ("name", "output", "conditional_output"):
            seen: set[str] = set()
            for i, task in enumerate(self.tasks):
                name = getattr(task, attribute)
                require(not name or bool(_NAME.fullmatch(name)), ("tasks", i, attribute), _NAME_RULE, name)
                require(name not in seen, ("tasks", i, attribute), "unique among the tasks", name)
                seen |= {name} if name else set()
        names = [output.name for output in self.outputs]
        for i, task in enumerate(self.tasks):
            for attribute in ("output", "conditional_output"):
                name = getattr(task, attribute)
                require(names.count(name) <= 1, ("tasks", i, attribute), "unique among the outputs", name)

    def _check_chains(self) -> None:
        """Checks that each task follows a binary task that is listed before it."""
        earlier: dict[str, Task] = {}
        for i, task in enumerate(self.tasks):
            if task.follows is not None:
                expected = f"a task listed before it ({', '.join(earlier) or 'there is none'})"
                require(task.follows in earlier, ("tasks", i, "follows"), expected, task.follows)
                require(earlier[task.follows].kind == "binary", ("tasks", i, "follows"), "a binary task", task.follows)
            earlier[task.name] = task

    def _check_offsets(self) -> None:
        """Checks that exposures are numbers, and that the names of their transformed inputs are free."""
        columns = {*(feature.name for feature in self.features), *self.labels}
        for i, task in enumerate(self.tasks):
            path, name = ("tasks", i, "offset"), task.name + EXPOSURE_SUFFIX
            if isinstance(task.offset, Offset):
                task.offset.check_feature(self.features, path)
                require(name not in columns, path, f"omitted: a column has the name {name}", task.offset.feature)

    def _check_training_only(self) -> None:
        """Checks that other parts of the spec do not need a feature that is known in training only."""
        used = {task.offset.feature for task in self.tasks if isinstance(task.offset, Offset)} | {self.scenario}
        for i, feature in enumerate(self.features):
            if feature in self.training_only_features:
                path = ("features", i, "training_only")
                require(feature.name not in used, path, "left out for the scenario and for exposures", feature.name)
                is_one = len(self.training_only_features) < len(self.features)
                require(is_one, path, "left out for at least one feature", feature.name)

    def _check_groups(self) -> None:
        """Checks that each group has a well-formed name and distinct features of the spec."""
        names = [feature.name for feature in self.features]
        for group, members in self.groups.items():
            require(bool(_NAME.fullmatch(group)), ("groups", group), _NAME_RULE, group)
            require(bool(members), ("groups", group), "at least one feature", members)
            for i, name in enumerate(members):
                require(name in names, ("groups", group, i), f"a feature: {', '.join(names)}", name)
                require(name not in members[:i], ("groups", group, i), "listed once in its group", name)

    def _repr_html_(self) -> str:
        from tfmtl.html_views import spec_html

        return spec_html(self)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the label columns, in the order of the tasks."""
        return tuple(task.label for task in self.tasks)

    @property
    def open_columns(self) -> dict[str, str]:
        """Columns that mark open labels, by label."""
        return {task.label: task.open for task in self.tasks if task.open is not None}

    @property
    def outputs(self) -> tuple[Output, ...]:
        """All served predictions, in the order of the tasks, each task's conditional output before its entire one."""
        outputs = []
        for task in self.tasks:
            if task.follows is not None:
                outputs.append(Output(task.conditional_output, task.name, CONDITIONAL))
            outputs.append(Output(task.output, task.name, ENTIRE))
        return tuple(outputs)

    @property
    def training_only_features(self) -> tuple[CategoricalFeature | NumericalFeature, ...]:
        """Features that are known in training only (`tfmtl.features.TrainingOnly`)."""
        kinds = (CategoricalFeature, NumericalFeature)
        return tuple(one for one in self.features if isinstance(one, kinds) and one.training_only is not None)

    @property
    def served(self) -> "DatasetSpec":
        """The spec without the features that are known in training only: that of the rows which a server receives."""
        hidden = {feature.name for feature in self.training_only_features}
        if not hidden:
            return self
        members = {name: tuple(one for one in group if one not in hidden) for name, group in self.groups.items()}
        return dataclasses.replace(
            self,
            features=tuple(feature for feature in self.features if feature.name not in hidden),
            groups={name: group for name, group in members.items() if group},
        )

    def task(self, name: str) -> Task:
        """Returns the task of a given name.

        Raises:
            KeyError: If the spec has no such task.
        """
        return {task.name: task for task in self.tasks}[name]

    def feature(self, name: str) -> Feature:
        """Returns the feature of a given name.

        Raises:
            KeyError: If the spec has no such feature.
        """
        return {feature.name: feature for feature in self.features}[name]

    def group(self, name: str) -> tuple[Feature, ...]:
        """Returns the features of a group.

        Raises:
            KeyError: If the spec has no such group.
        """
        return tuple(self.feature(member) for member in self.groups[name])

    def to_dict(self) -> dict[str, Any]:
        """Returns the spec as plain data, without fields that have their default value but with `version`."""
        return {"version": self.version, **config.to_plain(self)}

    def to_yaml(self) -> str:
        """Returns the spec as YAML text that `from_yaml` reads."""
        return config.dump_yaml(self.to_dict())

    def to_json(self) -> str:
        """Returns the spec as JSON text with sorted keys: equal specs give equal texts."""
        return json.dumps(self.to_dict(), sort_keys=True)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "DatasetSpec":
        """Builds a spec from plain data.

        Raises:
            ConfigError: If a field is wrong; the message names it.
        """
        return config.build(cls, config.Document(data))

    @classmethod
    def from_yaml(cls, text: str, source: str = "") -> "DatasetSpec":
        """Builds a spec from YAML or JSON text.

        Args:
            text: YAML or JSON text.
            source: Name of the text in errors, usually the path of its file.

        Raises:
            ConfigError: If the text is not YAML or a field is wrong; the message names the line and the field.
        """
        return config.build(cls, config.parse_yaml(text, source))

    @classmethod
    def load(cls, path: str | pathlib.Path) -> "DatasetSpec":
        """Builds a spec from a YAML or JSON file.

        Raises:
            ConfigError: If the file cannot be read or a field is wrong; the message names the file, line and field.
        """
        return config.build(cls, config.read_yaml(path))

    @property
    def hash(self) -> str:
        """Hash of the content, 16 hexadecimal digits: equal specs have equal hashes."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]
