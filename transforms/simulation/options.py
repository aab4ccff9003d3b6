"""Options of the ad-log simulator: the distributions of entities, features and tasks of a dataset."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Literal

from tfmtl.config import require
from tfmtl.features import CategoricalFeature, MultiValuedFeature, NumberSequenceFeature
from tfmtl.spec import DatasetSpec, TimeSplit
from transforms.batches.columns import raw_columns
from transforms.batches.dates import is_date
from transforms.simulation.event_options import IMPRESSION, TIME, EventOptions
from transforms.simulation.feature_options import CONTEXT, EntityOptions, FeatureOptions, check_feature_options
from transforms.simulation.position import PositionOptions
from transforms.simulation.premises.options import FieldSelectionOptions, GroupPreferencesOptions, RelatednessOptions


@dataclasses.dataclass(frozen=True)
class TaskOptions:
    """Frequency of an event, or mean of a count or value, and its dependence on the features.

    Attributes:
        rate: Mean of the label; for a task that follows another one, the mean over the rows in which the previous
            task's label is 1.
        strength: Standard deviation over the rows of the logit; for a count or value, of the logarithm of its mean.
        noise: Standard deviation of the logarithm of a value whose mean is given. A value has a log-normal
            distribution, and is rounded to two decimals.
    """

    rate: float
    strength: float = 1.0
    noise: float = 1.0

    def __post_init__(self) -> None:
        require(self.rate > 0, "rate", "above 0", self.rate)
        require(self.strength >= 0, "strength", "0 or more", self.strength)
        require(self.noise >= 0, "noise", "0 or more", self.noise)


@dataclasses.dataclass(frozen=True)
class EffectShares:
    """Shares of the kinds of effects in the variance of the logit, which are divided by their sum.

    Attributes:
        attributes: Share of the additive effects of categorical values and tokens of lists.
        numbers: Share of the effects of numbers, each a curve over `log1p` of the number with a slope and a bend.
        ids: Share of the effects of entities beyond those of their attributes.
        affinity: Share of the interaction of two entities: inner products of the latent factors of their attributes,
            numbers and ids.
        scenario: Share of the interaction of attributes and scenario.
    """

    attributes: float = 0.35
    numbers: float = 0.2
    ids: float = 0.15
    affinity: float = 0.2
    scenario: float = 0.1

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            require(getattr(self, field.name) >= 0, field.name, "0 or more", getattr(self, field.name))
        require(sum(dataclasses.astuple(self)) > 0, "attributes", "above 0, or another share above 0", self.attributes)


@dataclasses.dataclass(frozen=True)
class SimulatorOptions:
    """Options of a simulated log of impressions.

    Attributes:
        rows: Number of impressions.
        entities: Kinds of entities, by a name of your choice.
        features: Distribution of each column: all features except the keys of entities, and other columns of the spec
            (group key, key of the split).
        tasks: Rate and strength by name of the task.
        kind: Kind of the simulator: `impressions`.
        seed: Seed of all random numbers.
        shares: Shares of the kinds of effects.
        task_correlation: Correlation of the effects of one value on two tasks.
        affinity_rank: Number of latent factors.
        premise: Property of the log on which the advantage of a model depends, with a strength from 0 (absent) to 1:
            `group_preferences`, `field_selection` or `relatedness`. Rates and standard deviations of the logits do not
            depend on it.
        events: Times of the events, with which three logs are written instead of one table: impressions, clicks and
            conversions (`transforms.simulation.event_writer`). None for one table.
        position: Position at which an item is shown, on which the label of the first task depends. The true
            probabilities, and the rates of the tasks, are those at position 1.
    """

    rows: int
    entities: Mapping[str, EntityOptions]
    features: Mapping[str, FeatureOptions]
    tasks: Mapping[str, TaskOptions]
    kind: Literal["impressions"] = "impressions"
    seed: int = 0
    shares: EffectShares = EffectShares()
    task_correlation: float = 0.5
    affinity_rank: int = 3
    premise: GroupPreferencesOptions | FieldSelectionOptions | RelatednessOptions | None = None
    events: EventOptions | None = None
    position: PositionOptions | None = None

    def __post_init__(self) -> None:
        require(self.rows >= 1, "rows", "at least 1", self.rows)
        require(self.seed >= 0, "seed", "0 or more", self.seed)
        require(0 <= self.task_correlation <= 1, "task_correlation", "from 0 to 1", self.task_correlation)
        require(self.affinity_rank >= 1, "affinity_rank", "at least 1", self.affinity_rank)
        require(CONTEXT not in self.entities, ("entities", CONTEXT), "another name", CONTEXT)
        for name, feature in self.features.items():
            known = (*self.entities, CONTEXT)
            require(feature.entity in known, ("features", name, "entity"), f"one of {', '.join(known)}", feature.entity)

    @property
    def keys(self) -> dict[str, str]:
        """Name of the kind of entity by key column."""
        return {entity.key: name for name, entity in self.entities.items()}


def check_options(spec: DatasetSpec, options: SimulatorOptions) -> None:
    """Checks that the options fit the spec.

    Args:
        spec: Spec of the dataset.
        options: Options of the simulator.

    Raises:
        FieldError: If an option does not fit; the error has its path within `SimulatorOptions`.
    """
    _check_names(spec, options)
    features = {feature.name: feature for feature in spec.features}
    for name, feature_options in options.features.items():
        feature = features.get(name, CategoricalFeature(name))
        expected = "absent, as only the simulator of panels draws sequences of numbers"
        require(not isinstance(feature, NumberSequenceFeature), ("features", name), expected, feature.kind)
        check_feature_options(feature, feature_options, ("features", name))
    for task in spec.tasks:
        rate, noise = options.tasks[task.name].rate, options.tasks[task.name].noise
        require(task.kind != "binary" or rate < 1, ("tasks", task.name, "rate"), "below 1", rate)
        is_used = noise == TaskOptions(1.0).noise or task.kind == "value"
        require(is_used, ("tasks", task.name, "noise"), "omitted for a task that is not a value", noise)
    if options.premise is not None:
        options.premise.check(spec, options.entities, options.features)
    if isinstance(spec.split, TimeSplit) and isinstance(spec.split.eval_from, str):
        for bound in (spec.split.eval_from, str(spec.split.test_from)):
            require(is_date(bound), ("split", "eval_from"), "a date such as 2026-11-20, or a number", bound)


def check_task_names(spec: DatasetSpec, names: Iterable[str]) -> None:
    """Checks that the options of a simulator name all tasks of the spec and no other ones.

    Args:
        spec: Spec of the dataset.
        names: Names of the tasks in the options.

    Raises:
        FieldError: If a task is missing or unknown.
    """
    given, known = list(names), [task.name for task in spec.tasks]
    for name in known:
        require(name in given, ("tasks", name), "given", None)
    for name in given:
        require(name in known, ("tasks", name), f"one of {', '.join(known)}", name)


def _check_names(spec: DatasetSpec, options: SimulatorOptions) -> None:
    time = {spec.split.column} if isinstance(spec.split, TimeSplit) else set()
    weights = {feature.weights for feature in spec.features if isinstance(feature, MultiValuedFeature)}
    events = set() if options.events is None else {IMPRESSION, TIME, *spec.maturity_columns}
    given = {*time, *weights, *spec.labels, *events}
    if options.position is not None:
        column, names = options.position.column, [feature.name for feature in spec.features]
        require(column in names, ("position", "column"), f"a feature of the spec: {', '.join(names)}", column)
        given.add(column)
        promoted, kinds = options.position.promoted, ", ".join(options.entities)
        require(not promoted or promoted in options.entities, ("position", "promoted"), f"one of {kinds}", promoted)
    columns = [name for name in raw_columns(spec) if name not in given]
    for entity, settings in options.entities.items():
        require(settings.key in columns, ("entities", entity, "key"), f"one of {', '.join(columns)}", settings.key)
        kind = {feature.name: feature.kind for feature in spec.features}.get(settings.key, "categorical")
        require(kind == "categorical", ("entities", entity, "key"), "a categorical feature", settings.key)
    require(len(options.keys) == len(options.entities), "entities", "entities with different keys", options.keys)
    drawn = [name for name in columns if name not in options.keys]
    for name in drawn:
        require(name in options.features, ("features", name), "given", None)
    for name in options.features:
        require(name in drawn, ("features", name), f"one of {', '.join(drawn)}", name)
    check_task_names(spec, options.tasks)
