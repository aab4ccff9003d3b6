"""Measures by name: how their values are written, and what is wrong with a mechanism outside its bound."""

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class MeasureKind:
    """Description of a measure.

    Attributes:
        title: Name of the measure in tables.
        template: Text with the value in place of `{}`.
        problem: Predicate of the sentence about a mechanism outside its bound.
        digits: Number of digits after the point.

    Example:
        >>> from tfmtl.health import MEASURES
        >>> MEASURES["effective_rank"].text(23.04)
        'effective rank 23.0'
    """

    title: str
    template: str
    problem: str
    digits: int = 3

    def text(self, value: float) -> str:
        """Returns the value in words, such as `entropy 0.812 of the maximum`.

        Args:
            value: Value of the measure.
        """
        return self.template.format(self.number(value))

    def number(self, value: float) -> str:
        """Returns the value with the digits of the measure.

        Args:
            value: Value of the measure.
        """
        return f"{value:.{self.digits}f}"


MEASURES: Mapping[str, MeasureKind] = {
    "relative_entropy": MeasureKind("entropy", "entropy {} of the maximum", "is uniform"),
    "weight_variation": MeasureKind(
        "variation", "variation between rows {} of the uniform weight", "is the same on all rows"
    ),
    "row_variation": MeasureKind("variation", "standard deviation over rows {}", "is the same on all rows"),
    "expert_use": MeasureKind(
        "least use", "least used expert {} of an equal share", "leaves an expert out"
    ),
    "saturation": MeasureKind("saturation", "{} of the values below .05 or above .95", "is saturated"),
    "effective_rank": MeasureKind("effective rank", "effective rank {}", "has collapsed to few directions", 1),
    "temperature_spread": MeasureKind(
        "spread", "5th to 95th percentile {} of the allowed range", "is the same on all rows"
    ),
    "gradient_ratio": MeasureKind(
        "gradient ratio", "gradient {} of that of the tasks", "hardly moves the weights that it trains with the tasks"
    ),
    "relative_variation": MeasureKind(
        "variation", "variation between rows {} of their size", "generates the same weights for all rows"
    ),
    "connection_shift": MeasureKind(
        "shift", "connections at {} of the way from 1/2 to 0 or 1", "is where it started"
    ),
    "largest_connection": MeasureKind("largest", "largest connection {}", "reads nothing of the previous task"),
    "cross_share": MeasureKind("cross share", "share of the other tasks {}", "transfers nothing"),
}  # fmt: skip
"""Description of each measure by its name."""
