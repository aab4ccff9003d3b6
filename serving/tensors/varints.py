"""Packed varints, decoded many at a time."""

import numpy as np

from serving.protos.wire import WireError

_CHUNK = 1 << 18
_LONGEST = 10


def decode_varints(packed: bytes) -> np.ndarray:
    """Returns the integers of a packed field.

    Args:
        packed: Varints, one behind the other.

    Returns:
        Array of type uint8 if all are below 128, else of type uint64; int64 values are in two's complement.

    Raises:
        WireError: If the last varint has no end, or one is longer than ten bytes.
    """
    if packed.isascii():
        return np.frombuffer(packed, np.uint8)
    if packed[-1] >= 0x80:
        raise WireError("the last varint has no end")
    chunks: list[np.ndarray] = []
    start = 0
    while start < len(packed):
        stop = min(start + _CHUNK, len(packed))
        while packed[stop - 1] >= 0x80:
            stop += 1
        chunks.append(_chunk(np.frombuffer(packed, np.uint8, stop - start, start)))
        start = stop
    values: np.ndarray = np.concatenate(chunks)
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
