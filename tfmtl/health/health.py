"""Health: one measure of one mechanism of a trained model, and whether the mechanism is alive."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Self

from tfmtl.health.measure_kinds import MEASURES


@dataclasses.dataclass(frozen=True)
class Bound:
    """Range of a measure in which a mechanism is alive.

    Attributes:
        low: Lowest value at which the mechanism is alive; None for no such value.
        high: Value below which the mechanism is alive; None for no such value. With neither of them, the measure only
            describes the mechanism.

    Example:
        >>> from tfmtl.health import Bound
        >>> Bound(high=0.9).contains(0.85), str(Bound(high=0.9)), str(Bound(low=0.05))
        (True, 'below 0.9', 'at least 0.05')
    """

    low: float | None = None
    high: float | None = None

    def contains(self, value: float) -> bool:
        """Returns whether a value is in the range; NaN and infinity never are.

        Args:
            value: Value of the measure.
        """
        is_high_enough = self.low is None or value >= self.low
        return math.isfinite(value) and is_high_enough and (self.high is None or value < self.high)

    def __str__(self) -> str:
        low = "" if self.low is None else f"at least {self.low:g}"
        high = "" if self.high is None else f"below {self.high:g}"
        return " and ".join(filter(None, (low, high)))


@dataclasses.dataclass(frozen=True)
class Health:
    """One measure of one mechanism of a trained model.

    Attributes:
        kind: Kind of the mechanism, such as `gate`.
        mechanism: The mechanism in words, such as `gate of click`.
        measure: Name of the measure, such as `relative_entropy`.
        value: Value of the measure; NaN if the mechanism computes values that are not finite.
        bound: Range in which the mechanism is alive.

    Example:
        >>> from tfmtl.health import Bound, Health
        >>> health = Health("gate", "gate of click", "relative_entropy", 0.9984, Bound(high=0.99))
        >>> health.alive
        False
        >>> health.sentence
        'The gate of click is uniform: entropy 0.998 of the maximum (alive: below 0.99).'
    """

    kind: str
    mechanism: str
    measure: str
    value: float
    bound: Bound = Bound()

    @property
    def alive(self) -> bool:
        """True if the value is in the bound."""
        return self.bound.contains(self.value)

    @property
    def sentence(self) -> str:
        """The measure in words, with what is wrong if the mechanism is dead."""
        return describe(self.mechanism, self.measure, self.value, self.bound)

    def to_plain(self) -> dict[str, Any]:
        """Returns plain data for JSON, which `from_plain` reads; a value that is not finite is None."""
        return {
            "kind": self.kind,
            "mechanism": self.mechanism,
            "measure": self.measure,
            "value": self.value if math.isfinite(self.value) else None,
            "bound": dataclasses.asdict(self.bound),
            "alive": self.alive,
            "sentence": self.sentence,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Creates the object from the result of `to_plain`.

        Args:
            plain: Plain data.
        """
        value = math.nan if plain["value"] is None else plain["value"]
        return cls(plain["kind"], plain["mechanism"], plain["measure"], value, Bound(**plain["bound"]))


def describe(mechanism: str, measure: str, value: float, bound: Bound) -> str:
    """Returns a measure of a mechanism in words.

    Args:
        mechanism: The mechanism in words.
        measure: Name of the measure.
        value: Value of the measure.
        bound: Range in which the mechanism is alive.

    Returns:
        A sentence. A mechanism outside its bound is called by what is wrong with it.
    """
    kind = MEASURES[measure]
    predicate = kind.problem
    if bound.contains(value):
        predicate = "is alive" if str(bound) else "is described"
    elif not math.isfinite(value):
        predicate = "computes values that are not finite"
    alive = f" (alive: {bound})" if str(bound) else ""
    return f"The {mechanism} {predicate}: {kind.text(value)}{alive}."
