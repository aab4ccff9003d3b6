"""Options of the premises of a simulated log."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Literal

from tfmtl.config import require
from tfmtl.features import CategoricalFeature
from tfmtl.spec import DatasetSpec, TimeSplit
from transforms.simulation.feature_options import EntityOptions, FeatureOptions


@dataclasses.dataclass(frozen=True)
class GroupPreferencesOptions:
    """Groups of users with preferences of their own, some of which occur in the test split only: the premise of MAN.

    Attributes:
        groups: Kind of entity that is a group, whose key is a feature.
        items: Kind of entity whose categorical attributes a group prefers or avoids.
        kind: Kind of the premise: `group_preferences`.
        strength: Share of the preferences in the variance of the logit, from 0 to 1.
        rank: Number of latent factors of a preference.
        task_correlation: Correlation of the preferences of a group for two tasks.
        attribute_share: Share of the variance of the preferences that follows from the group's categorical attributes;
            the rest is the group's own.
        new_groups: Share of the groups that occur in the test split only. It does not depend on the strength. Above 0,
            the split is by time, and the time of a row is drawn.
    """

    groups: str
    items: str
    kind: Literal["group_preferences"] = "group_preferences"
    strength: float = 1.0
    rank: int = 3
    task_correlation: float = 0.9
    attribute_share: float = 0.5
    new_groups: float = 0.0

    def __post_init__(self) -> None:
        _check_strength(self.strength)
        require(self.rank >= 1, "rank", "at least 1", self.rank)
        for name in ("task_correlation", "attribute_share"):
            require(0 <= getattr(self, name) <= 1, name, "from 0 to 1", getattr(self, name))
        require(0 <= self.new_groups < 1, "new_groups", "from 0 to below 1", self.new_groups)
        require(self.groups != self.items, "items", "another kind of entity than `groups`", self.items)

    def check(
        self, spec: DatasetSpec, entities: Mapping[str, EntityOptions], features: Mapping[str, FeatureOptions]
    ) -> None:
        """Checks that the premise fits the spec and the other options of the simulator.

        Args:
            spec: Spec of the dataset.
            entities: Kinds of entities by name.
            features: Distribution of each column.

        Raises:
            FieldError: If an option does not fit; the error has its path within `SimulatorOptions`.
        """
        for name in ("groups", "items"):
            scope = getattr(self, name)
            require(scope in entities, ("premise", name), f"one of {', '.join(entities) or '(no entities)'}", scope)
        key = entities[self.groups].key
        names = [feature.name for feature in spec.features]
        require(key in names, ("premise", "groups"), "a kind of entity whose key is a feature", self.groups)
        expected = "a kind of entity with a categorical attribute that is a feature"
        require(bool(attributes(self.items, spec, features)), ("premise", "items"), expected, self.items)
        has_attributes = self.attribute_share == 0 or bool(attributes(self.groups, spec, features))
        expected = "0 if no categorical feature describes the groups"
        require(has_attributes, ("premise", "attribute_share"), expected, self.attribute_share)
        if self.new_groups:
            path, count = ("premise", "new_groups"), entities[self.groups].count
            require(isinstance(spec.split, TimeSplit), path, "0 if the split is not by time", self.new_groups)
            fits = 1 <= round(self.new_groups * count) < count
            require(fits, path, f"a share of at least one and not all of the {count} groups", self.new_groups)


@dataclasses.dataclass(frozen=True)
class FieldSelectionOptions:
    """A feature, the context, that selects the few fields on which the outcome of a row depends: the premise of APEM.

    Attributes:
        context: Categorical feature by whose value fields are selected, such as the placement of an ad.
        kind: Kind of the premise: `field_selection`.
        strength: Weight of the selection, from 0, with which all fields act in all contexts, to 1, with which only the
            selected ones act.
        fields: Number of fields that each value of the context selects. A field is a feature other than the context and
            the keys of entities.
    """

    context: str
    kind: Literal["field_selection"] = "field_selection"
    strength: float = 1.0
    fields: int = 3

    def __post_init__(self) -> None:
        _check_strength(self.strength)
        require(self.fields >= 1, "fields", "at least 1", self.fields)

    def check(
        self, spec: DatasetSpec, entities: Mapping[str, EntityOptions], features: Mapping[str, FeatureOptions]
    ) -> None:
        """Checks that the premise fits the spec and the other options of the simulator.

        Args:
            spec: Spec of the dataset.
            entities: Kinds of entities by name.
            features: Distribution of each column.

        Raises:
            FieldError: If an option does not fit; the error has its path within `SimulatorOptions`.
        """
        del entities
        names = categorical_columns(spec, features)
        require(self.context in names, ("premise", "context"), f"one of {', '.join(names)}", self.context)
        fields = self.field_names(spec, features)
        path = ("premise", "fields")
        require(self.fields < len(fields), path, f"below {len(fields)}, the number of fields", self.fields)
        contexts, subsets = features[self.context].size + 1, math.comb(len(fields), self.fields)
        expected = f"such that there are {contexts} different selections, one for each value of {self.context}"
        require(subsets >= contexts, path, expected, self.fields)

    def field_names(self, spec: DatasetSpec, features: Mapping[str, FeatureOptions]) -> tuple[str, ...]:
        """Returns the names of the fields.

        Args:
            spec: Spec of the dataset.
            features: Distribution of each column.
        """
        names = (feature.name for feature in spec.features)
        return tuple(name for name in names if name in features and name != self.context)


@dataclasses.dataclass(frozen=True)
class RelatednessOptions:
    """Tasks that are related on some rows only, by the values of two features: the premise of AdaFTR.

    On related rows the logit of a task has the effects of the task that it follows; on unrelated rows it has effects of
    its own. The share of related rows is the correlation of the two logits without the premise, which is about
    `SimulatorOptions.task_correlation`; the mean correlation is therefore the same with any strength.

    Attributes:
        features: Two categorical features, such as an attribute of users and one of items. Their combination says
            whether a row is related; either alone says almost nothing.
        kind: Kind of the premise: `relatedness`.
        strength: Strength from 0, with which the correlation is the same on all rows, to 1, with which it is 1 on
            related rows and 0 on the others.
    """

    features: tuple[str, ...]
    kind: Literal["relatedness"] = "relatedness"
    strength: float = 1.0

    def __post_init__(self) -> None:
        _check_strength(self.strength)
        two = len(self.features) == len(set(self.features)) == 2
        require(two, "features", "two different features", list(self.features))

    def check(
        self, spec: DatasetSpec, entities: Mapping[str, EntityOptions], features: Mapping[str, FeatureOptions]
    ) -> None:
        """Checks that the premise fits the spec and the other options of the simulator.

        Args:
            spec: Spec of the dataset.
            entities: Kinds of entities by name.
            features: Distribution of each column.

        Raises:
            FieldError: If an option does not fit; the error has its path within `SimulatorOptions`.
        """
        del entities
        names = categorical_columns(spec, features)
        for i, name in enumerate(self.features):
            require(name in names, ("premise", "features", i), f"one of {', '.join(names)}", name)
        chained = any(task.follows for task in spec.tasks)
        expected = "absent, as no task of the spec follows another one"
        require(chained, ("premise", "kind"), expected, self.kind)


def attributes(scope: str, spec: DatasetSpec, features: Mapping[str, FeatureOptions]) -> tuple[str, ...]:
    """Returns the names of the features with tokens that describe a kind of entity.

    Args:
        scope: Name of the kind of entity.
        spec: Spec of the dataset.
        features: Distribution of each column.
    """
    drawn = (feature.name for feature in spec.features if feature.name in features)
    return tuple(name for name in drawn if features[name].entity == scope and features[name].size)


def categorical_columns(spec: DatasetSpec, features: Mapping[str, FeatureOptions]) -> tuple[str, ...]:
    """Returns the names of the categorical features other than keys of entities.

    Args:
        spec: Spec of the dataset.
        features: Distribution of each column.
    """
    categorical = (feature.name for feature in spec.features if isinstance(feature, CategoricalFeature))
    return tuple(name for name in categorical if name in features)


def _check_strength(strength: float) -> None:
    require(0 <= strength <= 1, "strength", "from 0 to 1", strength)
