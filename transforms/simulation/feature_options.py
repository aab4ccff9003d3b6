"""Options of entities and of the features that are drawn for entities or rows."""

import dataclasses

from tfmtl.config import Path, require
from tfmtl.features import Feature, MultiValuedFeature, NumericalFeature, SequenceFeature

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
