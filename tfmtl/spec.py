"""DatasetSpec: the meaning of a log's columns.

The spec is the one place that names features and tasks. Transforms, models, evaluation, serving and reports read the
names from it.
"""

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from tfmtl import config
from tfmtl.config import require
from tfmtl.feature_checks import check_crosses, check_shared_vocabularies
from tfmtl.features import TOKENS, CategoricalFeature, Cross, DenseFeature, Feature, NumericalFeature
from tfmtl.offsets import Offset
from tfmtl.open_labels import OpenLabels
from tfmtl.sampling import NegativeSampling
from tfmtl.spec_checks import (
    check_chains,
    check_columns,
    check_groups,
    check_offsets,
    check_open_labels,
    check_sampling,
    check_task_names,
    check_training_only,
)
from tfmtl.splits import GivenSplit, RandomSplit, TimeSplit
from tfmtl.tasks import CONDITIONAL, ENTIRE, Output, Task

__all__ = [
    "CONDITIONAL",
    "ENTIRE",
    "SPEC_VERSION",
    "DatasetSpec",
    "GivenSplit",
    "Offset",
    "OpenLabels",
    "Output",
    "RandomSplit",
    "Task",
    "TimeSplit",
]

SPEC_VERSION = 1
"""Version of the format of specs."""


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
        sampling: Sampling of the negative training rows of a task; null to train on all rows.
        groups: Names of features by the name of their group, for models that treat groups of features differently,
            such as M2M with its groups scenario, profile, behaviour and performance. Other models ignore them.
        crosses: Combinations of features, which are inputs of a model besides them.
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
    sampling: NegativeSampling | None = None
    crosses: tuple[Cross, ...] = ()
    version: int = SPEC_VERSION

    def __post_init__(self) -> None:
        require(self.version == SPEC_VERSION, "version", f"{SPEC_VERSION}, the supported version", self.version)
        require(bool(self.features), "features", "at least one feature", self.features)
        has_ids = not all(isinstance(feature, DenseFeature) for feature in self.features)
        require(has_ids, "features", "at least one feature besides dense ones", self.features)
        require(bool(self.tasks), "tasks", "at least one task", self.tasks)
        check_columns(self)
        check_task_names(self)
        check_chains(self)
        check_offsets(self)
        check_open_labels(self)
        if self.scenario is not None:
            names = [feature.name for feature in self.features if isinstance(feature, CategoricalFeature)]
            require(self.scenario in names, "scenario", f"a categorical feature: {', '.join(names)}", self.scenario)
        if self.group_key is not None:
            known = (*self.labels, *self.maturity_columns, self.weight)
            require(self.group_key not in known, "group_key", "a column other than a label or weight", self.group_key)
        for i, key in enumerate(self.split.key if isinstance(self.split, RandomSplit) else ()):
            expected = "a column other than a label, which would put all rows of one label into the same split"
            require(key not in self.labels, ("split", "key", i), expected, key)
        check_training_only(self)
        check_shared_vocabularies(self)
        check_crosses(self)
        check_sampling(self)
        object.__setattr__(self, "groups", {name: tuple(self.groups[name]) for name in sorted(self.groups)})
        check_groups(self)

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
        return {task.label: task.open_labels.column for task in self.tasks if task.open_labels is not None}

    @property
    def copy_columns(self) -> dict[str, str]:
        """Columns that mark copies of earlier rows, by the label whose event has come."""
        given = {task.label: task.open_labels.copy for task in self.tasks if task.open_labels is not None}
        return {label: column for label, column in given.items() if column is not None}

    @property
    def elapsed_columns(self) -> dict[str, str]:
        """Columns of elapsed days, by label."""
        given = {task.label: task.open_labels.elapsed for task in self.tasks if task.open_labels is not None}
        return {label: column for label, column in given.items() if column is not None}

    @property
    def maturity_columns(self) -> tuple[str, ...]:
        """Columns of the open labels of all tasks: those that mark open rows and copies, and those of elapsed days."""
        return (*self.open_columns.values(), *self.copy_columns.values(), *self.elapsed_columns.values())

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
            crosses=tuple(cross for cross in self.crosses if not hidden & set(cross.features)),
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

    def vocabulary_of(self, feature: Feature) -> Any:
        """Returns the feature whose vocabulary or hash gives the ids of a feature of tokens: mostly the feature itself.

        Args:
            feature: Feature of the spec; a feature of numbers is returned as it is.
        """
        if not isinstance(feature, TOKENS) or feature.vocabulary is None:
            return feature
        return self.feature(feature.vocabulary)

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
