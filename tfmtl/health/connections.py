"""Measures of learned connections between the networks of tasks, as functions of NumPy arrays."""

import math
from typing import Any

import numpy as np

from tfmtl.health.measures import checked


def connection_shift(probabilities: Any) -> float:
    """Computes how far the connections of AutoHERI are from 1/2, where they start: `mean |2 p - 1|`.

    Args:
        probabilities: Probabilities of connections, of any shape.

    Returns:
        A value in [0, 1]; NaN if a probability is not finite.

    Raises:
        ValueError: If there are no connections.

    Example:
        >>> from tfmtl.health import connection_shift
        >>> connection_shift([[0.5, 0.75]])
        0.25
    """
    values = checked(probabilities)
    return float(np.abs(2 * values - 1).mean()) if np.isfinite(values).all() else math.nan


def largest_connection(probabilities: Any) -> float:
    """Returns the largest probability of a connection.

    Args:
        probabilities: Probabilities of connections, of any shape.

    Returns:
        A value in [0, 1]; NaN if a probability is not finite.

    Raises:
        ValueError: If there are no connections.

    Example:
        >>> from tfmtl.health import largest_connection
        >>> largest_connection([[0.5, 0.75]])
        0.75
    """
    values = checked(probabilities)
    return float(values.max()) if np.isfinite(values).all() else math.nan


def cross_share(stitch: Any) -> float:
    """Computes the share of the other tasks in what cross-stitch units pass on.

    `sum_{k != j} |a_kj| / sum_{k, j} |a_kj|`, over all channels. It is 0 if all weights are 0.

    Args:
        stitch: Weight of task j in the output of task k, `(tasks, tasks, channels)`.

    Returns:
        A value in [0, 1]; NaN if a weight is not finite.

    Raises:
        ValueError: If there are no weights.

    Example:
        >>> from tfmtl.health import cross_share
        >>> cross_share([[[0.75], [0.25]], [[0.25], [0.75]]])
        0.25
    """
    values = checked(stitch)
    if not np.isfinite(values).all():
        return math.nan
    sizes = np.abs(values).sum(axis=-1)
    total = float(sizes.sum())
    return float(1 - np.trace(sizes) / total) if total > 0.0 else 0.0
