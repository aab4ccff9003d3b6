"""DatasetSpec: what a log's columns mean. The one place where a feature or a task is named.

Transforms, models, evaluation, serving and reports read it; none of them writes a name of its own.
"""

import dataclasses
import hashlib
import json
import pathlib
import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from tfmtl import config
from tfmtl.config import FieldError, require
from tfmtl.features import WEIGHTS_SUFFIX, CategoricalFeature, Feature, MultiValuedFeature

SPEC_VERSION = 1
ENTIRE: Final = "entire"
CONDITIONAL: Final = "conditional"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_NAME_WORDS = "letters, digits and _, a letter first"


@dataclasses.dataclass(frozen=True)
class Task:
    """What is predicted: the probability of an event (`binary`) or the mean of a number of events (`count`).

    Attributes:
        name: of the task; keys losses, weights, metrics and thresholds.
        label: its column; 0 or 1, or a count.
        kind: `binary` or `count`.
        follows: the task without which this event cannot happen (a conversion follows its click).
        output: what a prediction on the entire space is called: P(label = 1 | x). `name` by default.
        conditional_output: what P(label = 1 | label of `follows` = 1, x) is called.
    """

    name: str
    label: str
    kind: Literal["binary", "count"] = "binary"
    follows: str | None = None
    output: str = ""
    conditional_output: str = ""

    def __post_init__(self):
        object.__setattr__(self, "output", self.output or self.name)
        if self.follows is None:
            expected = "left out where the task follows none"
            require(not self.conditional_output, "conditional_output", expected, self.conditional_output)
        else:
            require(self.kind == "binary", "kind", "binary where the task follows another", self.kind)
            name = self.conditional_output or f"{self.name}_given_{self.follows}"
            object.__setattr__(self, "conditional_output", name)


@dataclasses.dataclass(frozen=True)
class Output:
    """One served prediction: of which task, on which space, under which name."""

    name: str
    task: str
    space: Literal["entire", "conditional"]


@dataclasses.dataclass(frozen=True)
class RandomSplit:
    """Rows fall to train, eval or test by a hash of their key: the same row always to the same split.

    Attributes:
        key: the columns that are hashed; the whole line if empty. Rows with one key stay together.
        eval: share of the rows that go to `eval`.
        test: share of the rows that go to `test`.
        salt: another salt, another split.
    """

    kind: Literal["random"] = "random"
    key: tuple[str, ...] = ()
    eval: float = 0.1
    test: float = 0.1
    salt: str = ""

    def __post_init__(self):
        for name in ("eval", "test"):
            require(0 < getattr(self, name) < 1, name, "between 0 and 1", getattr(self, name))
        require(self.eval + self.test < 1, "test", "such that train keeps a share", self.test)


@dataclasses.dataclass(frozen=True)
class TimeSplit:
    """Rows before `eval_from` train, those from `test_from` on test; compared as numbers if they are, else as text.

    Attributes:
        column: the time of a row: a number, or a text that sorts by time (2026-11-20).
        eval_from: first time that goes to `eval`.
        test_from: first time that goes to `test`.
    """

    column: str
    eval_from: int | float | str
    test_from: int | float | str
    kind: Literal["time"] = "time"

    def __post_init__(self):
        numbers = [isinstance(bound, int | float) for bound in (self.eval_from, self.test_from)]
        require(numbers[0] == numbers[1], "test_from", "of the type of eval_from", self.test_from)
        require(self.eval_from < self.test_from, "test_from", f"after eval_from, {self.eval_from!r}", self.test_from)  # type: ignore[operator]


@dataclasses.dataclass(frozen=True)
class GivenSplit:
    """Rows are in the split in which the log has them: that of `tfmtl ingest` has a folder for each."""

    kind: Literal["given"] = "given"


