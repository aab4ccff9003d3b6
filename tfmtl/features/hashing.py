"""Hashed ids: tokens without a vocabulary, and combinations of features."""

import dataclasses

from tfmtl.config import require


@dataclasses.dataclass(frozen=True)
class Hashing:
    """Ids of tokens by their hash, `fingerprint64(seed + ":" + token) mod 2^62 mod buckets`, without a vocabulary.

    Tokens that are not in the training rows have their own hash too. Tokens with the same id share an embedding: of n
    tokens in m buckets, a share of about `1 - exp(-(n - 1) / m)` shares it with another one. A log is ingested without
    counting its tokens, and the number of ids does not grow with the log.

    Attributes:
        buckets: Number of ids.
        seed: Number on which the hash depends: features with the same seed and number of buckets have equal ids for
            equal tokens.

    Example:
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.features import Hashing
        >>> CategoricalFeature("device_id", hashed=Hashing(buckets=1_000_000)).hashed.seed
        0

    References:
        - [Weinberger et al., 2009, Feature Hashing for Large Scale Multitask Learning](https://arxiv.org/abs/0902.2206)
    """

    buckets: int
    seed: int = 0

    def __post_init__(self) -> None:
        require(1 < self.buckets < 2**31, "buckets", "above 1 and below 2^31", self.buckets)


@dataclasses.dataclass(frozen=True)
class Cross:
    """Combination of two or more features, whose values together are one hashed token.

    The token of a row consists of the row's values: the tokens of categorical features, after their defaults, and the
    buckets of numerical ones. A model has an embedding for each id, so that it can learn an effect of the combination
    which is not the sum of the effects of the features. A cross is no column of the log and no input of a served model:
    it is computed from the features.

    Attributes:
        name: Name of the cross among the inputs of a model.
        features: Names of categorical and numerical features, two at least.
        buckets: Number of ids, see `Hashing`.
        seed: Number on which the hash depends.

    Example:
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.features import Cross
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> features = (CategoricalFeature("user_city"), CategoricalFeature("item_city"))
        >>> cross = Cross("cities", features=("user_city", "item_city"), buckets=10_000)
        >>> DatasetSpec("shop", features, (Task("click", "clicked"),), crosses=(cross,)).crosses[0].name
        'cities'

    References:
        - [Cheng et al., 2016, Wide & Deep Learning for Recommender Systems](https://arxiv.org/abs/1606.07792), section
          3.1: cross-product transformations
    """

    name: str
    features: tuple[str, ...]
    buckets: int
    seed: int = 0

    def __post_init__(self) -> None:
        require(len(set(self.features)) > 1, "features", "two features at least", self.features)
        require(len(set(self.features)) == len(self.features), "features", "distinct features", self.features)
        require(1 < self.buckets < 2**31, "buckets", "above 1 and below 2^31", self.buckets)

    @property
    def hashed(self) -> Hashing:
        """Hash of the tokens."""
        return Hashing(self.buckets, self.seed)
