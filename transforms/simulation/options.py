"""What the ad-log simulator is told: how each entity, feature and task of a data set is drawn."""

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Literal

from tfmtl.config import require
from tfmtl.features import (
    CategoricalFeature,
    MultiValuedFeature,
    NumberSequenceFeature,
    NumericalFeature,
    SequenceFeature,
)
from tfmtl.spec import DatasetSpec, TimeSplit
from transforms.validation.validate import raw_columns

CONTEXT = "context"


@dataclasses.dataclass(frozen=True)
class EntityOptions:
    """Users, items, or whatever else has an id and comes back in many rows.

    Attributes:
        key: the column of the id; a categorical feature, or a column that is no feature.
        count: how many there are.
        zipf: the k-th most frequent one has a share of the rows proportional to `k ** -zipf`.
        id_effect: the weight of its ids among those of all entities in the share of `EffectShares.ids`.
        id_affinity: the weight of the id's own taste, beside that of one attribute, in the affinity of two entities.
    """

    key: str
    count: int
    zipf: float = 1.0
    id_effect: float = 1.0
    id_affinity: float = 0.3

    def __post_init__(self):
        require(self.count >= 2, "count", "at least 2", self.count)
        for name in ("zipf", "id_effect", "id_affinity"):
            require(getattr(self, name) >= 0, name, "0 or more", getattr(self, name))


@dataclasses.dataclass(frozen=True)
class FeatureOptions:
    """How the values of a feature are drawn; of what kind it is, the spec says.

    Attributes:
        entity: whose attribute it is: drawn once for each of them; `context`: drawn anew for each row.
        missing: share of the entities, or of the rows, without a value.
        cardinality: how many values or tokens there are, written 0, 1, ...
        values: or their names, the most frequent one first.
        skew: the k-th value has a share proportional to `k ** -skew`.
        length: of a list: 1 to `length` tokens, each as often.
        median: of a number, which is log-normal.
        sigma: standard deviation of its logarithm.
        popularity: a number also grows with the frequency of its entity, to this power; 1 makes it a count of rows.
        decimals: how many a number has.
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

    def __post_init__(self):
        require(0 <= self.missing < 1, "missing", "from 0 to below 1", self.missing)
        require(self.cardinality is None or self.cardinality >= 2, "cardinality", "at least 2", self.cardinality)
        require(len(set(self.values)) == len(self.values) and all(self.values), "values", "distinct names", self.values)
        require(not (self.values and self.cardinality), "values", "left out where there is a cardinality", self.values)
        require(self.skew >= 0, "skew", "0 or more", self.skew)
        require(self.length is None or self.length >= 1, "length", "at least 1", self.length)
        require(self.median is None or self.median > 0, "median", "above 0", self.median)
        require(self.sigma >= 0, "sigma", "0 or more", self.sigma)
        require(self.popularity == 0 or self.entity != CONTEXT, "popularity", "0 without an entity", self.popularity)
        require(0 <= self.decimals <= 6, "decimals", "from 0 to 6", self.decimals)

    @property
    def size(self) -> int:
        """How many values there are."""
        return self.cardinality or len(self.values)

    @property
    def tokens(self) -> tuple[str, ...]:
        """How the values are written."""
        return self.values or tuple(map(str, range(self.size)))


@dataclasses.dataclass(frozen=True)
class TaskOptions:
    """How often an event happens, and how much that depends on the features.

    Attributes:
        rate: mean of the label; where the task follows another, among the rows in which that one is positive.
        strength: standard deviation over the rows of the logit (of a count: of the logarithm of its mean).
    """

    rate: float
    strength: float = 1.0

    def __post_init__(self):
        require(self.rate > 0, "rate", "above 0", self.rate)
        require(self.strength >= 0, "strength", "0 or more", self.strength)


@dataclasses.dataclass(frozen=True)
class EffectShares:
    """What share of the logit's variance each kind of effect has; they are divided by their sum.

    Attributes:
        attributes: each value of a categorical feature, and each token of a list, by itself.
        numbers: a curve over `log1p` of each number, with a slope and a bend.
        ids: each entity by itself, beyond its attributes.
        affinity: how well two entities suit each other: products of their attributes', numbers' and ids' tastes.
        scenario: what an attribute means in one scenario and not in another.
    """

    attributes: float = 0.35
    numbers: float = 0.2
    ids: float = 0.15
    affinity: float = 0.2
    scenario: float = 0.1

    def __post_init__(self):
        for field in dataclasses.fields(self):
            require(getattr(self, field.name) >= 0, field.name, "0 or more", getattr(self, field.name))
        require(sum(dataclasses.astuple(self)) > 0, "attributes", "above 0, or another share", self.attributes)


@dataclasses.dataclass(frozen=True)
class SimulatorOptions:
    """The world of the simulated log.

    Attributes:
        kind: of the simulator: a log of impressions.
        rows: how many impressions are written.
        entities: by a name of your choice.
        features: by column: each feature but the entities' keys, and other columns of the spec (group key, split key).
        tasks: by the name of the task.
        seed: another seed, another world.
        shares: of the effects.
        task_correlation: of the effects of one feature on two tasks.
        affinity_rank: how many tastes there are.
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

    def __post_init__(self):
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
        """The entity of each key column."""
        return {entity.key: name for name, entity in self.entities.items()}


