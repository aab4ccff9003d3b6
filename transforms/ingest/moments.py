"""Means and standard deviations of the positions of vectors, from sums that are added like counts of tokens."""

import math
from collections.abc import Sequence

import numpy as np
import pyarrow as pa


def sums_token(numbers: pa.Array, length: int) -> pa.Array:
    """Returns the number, the sum and the sum of squares of each position of vectors, as one text.

    Args:
        numbers: Numbers of all vectors, one after another, float32; NaN is left out.
        length: Length of a vector.

    Returns:
        One text, binary: the `(3, length)` float64 sums in hexadecimal digits.
    """
    vectors = np.asarray(numbers, np.float64).reshape(-1, length)
    present = ~np.isnan(vectors)
    values = np.where(present, vectors, 0)
    sums = np.stack([present.sum(axis=0), values.sum(axis=0), (values**2).sum(axis=0)])
    return pa.array([sums.astype("<f8").tobytes().hex().encode()], pa.binary())


def moments(tokens: Sequence[bytes], counts: np.ndarray, length: int) -> np.ndarray:
    """Returns the mean and the standard deviation of each position.

    Args:
        tokens: Sums of the parts of a log, as `sums_token` returns them.
        counts: Number of times that each occurs.
        length: Length of a vector.

    Returns:
        `(length, 2)` float32. The deviation of a position whose numbers are all equal is 1, as is that of a position
        without numbers, whose mean is 0.

    Example:
        >>> import pyarrow as pa
        >>> numbers = pa.array([1.0, 5.0, 3.0, 5.0], pa.float32())
        >>> moments(sums_token(numbers, 2).to_pylist(), np.array([1]), length=2).tolist()
        [[2.0, 1.0], [5.0, 1.0]]
    """
    parts = [np.frombuffer(bytes.fromhex(token.decode()), "<f8").reshape(3, length) for token in tokens]
    weighted = [count * part for count, part in zip(counts.tolist(), parts, strict=True)]
    # The exactly rounded sum does not depend on the order of the parts.
    totals = [[math.fsum(part[i, j] for part in weighted) for j in range(length)] for i in range(3)]
    number, total, squares = np.array(totals)
    mean = np.divide(total, number, out=np.zeros(length), where=number > 0)
    square = np.divide(squares, number, out=np.zeros(length), where=number > 0)
    variance = square - mean**2
    is_constant = variance <= 1e-12 * square  # Rounding leaves a variance of about 1e-16 times the square.
    deviation = np.where(is_constant, 1.0, np.sqrt(np.maximum(variance, 0)))
    return np.asarray(np.stack([mean, deviation], axis=1), np.float32)


def is_token(token: bytes, length: int) -> bool:
    """Returns whether a token is one of `sums_token`, and not that of a feature of another kind or length."""
    return len(token) == 3 * 8 * 2 * length and set(token) <= set(b"0123456789abcdef")
