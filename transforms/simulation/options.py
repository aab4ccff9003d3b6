"""Options of the ad-log simulator: the distributions of entities, features and tasks of a dataset."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Literal

from tfmtl.config import Path, require
from tfmtl.features import (
    CategoricalFeature,
    Feature,
    MultiValuedFeature,
    NumberSequenceFeature,
    NumericalFeature,
    SequenceFeature,
)
from tfmtl.spec import DatasetSpec, TimeSplit
from transforms.batches.columns import raw_columns
from transforms.batches.dates import is_date

CONTEXT = "context"
"""Entity of the features that are drawn for each row."""


@dataclasses.dataclass(frozen=True)
class EntityOptions:
    """A kind of entity that has an id and occurs in many rows, such as users or items.

    Attributes:
        key: Column of the id; a categorical feature, or a column that is not a feature.
        count: Number of entities.
        zipf: Exponent of the frequencies: the share of rows of the k-th most frequent entity is proportional to
            `k ** -zipf`.
        id_effect: Weight of this kind's ids, relative to the ids of other kinds, in the effect `EffectShares.ids`.
        id_affinity: Weight of the id's latent factors, relative to those of one attribute, in the effect
            `EffectShares.affinity`.
    """

    key: str
    count: int
    zipf: float = 1.0
    id_effect: float = 1.0
    id_affinity: float = 0.3

    def __post_init__(self) -> None:
        require(self.count >= 2, "count", "at least 2", self.count)
        for name in ("zipf", "id_effect", "id_affinity"):
            require(getattr(self, name) >= 0, name, "0 or more", getattr(self, name))


@dataclasses.dataclass(frozen=True)
class FeatureOptions:
    """Distribution of the values of a feature, whose kind is that of the spec.

    Attributes:
        entity: Kind of entity that the feature describes, whose value is drawn once for each entity; by default
            `context`, whose value is drawn for each row.
        missing: Share of the entities, or of the rows, without a value.
        cardinality: Number of distinct tokens, which are written as 0, 1, ...
        values: Tokens by name, instead of `cardinality`, the most frequent one first.
        skew: Exponent of the frequencies: the share of the k-th token is proportional to `k ** -skew`.
        length: Largest length of a list; all lengths from 1 on are equally frequent.
        median: Median of a number, which has a log-normal distribution.
        sigma: Standard deviation of the number's logarithm.
        popularity: Exponent with which a number grows with the frequency of its entity; with 1, the number is
            proportional to the number of rows.
        decimals: Number of decimals of a number.
    """

    entity: str = CONTEXT
    missing: float = 0.0
    cardinality: int | None = None
    values: tuple[str, ...] = ()
    skew: float = 0.0
    length: int | None = None
    median: float | None = None
    sigma: float = 1.0
    popularity: float = 0.0
    decimals: int = 0

    def __post_init__(self) -> None:
        require(0 <= self.missing < 1, "missing", "from 0 to below 1", self.missing)
        require(self.cardinality is None or self.cardinality >= 2, "cardinality", "at least 2", self.cardinality)
        require(len(set(self.values)) == len(self.values) and all(self.values), "values", "distinct names", self.values)
        require(not (self.values and self.cardinality), "values", "empty if `cardinality` is given", self.values)
        require(self.skew >= 0, "skew", "0 or more", self.skew)
        require(self.length is None or self.length >= 1, "length", "at least 1", self.length)
        require(self.median is None or self.median > 0, "median", "above 0", self.median)
        require(self.sigma >= 0, "sigma", "0 or more", self.sigma)
        require(self.popularity == 0 or self.entity != CONTEXT, "popularity", "0 without an entity", self.popularity)
        require(0 <= self.decimals <= 6, "decimals", "from 0 to 6", self.decimals)

    @property
    def size(self) -> int:
        """Number of distinct tokens; 0 for a number."""
        return self.cardinality or len(self.values)

    @property
    def tokens(self) -> tuple[str, ...]:
        """Tokens as they are written."""
        return self.values or tuple(map(str, range(self.size)))


@dataclasses.dataclass(frozen=True)
class TaskOptions:
    """Frequency of an event, and its dependence on the features.

    Attributes:
        rate: Mean of the label; for a task that follows another one, the mean over the rows in which the previous
            task's label is 1.
        strength: Standard deviation over the rows of the logit; for a count, of the logarithm of its mean.
    """

    rate: float
    strength: float = 1.0

    def __post_init__(self) -> None:
        require(self.rate > 0, "rate", "above 0", self.rate)
        require(self.strength >= 0, "strength", "0 or more", self.strength)


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
        rate = options.tasks[task.name].rate
        require(task.kind == "count" or rate < 1, ("tasks", task.name, "rate"), "below 1", rate)
    if isinstance(spec.split, TimeSplit) and isinstance(spec.split.eval_from, str):
        for bound in (spec.split.eval_from, str(spec.split.test_from)):
            require(is_date(bound), ("split", "eval_from"), "a date such as 2026-11-20, or a number", bound)


def check_feature_options(feature: Feature, options: FeatureOptions, path: Path) -> None:
    """Checks that the distribution of a feature fits its kind.

    Args:
        feature: Feature of the spec.
        options: Distribution of its values.
        path: Path of the options in error messages.

    Raises:
        FieldError: If an option is missing, or does not apply to the kind of feature.
    """
    if isinstance(feature, NumericalFeature):
        require(options.median is not None, (*path, "median"), "given for a number", options.median)
        require(options.size == 0, (*path, "cardinality"), "absent for a number", options.size)
    else:
        require(options.size >= 2, (*path, "cardinality"), "at least 2 (or give `values`)", options.size)
        require(options.median is None, (*path, "median"), "absent, as the feature is not a number", options.median)
    if isinstance(feature, MultiValuedFeature | SequenceFeature):
        longest = min(feature.max_length, options.size)
        fits = options.length is not None and options.length <= longest
        require(fits, (*path, "length"), f"at most {longest}", options.length)
    else:
        require(options.length is None, (*path, "length"), "absent, as the feature is not a list", options.length)
    required = getattr(feature, "required", False)
    require(not (required and options.missing), (*path, "missing"), "0 for a required feature", options.missing)


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
    columns = [name for name in raw_columns(spec) if name not in {*time, *weights, *spec.labels}]
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
