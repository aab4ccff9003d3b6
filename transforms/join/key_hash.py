"""Hash of columns of text that is the same on every machine."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

_FACTOR = 0x9E3779B97F4A7C15
_MIX = 0xBF58476D1CE4E5B9


def hash_columns(columns: Sequence[pa.Array]) -> np.ndarray:
    """Hashes the values of each row.

    The hash of a text of bytes b_0, ..., b_n is the sum of (b_i + 1) f^i modulo 2^64, for an odd number f, of which the
    high bits are mixed into the low ones; those of several columns are combined in their order.

    Args:
        columns: Columns of strings without null, of equal length.

    Returns:
        Hashes, uint64 `(rows,)`.
    """
    total = np.zeros(len(columns[0]), np.uint64)
    with np.errstate(over="ignore"):
        for column in columns:
            total = (total * np.uint64(31) + _hash(column)) * np.uint64(_MIX)
            total ^= total >> np.uint64(31)
    return total


def _hash(column: pa.Array) -> np.ndarray:
    column = column.cast(pa.large_binary())
    _, offsets, data = column.buffers()
    bounds = np.frombuffer(offsets, np.int64)[column.offset : column.offset + len(column) + 1]
    if not len(column) or bounds[0] == bounds[-1]:
        return np.zeros(len(column), np.uint64)
    start, lengths = bounds[:-1], np.diff(bounds)
    values = np.frombuffer(data, np.uint8)[bounds[0] : bounds[-1]].astype(np.uint64) + np.uint64(1)
    powers = np.ones(int(lengths.max()), np.uint64)
    powers[1:] = _FACTOR
    powers = np.cumprod(powers, dtype=np.uint64)
    place = np.arange(len(values)) - np.repeat(start - bounds[0], lengths)
    sums = np.zeros(len(column), np.uint64)
    has_bytes = lengths > 0  # `reduceat` returns the next value for an empty range.
    sums[has_bytes] = np.add.reduceat(values * powers[place], (start - bounds[0])[has_bytes], dtype=np.uint64)
    return sums
