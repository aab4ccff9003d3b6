"""Lines about the health of a model, for people."""

import math
from collections.abc import Sequence

from tfmtl.health.health import Health
from tfmtl.health.measure_kinds import MEASURES


def health_lines(healths: Sequence[Health]) -> list[str]:
    """Returns one line for each mechanism with all of its measures, and then a sentence for each dead one.

    Args:
        healths: Result of `model_health`.

    Returns:
        The lines; none for a model without a mechanism.

    Example:
        >>> from tfmtl.health import Bound, Health, health_lines
        >>> uniform = Health("gate", "gate of buy", "relative_entropy", 0.9984, Bound(high=0.99))
        >>> use = Health("gate", "gate of buy", "expert_use", 0.953, Bound(low=0.05))
        >>> for line in health_lines([uniform, use]):
        ...     print(line)
        gate of buy: entropy 0.998 of the maximum, least used expert 0.953 of an equal share
        DEAD: The gate of buy is uniform: entropy 0.998 of the maximum (alive: below 0.99).
    """
    by_mechanism: dict[str, list[str]] = {}
    for health in healths:
        by_mechanism.setdefault(health.mechanism, []).append(MEASURES[health.measure].text(health.value))
    return [*(f"{name}: {', '.join(texts)}" for name, texts in by_mechanism.items()), *dead_sentences(healths)]


def dead_sentences(healths: Sequence[Health]) -> list[str]:
    """Returns a sentence for each dead mechanism of a model.

    Args:
        healths: Result of `model_health`.

    Example:
        >>> from tfmtl.health import Bound, Health, dead_sentences
        >>> dead_sentences([Health("gate", "gate of buy", "expert_use", 0.9, Bound(low=0.05))])
        []
    """
    return [f"DEAD: {health.sentence}" for health in healths if not health.alive]


def worst(values: Sequence[float], low: float | None) -> float:
    """Returns the value that is the furthest from alive: the lowest one of a measure with a lower bound.

    Args:
        values: Values of one measure.
        low: Lowest value at which a mechanism is alive; None if the bound is an upper one.

    Example:
        >>> from tfmtl.health.summary import worst
        >>> worst([0.2, 0.4], low=0.1), worst([0.2, 0.4], low=None)
        (0.2, 0.4)
    """
    if any(math.isnan(value) for value in values):
        return math.nan
    return max(values) if low is None else min(values)
