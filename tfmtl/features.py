"""Kinds of features that a `tfmtl.spec.DatasetSpec` describes."""

import dataclasses
import math
from typing import Any, Literal, TypeAlias

from tfmtl.config import require

WEIGHTS_SUFFIX = "__weights"
"""Suffix of the weights of a transformed multivalent feature: `tags__weights` for `tags`. Padding has weight 0."""


@dataclasses.dataclass(frozen=True)
class TrainingOnly:
    """Use of a feature in training only, such as the position at which an item is shown.

    A model learns the effect of the feature from the training rows; epochs are compared, and probabilities calibrated,
    on rows of the eval split with their own values, from which their labels came about. In the exported model, and
    where it is evaluated on the test split, the feature is not an input, and every row has the same value of it: scores
    are those of all items at position 1, for example.

    Attributes:
        value: Value of the feature in the exported model.
    """

    value: str | int | float


@dataclasses.dataclass(frozen=True)
class CategoricalFeature:
    """One token per row, looked up in a vocabulary that is built from the training rows.

    The ids `0 .. num_oov - 1` are shared by unseen and rare tokens, which are assigned by a hash. The tokens of the
    vocabulary have the ids from `num_oov`, in descending order of their frequency.

    Attributes:
        name: Name of the column.
        kind: Always `categorical`.
        min_frequency: Minimum number of training rows that contain a token of the vocabulary.
        max_tokens: Maximum number of tokens in the vocabulary, which keeps the most frequent ones; null for no limit.
        num_oov: Number of ids that unseen and rare tokens share.
        default: Token that replaces a missing value; with null, a missing value has an id of the unseen tokens.
        required: Whether a missing value is an error, both when a log is ingested and when the model is served.
        training_only: Value that takes the place of the feature in evaluation and in the exported model, which do not
            read it; null if the feature is known where the model is served.

    Example:
        >>> from tfmtl.config import to_plain
        >>> from tfmtl.features import CategoricalFeature
        >>> to_plain(CategoricalFeature("user", min_frequency=2))
        {'name': 'user', 'kind': 'categorical', 'min_frequency': 2}
    """

    name: str
    kind: Literal["categorical"] = "categorical"
    min_frequency: int = 1
    max_tokens: int | None = None
    num_oov: int = 1
    default: str | None = "<missing>"
    required: bool = False
    training_only: TrainingOnly | None = None

    def __post_init__(self) -> None:
        _check_vocabulary(self)


@dataclasses.dataclass(frozen=True)
class NumericalFeature:
    """One number per row, discretized on a logarithmic scale.

    A number x falls into the bucket `sign(x) * round(log1p(|x|) * scale)`, clipped to `min_bucket .. max_bucket`. Id 0
    stands for a missing value or NaN; the buckets have the ids from 1, in ascending order.

    Attributes:
        name: Name of the column.
        kind: Always `numerical`.
        scale: Number of buckets by which a number grows by a factor of e; a larger scale gives finer buckets.
        min_bucket: Lowest bucket. 0 suits counts; a negative bucket distinguishes negative numbers.
        max_bucket: Highest bucket.
        default: Number that replaces a missing value; with null, a missing value has the id 0.
        required: Whether a missing value is an error, both when a log is ingested and when the model is served.
        training_only: Value that takes the place of the feature in evaluation and in the exported model, which do not
            read it; null if the feature is known where the model is served.

    Example:
        >>> from tfmtl.config import to_plain
        >>> from tfmtl.features import NumericalFeature
        >>> to_plain(NumericalFeature("price", max_bucket=32))
        {'name': 'price', 'kind': 'numerical', 'max_bucket': 32}
    """

    name: str
    kind: Literal["numerical"] = "numerical"
    scale: float = 4.0
    min_bucket: int = 0
    max_bucket: int = 64
    default: float | None = None
    required: bool = False
    training_only: TrainingOnly | None = None

    def __post_init__(self) -> None:
        _check_buckets(self)
        if self.training_only is not None:
            value = self.training_only.value
            is_number = isinstance(value, int | float) and math.isfinite(value)
            require(is_number, ("training_only", "value"), "a number", value)


@dataclasses.dataclass(frozen=True)
class MultiValuedFeature:
    """An unordered list of tokens per row, optionally with a weight for each token.

    Tokens have ids as in a `CategoricalFeature`.

    Attributes:
        name: Name of the column.
        kind: Always `multi_valued`.
        weights: Name of the column with the weights, one for each token; with null, all tokens have weight 1.
        max_length: Maximum number of tokens per row; the first ones are kept.
        separator: Separator of the tokens, and of the weights, in a CSV file.
        min_frequency: Minimum number of training rows that contain a token of the vocabulary.
        max_tokens: Maximum number of tokens in the vocabulary, which keeps the most frequent ones; null for no limit.
        num_oov: Number of ids that unseen and rare tokens share.

    Example:
        >>> from tfmtl.config import to_plain
        >>> from tfmtl.features import MultiValuedFeature
        >>> to_plain(MultiValuedFeature("tags", weights="tag_weights", max_length=8))
        {'name': 'tags', 'kind': 'multi_valued', 'weights': 'tag_weights', 'max_length': 8}
    """

    name: str
    kind: Literal["multi_valued"] = "multi_valued"
    weights: str | None = None
    max_length: int = 16
    separator: str = "|"
    min_frequency: int = 1
    max_tokens: int | None = None
    num_oov: int = 1

    def __post_init__(self) -> None:
        _check_vocabulary(self)
        _check_length(self)


