"""Features of numbers, whose ids are buckets."""

import dataclasses
import math
from typing import Any, Literal

from tfmtl.config import require
from tfmtl.features.lists import check_length
from tfmtl.features.training_only import TrainingOnly


@dataclasses.dataclass(frozen=True)
class NumericalFeature:
    """One number per row, discretized on a logarithmic scale.

    A number x falls into the bucket `sign(x) * round(log1p(|x|) * scale)`, clipped to `min_bucket .. max_bucket`. With
    `quantiles`, the buckets are bounded by quantiles of the training rows instead: a number that equals a bound is in
    the upper bucket. Quantiles are computed of numbers rounded to 12 significant bits, a relative error of 1 / 4096 at
    most. Id 0 stands for a missing value or NaN; the buckets have the ids from 1, in ascending order.

    Attributes:
        name: Name of the column.
        kind: Always `numerical`.
        scale: Number of buckets by which a number grows by a factor of e; a larger scale gives finer buckets.
        min_bucket: Lowest bucket. 0 suits counts; a negative bucket distinguishes negative numbers.
        max_bucket: Highest bucket.
        quantiles: Number of buckets with about equally many training rows, in place of the logarithmic ones; null for
            logarithmic buckets.
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
    quantiles: int | None = None

    def __post_init__(self) -> None:
        check_buckets(self)
        if self.training_only is not None:
            value = self.training_only.value
            is_number = isinstance(value, int | float) and math.isfinite(value)
            require(is_number, ("training_only", "value"), "a number", value)

    @property
    def buckets(self) -> int:
        """Number of buckets, without the id of a missing value."""
        return self.quantiles or self.max_bucket - self.min_bucket + 1


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
        quantiles: Number of buckets with about equally many training rows, in place of the logarithmic ones; null for
            logarithmic buckets.

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
    quantiles: int | None = None

    def __post_init__(self) -> None:
        check_buckets(self)
        check_length(self)

    @property
    def buckets(self) -> int:
        """Number of buckets, without the id of a missing value."""
        return self.quantiles or self.max_bucket - self.min_bucket + 1


def check_buckets(feature: Any) -> None:
    """Checks the options of the buckets of numbers.

    Args:
        feature: Feature of numbers.

    Raises:
        FieldError: If an option is wrong; the error names it.
    """
    require(feature.scale > 0, "scale", "above 0", feature.scale)
    expected = f"above min_bucket, {feature.min_bucket}"
    require(feature.max_bucket > feature.min_bucket, "max_bucket", expected, feature.max_bucket)
    if feature.quantiles is not None:
        require(feature.quantiles > 1, "quantiles", "at least 2", feature.quantiles)
        for field in dataclasses.fields(feature):
            value = getattr(feature, field.name)
            is_given = field.name in ("scale", "min_bucket", "max_bucket") and value != field.default
            require(not is_given, field.name, "omitted beside `quantiles`", value)
