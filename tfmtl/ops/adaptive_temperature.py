"""The temperature of a contrast that follows from the relatedness of two tasks."""

from typing import Any


def adaptive_temperature(relatedness: Any, lower: float, upper: float) -> Any:
    """`t = (upper - lower) (1 - y_rel) + lower`: the more related the tasks, the stricter the contrast.

    Args:
        relatedness: y_rel in [0, 1], any shape.
        lower: the temperature where the tasks are wholly related.
        upper: the temperature where they are not at all.

    Returns:
        The temperatures, of the shape of `relatedness`.

    References:
        - AdaFTR, equation 12
    """
    return (upper - lower) * (1.0 - relatedness) + lower
