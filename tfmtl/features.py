"""The kinds of features that a spec may have."""

import dataclasses
from typing import Any, Literal

from tfmtl.config import require

WEIGHTS_SUFFIX = "__weights"
"""The weights of the bag `f` are the transformed `f__weights`; a padded place has weight 0."""


@dataclasses.dataclass(frozen=True)
class CategoricalFeature:
    """One token a row, looked up in a vocabulary made from the training rows.

    Ids `0 .. num_oov - 1` are those of unseen and rare tokens, by hash; the vocabulary follows, most frequent first.

    Attributes:
        name: the column.
        min_frequency: a token seen in fewer training rows than this is rare.
        max_tokens: how many tokens are kept, the most frequent ones; all by default.
        num_oov: how many ids unseen and rare tokens share.
        default: the token that stands for a missing value; null gives a missing value the unseen tokens' id.
        required: a row without a value is an error, when it is read and when it is served.
    """

    name: str
    kind: Literal["categorical"] = "categorical"
    min_frequency: int = 1
    max_tokens: int | None = None
    num_oov: int = 1
    default: str | None = "<missing>"
    required: bool = False

    def __post_init__(self):
        _check_vocabulary(self)


@dataclasses.dataclass(frozen=True)
class NumericalFeature:
    """A number, discretized by log-round: `id = sign(x) * round(log1p(|x|) * scale)`, held in a bounded range.

    Id 0 is that of a missing value (NaN too); the buckets `min_bucket .. max_bucket` have ids from 1 on.

    Attributes:
        name: the column.
        scale: buckets per factor of e; larger is finer.
        min_bucket: values below it share it. 0 suits counts; a negative one keeps negative numbers apart.
        max_bucket: values above it share it.
        default: the number that stands for a missing value; by default missing is a bucket of its own.
        required: a row without a value is an error, when it is read and when it is served.
    """

    name: str
    kind: Literal["numerical"] = "numerical"
    scale: float = 4.0
    min_bucket: int = 0
    max_bucket: int = 64
    default: float | None = None
    required: bool = False

    def __post_init__(self):
        _check_buckets(self)


@dataclasses.dataclass(frozen=True)
class MultiValuedFeature:
    """A bag of tokens a row, with a weight each if `weights` names their column.

    Attributes:
        name: the column; in a CSV its tokens are joined by `separator`.
        weights: the column of the weights, one for each token; every token weighs 1 without it.
        max_length: how many tokens of a row are kept, the first ones.
        separator: what stands between two tokens, and between two weights, in a CSV.
        min_frequency, max_tokens, num_oov: as for `CategoricalFeature`.
    """

    name: str
    kind: Literal["multi_valued"] = "multi_valued"
    weights: str | None = None
    max_length: int = 16
    separator: str = "|"
    min_frequency: int = 1
    max_tokens: int | None = None
    num_oov: int = 1

    def __post_init__(self):
        _check_vocabulary(self)
        _check_bag(self)


@dataclasses.dataclass(frozen=True)
class SequenceFeature:
    """Tokens in the order of time, oldest first. The *last* `max_length` places are kept.

    The most recent place is always the last one: a short sequence is padded on the left. A place without a token keeps
    its position and is absent, as padding is.

    Attributes: as for `MultiValuedFeature`, without weights.
    """

    name: str
    kind: Literal["sequence"] = "sequence"
    max_length: int = 16
    separator: str = "|"
    min_frequency: int = 1
    max_tokens: int | None = None
    num_oov: int = 1

    def __post_init__(self):
        _check_vocabulary(self)
        _check_bag(self)


@dataclasses.dataclass(frozen=True)
class NumberSequenceFeature:
    """Numbers in the order of time, oldest first, such as counts of the last days. The *last* `max_length` are kept.

    As in a `SequenceFeature`, the most recent place is always the last one, and a place without a number (empty or nan)
    keeps its position and is absent: a day before an advertiser existed, or one that was not recorded. Each number is
    discretized as that of a `NumericalFeature`; id 0 is that of an absent place.

    Attributes:
        name: the column; in a CSV its numbers are joined by `separator`.
        max_length: how many places of a row are kept, the last ones.
        separator: what stands between two numbers in a CSV.
        scale, min_bucket, max_bucket: as for `NumericalFeature`.
    """

    name: str
    kind: Literal["number_sequence"] = "number_sequence"
    max_length: int = 16
    separator: str = "|"
    scale: float = 4.0
    min_bucket: int = 0
    max_bucket: int = 64

    def __post_init__(self):
        _check_buckets(self)
        _check_bag(self)


Feature = CategoricalFeature | NumericalFeature | MultiValuedFeature | SequenceFeature | NumberSequenceFeature
BAGS = (MultiValuedFeature, SequenceFeature, NumberSequenceFeature)
"""The features that hold several values a row: ids and weights of a fixed length once they are transformed."""
SEQUENCES = (SequenceFeature, NumberSequenceFeature)
"""The bags whose places have an order, the most recent one last."""
NUMBERS = (NumericalFeature, NumberSequenceFeature)
"""The features that are discretized; all others have a vocabulary."""


def _check_vocabulary(feature: Any) -> None:
    require(feature.min_frequency >= 1, "min_frequency", "at least 1", feature.min_frequency)
    require(feature.num_oov >= 1, "num_oov", "at least 1", feature.num_oov)
    require(feature.max_tokens is None or feature.max_tokens >= 1, "max_tokens", "at least 1", feature.max_tokens)


def _check_bag(feature: Any) -> None:
    require(feature.max_length >= 1, "max_length", "at least 1", feature.max_length)
    require(bool(feature.separator), "separator", "at least one character", feature.separator)


def _check_buckets(feature: Any) -> None:
    require(feature.scale > 0, "scale", "above 0", feature.scale)
    expected = f"above min_bucket, {feature.min_bucket}"
    require(feature.max_bucket > feature.min_bucket, "max_bucket", expected, feature.max_bucket)
