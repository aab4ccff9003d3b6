"""Measures of representations and generated weights, as functions of NumPy arrays."""

import math
from typing import Any

import numpy as np

from tfmtl.health.measures import checked

_ROUNDING = 1e-12
"""Variance, as a share of the mean square, that counts as the rounding error of float32."""


def effective_rank(rows: Any) -> float:
    """Computes the number of directions in which representations differ: the effective rank of their covariance.

    `exp(-sum_i p_i log p_i)` with `p_i = l_i / sum_j l_j`, where l are the eigenvalues of the covariance of the rows.
    It is r if the rows have the same variance in r directions and none in the others. If all rows are equal, up to the
    rounding error of float32, it is 0.

    Roy & Vetterli define it for the singular values of a matrix. The eigenvalues are the squares of the singular
    values of the centred rows, so that the share of a direction is its share of the variance.

    Args:
        rows: Representations, `(rows, ...)`. The axes after the first are flattened.

    Returns:
        A value in [1, number of columns], or 0; NaN if a value is not finite.

    Raises:
        ValueError: If there are no rows.

    Example:
        >>> import numpy as np
        >>> from tfmtl.health import effective_rank
        >>> round(effective_rank(np.concatenate([np.eye(3), -np.eye(3)])), 6)
        3.0

    References:
        - [Roy & Vetterli, 2007, The effective rank: A measure of effective dimensionality]
          (https://ieeexplore.ieee.org/document/7098875), definition 1
    """
    matrix = checked(rows)
    matrix = matrix.reshape(len(matrix), -1)
    if not np.isfinite(matrix).all():
        return math.nan
    largest = np.abs(matrix).max()
    if largest == 0.0:
        return 0.0
    matrix = matrix / largest  # The result does not depend on the scale, which could overflow when squared.
    centred = matrix - matrix.mean(axis=0)
    if np.square(centred).mean() <= _ROUNDING * np.square(matrix).mean():
        return 0.0
    narrow = centred if centred.shape[1] <= len(centred) else centred.T
    eigenvalues = np.maximum(np.linalg.eigvalsh(narrow.T @ narrow), 0.0)
    shares = eigenvalues / eigenvalues.sum()
    shares = shares[shares > 0]
    return float(np.exp(-(shares * np.log(shares)).sum()))


def relative_variation(values: Any) -> float:
    """Computes how much generated values differ between rows, as a share of their size.

    `sqrt(sum_rj (v_rj - mean_r v_rj)^2 / sum_rj v_rj^2)`: 0 if all rows are equal, 1 if their mean is 0. It is 0 if all
    values are 0.

    Args:
        values: `(rows, ...)`.

    Returns:
        A value in [0, 1]; NaN if a value is not finite.

    Raises:
        ValueError: If there are no values.

    Example:
        >>> from tfmtl.health import relative_variation
        >>> relative_variation([[3.0], [-3.0]]), relative_variation([[2.0], [2.0]])
        (1.0, 0.0)
    """
    rows = checked(values)
    if not np.isfinite(rows).all():
        return math.nan
    largest = np.abs(rows).max()
    if largest == 0.0:
        return 0.0
    rows = rows / largest
    share = np.square(rows - rows.mean(axis=0)).mean() / np.square(rows).mean()
    return float(np.sqrt(share)) if share > _ROUNDING else 0.0