def check_options(spec: DatasetSpec, options: SimulatorOptions) -> None:
    """Checks that the options fit the spec.

    Raises:
        FieldError: naming the option that does not, with its path below `SimulatorOptions`.
    """
    _check_names(spec, options)
    for name, feature in options.features.items():
        _check_feature(spec, name, feature)
    for task in spec.tasks:
        rate = options.tasks[task.name].rate
        require(task.kind == "count" or rate < 1, ("tasks", task.name, "rate"), "below 1", rate)
    if isinstance(spec.split, TimeSplit) and isinstance(spec.split.eval_from, str):
        for bound in (spec.split.eval_from, str(spec.split.test_from)):
            require(_is_date(bound), ("split", "eval_from"), "a date such as 2026-11-20, or a number", bound)


def _check_names(spec: DatasetSpec, options: SimulatorOptions) -> None:
    time = {spec.split.column} if isinstance(spec.split, TimeSplit) else set()
    weights = {feature.weights for feature in spec.features if isinstance(feature, MultiValuedFeature)}
    columns = [name for name in raw_columns(spec) if name not in {*time, *weights, *spec.labels}]
    for entity, settings in options.entities.items():
        require(settings.key in columns, ("entities", entity, "key"), f"one of {', '.join(columns)}", settings.key)
        kind = {feature.name: feature.kind for feature in spec.features}.get(settings.key, "categorical")
        require(kind == "categorical", ("entities", entity, "key"), "a categorical feature", settings.key)
    require(len(options.keys) == len(options.entities), "entities", "entities with a key of their own", options.keys)
    drawn = [name for name in columns if name not in options.keys]
    for name in drawn:
        require(name in options.features, ("features", name), "given", None)
    for name in options.features:
        require(name in drawn, ("features", name), f"one of {', '.join(drawn)}", name)
    names = [task.name for task in spec.tasks]
    for name in names:
        require(name in options.tasks, ("tasks", name), "given", None)
    for name in options.tasks:
        require(name in names, ("tasks", name), f"one of {', '.join(names)}", name)


def _check_feature(spec: DatasetSpec, name: str, options: FeatureOptions) -> None:
    feature = {feature.name: feature for feature in spec.features}.get(name, CategoricalFeature(name))
    path = ("features", name)
    panels = "left to the simulator of panels, as it is a sequence of numbers"
    require(not isinstance(feature, NumberSequenceFeature), path, panels, feature.kind)
    if isinstance(feature, NumericalFeature):
        require(options.median is not None, (*path, "median"), "given for a number", options.median)
        require(options.size == 0, (*path, "cardinality"), "left out for a number", options.size)
        return
    require(options.size >= 2, (*path, "cardinality"), "given, or `values`, at least 2", options.size)
    require(options.median is None, (*path, "median"), "left out, as this is no number", options.median)
    if isinstance(feature, MultiValuedFeature | SequenceFeature):
        longest = min(feature.max_length, options.size)
        fits = options.length is not None and options.length <= longest
        require(fits, (*path, "length"), f"given, at most {longest}", options.length)
    else:
        require(options.length is None, (*path, "length"), "left out, as this is no list", options.length)
    required = getattr(feature, "required", False)
    require(not (required and options.missing), (*path, "missing"), "0 for a required feature", options.missing)


def _is_date(text: str) -> bool:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True
