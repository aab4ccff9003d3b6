"""Quantiles of numbers from counts of rounded numbers, which are added like counts of tokens."""

import numpy as np
import pyarrow as pa

_BITS, _MANTISSA_BITS = 12, 23


def rounded_tokens(numbers: pa.Array) -> pa.Array:
    """Rounds numbers to 12 significant bits, and returns them as text.

    The relative error is 2^-12 at most; integers up to 4,096 are exact. The number of different results does not grow
    with that of the numbers.

    Args:
        numbers: Numbers, float32; nulls and NaN are left out.

    Returns:
        Texts that `np.float32` reads, binary.
    """
    values = np.asarray(numbers.drop_null(), np.float32)
    found, inverse = np.unique(rounded(values[~np.isnan(values)], _BITS), return_inverse=True)
    return pa.array([str(number).encode() for number in found], pa.binary()).take(pa.array(inverse))


def rounded(numbers: np.ndarray, bits: int) -> np.ndarray:
    """Rounds numbers to a number of significant bits; the relative error is 2^-bits at most.

    Args:
        numbers: Numbers, float32, none of which is NaN; -0.0 becomes 0.0.
        bits: Number of bits, from 2 to 23.
    """
    dropped = np.uint32(_MANTISSA_BITS + 1 - bits)
    half = np.uint32(1 << int(dropped - 1))
    words = np.asarray(numbers + np.float32(0), np.float32).view(np.uint32)
    sign, size = words & np.uint32(1 << 31), words & np.uint32((1 << 31) - 1)
    largest = np.float32(np.finfo(np.float32).max).view(np.uint32) >> dropped << dropped
    size = np.minimum((np.minimum(size, np.uint32(0x7F800000)) + half) >> dropped << dropped, largest)
    return np.asarray((size | sign).astype(np.uint32).view(np.float32))


def bounds(numbers: np.ndarray, counts: np.ndarray, buckets: int) -> np.ndarray:
    """Returns the bounds between buckets of about equally many numbers.

    The bound below bucket k, from 0, is the number of index `ceil(k n / buckets)` of all n numbers in ascending order,
    so that a bucket whose lower bound is included holds n / buckets numbers if no number occurs twice.

    Args:
        numbers: Different numbers.
        counts: Number of times that each occurs.
        buckets: Number of buckets.

    Returns:
        `(buckets - 1,)` float32, in ascending order; zeros if there is no number.

    Example:
        >>> import numpy as np
        >>> bounds(np.array([5.0, 1.0, 2.0]), np.array([1, 2, 1]), buckets=2).tolist()
        [2.0]
    """
    if not len(numbers):
        return np.zeros(buckets - 1, np.float32)
    order = np.argsort(numbers)
    ends = np.cumsum(counts[order])
    ranks = -(-np.arange(1, buckets) * int(ends[-1]) // buckets)
    return np.asarray(numbers[order][np.searchsorted(ends, ranks, side="right").clip(max=len(order) - 1)], np.float32)
