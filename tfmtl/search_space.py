"""Search spaces of hyper-parameters as plain data: lists of values and ranges of numbers, by name."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from tfmtl.config import require


@dataclasses.dataclass(frozen=True)
class Choice:
    """Hyper-parameter with a list of values. A search treats neighbours in the list as similar.

    Attributes:
        values: Values of any type, lists included; numbers and widths of layers in ascending order.
        kind: Kind of the hyper-parameter, `choice`.

    Example:
        >>> from tfmtl.search_space import Choice
        >>> Choice(((32,), (64, 32))).values
        ((32,), (64, 32))
    """

    values: tuple[Any, ...]
    kind: Literal["choice"] = "choice"

    def __post_init__(self) -> None:
        require(len(self.values) >= 2, "values", "at least two", list(self.values))


@dataclasses.dataclass(frozen=True)
class Range:
    """Hyper-parameter with a range of numbers.

    Attributes:
        low: Smallest value.
        high: Largest value.
        kind: Kind of the hyper-parameter, `range`.
        log: If true, the logarithm of the value is uniformly distributed instead of the value.
        whole: If true, the values are integers.
        digits: Number of significant digits to which values are rounded; null for no rounding.

    Example:
        >>> from tfmtl.search_space import Range
        >>> Range(1, 8, whole=True).bounds
        (1, 8)
    """

    low: float
    high: float
    kind: Literal["range"] = "range"
    log: bool = False
    whole: bool = False
    digits: int | None = None

    def __post_init__(self) -> None:
        require(self.low < self.high, "high", f"above low, {self.low:g}", self.high)
        require(self.low > 0 or not self.log, "low", "above 0 if `log` is true", self.low)
        for name in ("low", "high"):
            is_integer = float(getattr(self, name)).is_integer()
            require(is_integer or not self.whole, name, "an integer if `whole` is true", getattr(self, name))
        require(self.digits is None or self.digits >= 1, "digits", "at least 1, or null", self.digits)

    @property
    def bounds(self) -> tuple[Any, Any]:
        """Smallest and largest value, as integers if `whole` is true."""
        return (int(self.low), int(self.high)) if self.whole else (self.low, self.high)

    def rounded(self, value: float) -> Any:
        """Returns a number as a value of the range: rounded to `digits`, within the bounds, an integer if `whole`.

        Args:
            value: A number between the bounds.
        """
        low, high = self.bounds
        value = value if self.digits is None else float(f"{value:.{self.digits}g}")
        value = min(max(value, low), high)
        return int(value) if self.whole else float(value)


Dimension: TypeAlias = Choice | Range
"""A hyper-parameter; `kind` distinguishes them."""
Space: TypeAlias = Mapping[str, Dimension]
"""Hyper-parameters by name."""


def values_to_validate(dimension: Dimension) -> Sequence[Any]:
    """Returns the values that must be valid for all draws to be valid: all choices, or both bounds of a range.

    Args:
        dimension: A hyper-parameter.

    Example:
        >>> from tfmtl.search_space import Range, values_to_validate
        >>> values_to_validate(Range(0.0, 0.5))
        (0.0, 0.5)
    """
    return dimension.values if isinstance(dimension, Choice) else dimension.bounds


def holds(dimension: Dimension, value: Any) -> bool:
    """Returns whether a value belongs to a hyper-parameter. Lists and tuples of equal elements are equal.

    Args:
        dimension: A hyper-parameter.
        value: The value.

    Example:
        >>> from tfmtl.search_space import Choice, holds
        >>> holds(Choice(((32,), (64, 32))), [64, 32])
        True
    """
    if isinstance(dimension, Choice):
        plain = list(value) if isinstance(value, tuple) else value
        return any(plain == (list(one) if isinstance(one, tuple) else one) for one in dimension.values)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and dimension.low <= value <= dimension.high
