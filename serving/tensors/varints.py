"""Packed varints, decoded many at a time."""

import numpy as np

from serving.protos.wire import WireError

_CHUNK = 1 << 18
_LONGEST = 10
_UINT64 = np.dtype(np.uint64)


def decode_varints(packed: memoryview | bytes, dtype: np.dtype = _UINT64) -> np.ndarray:
    """Returns the integers of a packed field.

    Args:
        packed: Varints, one behind the other.
        dtype: Type of the result. As in C++, a value out of range wraps around, and one other than 0 is true.

    Returns:
        Array of the given type; int64 values are in two's complement.

    Raises:
        WireError: If the last varint has no end, or one is longer than ten bytes.
    """
    values: np.ndarray = np.empty(count_varints(packed), dtype)
    if len(values) == len(packed):
        values[:] = np.frombuffer(packed, np.uint8)
        return values
    if packed[-1] >= 0x80:
        raise WireError("the last varint has no end")
    start = done = 0
    while start < len(packed):
        stop = min(start + _CHUNK, len(packed))
        while packed[stop - 1] >= 0x80:
            stop += 1
        chunk = _chunk(np.frombuffer(packed, np.uint8, stop - start, start))
        values[done : done + len(chunk)] = chunk
        start, done = stop, done + len(chunk)
    return values


def count_varints(data: memoryview | bytes) -> int:
    """Returns the number of varints in a packed field."""
    return int(np.count_nonzero(np.frombuffer(data, np.uint8) < 0x80))


def _chunk(packed: np.ndarray) -> np.ndarray:
    """Returns the integers of a chunk that ends with the end of a varint."""
    ends = np.flatnonzero(packed < 0x80)
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    longest = int(lengths.max())
    if longest > _LONGEST:
        raise WireError("a varint has no end")
    values: np.ndarray = (packed[starts] & 0x7F).astype(np.uint64)
    for index in range(1, longest):
        longer = np.flatnonzero(lengths > index)
        bits = (packed[starts[longer] + index] & 0x7F).astype(np.uint64)
        values[longer] |= bits << np.uint64(7 * index)
    return values