@dataclasses.dataclass(frozen=True)
class SequenceFeature:
    """A list of tokens per row in order of time, the oldest first.

    The most recent token is always at the last position: a shorter sequence is padded on the left, and of a longer one
    the last `max_length` positions are kept. A position without a token stays in the sequence and is treated as
    padding. Tokens have ids as in a `CategoricalFeature`.

    Attributes:
        name: Name of the column.
        kind: Always `sequence`.
        max_length: Number of positions; the most recent ones are kept.
        separator: Separator of the tokens in a CSV file.
        min_frequency: Minimum number of training rows that contain a token of the vocabulary.
        max_tokens: Maximum number of tokens in the vocabulary, which keeps the most frequent ones; null for no limit.
        num_oov: Number of ids that unseen and rare tokens share.

    Example:
        >>> from tfmtl.config import to_plain
        >>> from tfmtl.features import SequenceFeature
        >>> to_plain(SequenceFeature("history", max_length=50))
        {'name': 'history', 'kind': 'sequence', 'max_length': 50}
    """

    name: str
    kind: Literal["sequence"] = "sequence"
    max_length: int = 16
    separator: str = "|"
    min_frequency: int = 1
    max_tokens: int | None = None
    num_oov: int = 1

    def __post_init__(self) -> None:
        _check_vocabulary(self)
        _check_length(self)


@dataclasses.dataclass(frozen=True)
class NumberSequenceFeature:
    """A list of numbers per row in order of time, the oldest first, such as daily counts.

    Positions are kept and padded as in a `SequenceFeature`. A position without a number (empty or NaN), such as a day
    that was not recorded, is treated as padding. Each number is discretized as in a `NumericalFeature`; id 0 stands for
    padding.

    Attributes:
        name: Name of the column.
        kind: Always `number_sequence`.
        max_length: Number of positions; the most recent ones are kept.
        separator: Separator of the numbers in a CSV file.
        scale: Number of buckets by which a number grows by a factor of e; a larger scale gives finer buckets.
        min_bucket: Lowest bucket. 0 suits counts; a negative bucket distinguishes negative numbers.
        max_bucket: Highest bucket.

    Example:
        >>> from tfmtl.config import to_plain
        >>> from tfmtl.features import NumberSequenceFeature
        >>> to_plain(NumberSequenceFeature("daily_clicks", max_length=28))
        {'name': 'daily_clicks', 'kind': 'number_sequence', 'max_length': 28}
    """

    name: str
    kind: Literal["number_sequence"] = "number_sequence"
    max_length: int = 16
    separator: str = "|"
    scale: float = 4.0
    min_bucket: int = 0
    max_bucket: int = 64

    def __post_init__(self) -> None:
        _check_buckets(self)
        _check_length(self)


Feature: TypeAlias = (
    CategoricalFeature | NumericalFeature | MultiValuedFeature | SequenceFeature | NumberSequenceFeature
)
"""Any kind of feature; `kind` distinguishes them."""

MULTIVALENT = (MultiValuedFeature, SequenceFeature, NumberSequenceFeature)
"""Kinds of multivalent features: several ids per row, with a weight each, padded to a fixed length."""

SEQUENCES = (SequenceFeature, NumberSequenceFeature)
"""Kinds of multivalent features whose positions are in order of time."""

NUMBERS = (NumericalFeature, NumberSequenceFeature)
"""Kinds of features whose ids are buckets of numbers; all others have a vocabulary."""


def _check_vocabulary(feature: Any) -> None:
    require(feature.min_frequency >= 1, "min_frequency", "at least 1", feature.min_frequency)
    require(feature.num_oov >= 1, "num_oov", "at least 1", feature.num_oov)
    require(feature.max_tokens is None or feature.max_tokens >= 1, "max_tokens", "at least 1", feature.max_tokens)


def _check_length(feature: Any) -> None:
    require(feature.max_length >= 1, "max_length", "at least 1", feature.max_length)
    require(bool(feature.separator), "separator", "at least one character", feature.separator)


def _check_buckets(feature: Any) -> None:
    require(feature.scale > 0, "scale", "above 0", feature.scale)
    expected = f"above min_bucket, {feature.min_bucket}"
    require(feature.max_bucket > feature.min_bucket, "max_bucket", expected, feature.max_bucket)
