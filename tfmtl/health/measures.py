"""Measures of weights, selections and temperatures, as functions of NumPy arrays.

Every function is finite for every finite input: one row, one key, equal rows and zeros included. A value that is NaN or
infinite makes the result NaN, so that it is reported and not hidden.
"""

import math
from typing import Any

import numpy as np


def relative_entropy(weights: Any) -> float:
    """Computes the entropy of attention weights as a share of its maximum: 0 for one key alone, 1 for uniform weights.

    `mean_r(-sum_k w_rk log w_rk) / log n` over all rows r of n keys, each normalized to the sum 1. A row of zeros
    prefers no key and counts as uniform, and so does one key alone.

    Args:
        weights: Weights that are not negative, `(..., n)`. Every axis but the last counts rows.

    Returns:
        A value in [0, 1]; NaN if a weight is not finite.

    Raises:
        ValueError: If there are no weights.

    Example:
        >>> from tfmtl.health import relative_entropy
        >>> relative_entropy([[0.25, 0.25, 0.25, 0.25]]), relative_entropy([[1.0, 0.0], [0.0, 1.0]])
        (1.0, 0.0)
    """
    rows = checked(weights)
    if not np.isfinite(rows).all():
        return math.nan
    keys = rows.shape[-1]
    if keys == 1:
        return 1.0
    totals = rows.sum(axis=-1, keepdims=True)
    shares = np.divide(rows, totals, out=np.full_like(rows, 1.0 / keys), where=totals > 0)
    logarithms = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    entropy = -(shares * logarithms).sum(axis=-1).mean() / math.log(keys)
    return float(np.clip(entropy, 0.0, 1.0))


def saturation(selection: Any) -> float:
    """Computes the share of the values of a selector that are nearly 0 or 1: below .05 or above .95.

    Args:
        selection: Values in [0, 1], of any shape.

    Returns:
        A value in [0, 1]; NaN if a value is not finite.

    Raises:
        ValueError: If there are no values.

    Example:
        >>> from tfmtl.health import saturation
        >>> saturation([[0.0, 0.5], [0.97, 1.0]])
        0.75
    """
    values = checked(selection)
    if not np.isfinite(values).all():
        return math.nan
    return float(np.mean((values < 0.05) | (values > 0.95)))


def row_variation(values: Any) -> float:
    """Computes how much values differ between rows: their standard deviation over the rows.

    `mean_j sqrt(mean_r (v_rj - mean_r v_rj)^2)`, the mean over all columns j. It is 0 for one row alone.

    Args:
        values: `(rows, ...)`. The axes after the first are columns.

    Returns:
        A value of at least 0; NaN if a value is not finite.

    Raises:
        ValueError: If there are no values.

    Example:
        >>> from tfmtl.health import row_variation
        >>> row_variation([[0.0, 3.0], [1.0, 3.0]])
        0.25
    """
    rows = checked(values)
    if not np.isfinite(rows).all():
        return math.nan
    return float(rows.std(axis=0).mean())


def weight_variation(weights: Any) -> float:
    """Computes how much weights over n keys differ between rows: `row_variation`, as a share of the uniform weight 1/n.

    Args:
        weights: `(rows, ..., n)`.

    Returns:
        A value of at least 0; NaN if a weight is not finite.

    Raises:
        ValueError: If there are no weights.

    Example:
        >>> from tfmtl.health import weight_variation
        >>> round(weight_variation([[0.4, 0.6], [0.6, 0.4]]), 6)
        0.2
    """
    rows = checked(weights)
    return rows.shape[-1] * row_variation(rows)


def expert_use(weights: Any) -> float:
    """Computes the use of the least used expert: its mean share of the weights, times the number of experts n.

    `n min_e mean_r w_re` over the rows r, each normalized to the sum 1: 1 if all experts are used alike, 0 if one is
    not used on any row. Rows of zeros are left out; the result is 0 if there are no others.

    Args:
        weights: Weights that are not negative, `(..., n)`.

    Returns:
        A value in [0, 1]; NaN if a weight is not finite.

    Raises:
        ValueError: If there are no weights.

    Example:
        >>> from tfmtl.health import expert_use
        >>> expert_use([[0.75, 0.25], [0.5, 0.5]])
        0.75
    """
    rows = checked(weights)
    if not np.isfinite(rows).all():
        return math.nan
    rows = rows.reshape(-1, rows.shape[-1])
    totals = rows.sum(axis=-1, keepdims=True)
    used = totals[:, 0] > 0
    if not used.any():
        return 0.0
    shares = (rows[used] / totals[used]).mean(axis=0)
    return float(np.clip(len(shares) * shares.min(), 0.0, 1.0))


def temperature_spread(temperatures: Any, low: float, high: float) -> float:
    """Computes the range of temperatures in use: 95th minus 5th percentile, as a share of the allowed range.

    `(q_95 - q_5) / (high - low)`, with linear interpolation. It is 0 if the allowed range is empty.

    Args:
        temperatures: Temperatures in [low, high], of any shape.
        low: Lowest allowed temperature.
        high: Highest allowed temperature.

    Returns:
        A value in [0, 1]; NaN if a temperature is not finite.

    Raises:
        ValueError: If there are no temperatures.

    Example:
        >>> from tfmtl.health import temperature_spread
        >>> round(temperature_spread([0.1, 0.2, 0.3, 0.4, 0.5], low=0.0, high=1.0), 6)
        0.36
    """
    values = checked(temperatures)
    if not np.isfinite(values).all():
        return math.nan
    if high == low:
        return 0.0
    lower, upper = np.percentile(values, [5, 95])
    return float((upper - lower) / (high - low))


def checked(values: Any) -> np.ndarray:
    """Returns values as float64 of at least one axis.

    Args:
        values: Values of any shape.

    Raises:
        ValueError: If there are none.
    """
    array = np.atleast_1d(np.asarray(values, np.float64))
    if not array.size:
        raise ValueError(f"the values should be at least one. Received: an array of shape {array.shape}")
    return array
