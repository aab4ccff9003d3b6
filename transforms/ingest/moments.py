"""Means and standard deviations of the positions of vectors, from counts of rounded numbers."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from transforms.ingest.quantiles import rounded

_BITS = 6


def position_tokens(numbers: pa.Array, length: int) -> pa.Array:
    """Returns the position and the rounded value of each number of vectors, as text.

    Numbers are rounded to 6 significant bits, so that the counts of a position stay few.

    Args:
        numbers: Numbers of all vectors, one after another, float32; NaN is left out.
        length: Length of a vector.

    Returns:
        Texts "position:value", binary.
    """
    values = np.asarray(numbers, np.float32)
    positions = np.arange(len(values)) % length
    present = ~np.isnan(values)
    pairs = np.stack([positions[present].astype(np.uint32), rounded(values[present], _BITS).view(np.uint32)], axis=1)
    found, inverse = np.unique(pairs, axis=0, return_inverse=True)
    texts = [b"%d:%s" % (place, str(word.view(np.float32)).encode()) for place, word in found]
    return pa.array(texts, pa.binary()).take(pa.array(inverse.reshape(-1)))


def moments(tokens: Sequence[bytes], counts: np.ndarray, length: int) -> np.ndarray:
    """Returns the mean and the standard deviation of each position.

    Args:
        tokens: Positions and values, as `position_tokens` returns them.
        counts: Number of times that each occurs.
        length: Length of a vector.

    Returns:
        `(length, 2)` float32. The deviation of a position whose numbers are all equal is 1, as is that of a position
        without numbers, whose mean is 0.
    """
    found = np.zeros((length, 2), np.float32)
    found[:, 1] = 1
    pairs = [token.split(b":") for token in tokens]
    positions = np.array([int(place) for place, _ in pairs], np.int64)
    values = np.array([float(value) for _, value in pairs], np.float64)
    for position in range(length):
        chosen = positions == position
        if chosen.any():
            mean = np.average(values[chosen], weights=counts[chosen])
            variance = np.average((values[chosen] - mean) ** 2, weights=counts[chosen])
            found[position] = mean, np.sqrt(variance) if variance > 0 else 1
    return found