@dataclasses.dataclass(frozen=True)
class DatasetSpec:
    """Features, tasks, scenario, group key and split of one data set.

    Attributes:
        name: of the data set.
        features: what a model sees.
        tasks: what it predicts; a task stands after the one that it follows.
        scenario: the categorical feature whose values are evaluated apart.
        group_key: the column by which GAUC groups rows, usually the user's.
        split: how rows are divided into train, eval and test.
        groups: names of features by the name of their group. Of what a group is, a model says that treats features
            of different meaning differently (M2M: scenario, profile, behaviour, performance); others do not look.
        version: of this format.
    """

    name: str
    features: tuple[Feature, ...]
    tasks: tuple[Task, ...]
    scenario: str | None = None
    group_key: str | None = None
    split: RandomSplit | TimeSplit | GivenSplit = RandomSplit()
    groups: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    version: int = SPEC_VERSION

    def __post_init__(self):
        require(self.version == SPEC_VERSION, "version", f"{SPEC_VERSION}, the one that is known here", self.version)
        require(bool(self.features), "features", "at least one feature", self.features)
        require(bool(self.tasks), "tasks", "at least one task", self.tasks)
        self._check_names()
        self._check_chain()
        if self.scenario is not None:
            names = [feature.name for feature in self.features if isinstance(feature, CategoricalFeature)]
            require(self.scenario in names, "scenario", f"a categorical feature: {', '.join(names)}", self.scenario)
        if self.group_key is not None:
            require(self.group_key not in self.labels, "group_key", "no label", self.group_key)
        self._check_groups()

    def _check_names(self) -> None:
        taken: dict[str, str] = {}

        def take(name: str, path: config.Path, owner: str) -> None:
            require(bool(_NAME.fullmatch(name)), path, _NAME_WORDS, name)
            free = owner == "weights column" or not name.endswith(WEIGHTS_SUFFIX)
            require(free, path, f"a name that does not end in {WEIGHTS_SUFFIX}", name)
            if name in taken:
                raise FieldError(path, f"should differ from the {taken[name]} of that name. Received: {name!r}")
            taken[name] = owner

        for i, feature in enumerate(self.features):
            take(feature.name, ("features", i, "name"), "feature")
            if isinstance(feature, MultiValuedFeature) and feature.weights:
                take(feature.weights, ("features", i, "weights"), "weights column")
        for i, task in enumerate(self.tasks):
            take(task.label, ("tasks", i, "label"), "label")
        for attribute in ("name", "output", "conditional_output"):
            seen: set[str] = set()
            for i, task in enumerate(self.tasks):
                name = getattr(task, attribute)
                require(not name or bool(_NAME.fullmatch(name)), ("tasks", i, attribute), _NAME_WORDS, name)
                require(name not in seen, ("tasks", i, attribute), "used once", name)
                seen |= {name} if name else set()
        names = [output.name for output in self.outputs]
        for i, task in enumerate(self.tasks):
            for attribute in ("output", "conditional_output"):
                name = getattr(task, attribute)
                require(names.count(name) <= 1, ("tasks", i, attribute), "used once", name)

    def _check_chain(self) -> None:
        earlier: dict[str, Task] = {}
        for i, task in enumerate(self.tasks):
            if task.follows is not None:
                expected = f"a task listed before it ({', '.join(earlier) or 'there is none'})"
                require(task.follows in earlier, ("tasks", i, "follows"), expected, task.follows)
                require(earlier[task.follows].kind == "binary", ("tasks", i, "follows"), "a binary task", task.follows)
            earlier[task.name] = task

    def _check_groups(self) -> None:
        object.__setattr__(self, "groups", {name: tuple(self.groups[name]) for name in sorted(self.groups)})
        names = [feature.name for feature in self.features]
        for group, members in self.groups.items():
            require(bool(_NAME.fullmatch(group)), ("groups", group), _NAME_WORDS, group)
            require(bool(members), ("groups", group), "at least one feature", members)
            for i, name in enumerate(members):
                require(name in names, ("groups", group, i), f"a feature: {', '.join(names)}", name)
                require(name not in members[:i], ("groups", group, i), "named once in its group", name)

    @property
    def labels(self) -> tuple[str, ...]:
        """The label columns, in the order of the tasks."""
        return tuple(task.label for task in self.tasks)

    @property
    def outputs(self) -> tuple[Output, ...]:
        """All served predictions: each task on the entire space, and given its previous task where it follows one."""
        outputs = []
        for task in self.tasks:
            if task.follows is not None:
                outputs.append(Output(task.conditional_output, task.name, CONDITIONAL))
            outputs.append(Output(task.output, task.name, ENTIRE))
        return tuple(outputs)

    def task(self, name: str) -> Task:
        """The task of that name. Raises `KeyError` if there is none."""
        return {task.name: task for task in self.tasks}[name]

    def feature(self, name: str) -> Feature:
        """The feature of that name. Raises `KeyError` if there is none."""
        return {feature.name: feature for feature in self.features}[name]

    def group(self, name: str) -> tuple[Feature, ...]:
        """The features of that group. Raises `KeyError` if there is none of that name."""
        return tuple(self.feature(member) for member in self.groups[name])

    def to_dict(self) -> dict[str, Any]:
        """Plain data, such as `from_dict` reads; `version` is always in it."""
        return {"version": self.version, **config.to_plain(self)}

    def to_yaml(self) -> str:
        """YAML text, such as `from_yaml` reads."""
        return config.dump_yaml(self.to_dict())

    def to_json(self) -> str:
        """JSON text with sorted keys: the same spec always gives the same text."""
        return json.dumps(self.to_dict(), sort_keys=True)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "DatasetSpec":
        """The spec of plain data. Raises `ConfigError` naming the field that is wrong."""
        return config.build(cls, config.Document(data))

    @classmethod
    def from_yaml(cls, text: str, source: str = "") -> "DatasetSpec":
        """The spec of a YAML (or JSON) text. Raises `ConfigError` naming line and field that are wrong."""
        return config.build(cls, config.parse_yaml(text, source))

    @classmethod
    def load(cls, path: str | pathlib.Path) -> "DatasetSpec":
        """The spec in a YAML or JSON file. Raises `ConfigError` naming line and field that are wrong."""
        return config.build(cls, config.read_yaml(path))

    @property
    def hash(self) -> str:
        """16 hexadecimal digits of the content: two specs that mean the same have the same."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]
