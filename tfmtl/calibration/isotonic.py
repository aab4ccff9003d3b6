"""Isotonic regression of labels on logits, as a strictly increasing map."""

import numpy as np

from tfmtl.calibration.logit_map import LogitMap

BINS = 256
"""Largest number of bins of equal weight into which the rows are divided before the regression."""
KNOTS = 64
"""Largest number of knots of the map."""
_EVENTS = 10.0
"""Smallest weight of the positive and of the negative rows of a block."""


def fit_isotonic(logits: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None) -> LogitMap:
    """Fits an isotonic regression, and joins its blocks by lines in the space of logits.

    The rows are divided into bins of equal weight by their logit, and the regression pools adjacent bins whose
    frequencies decrease into blocks (pool adjacent violators). Blocks with less than 10 positive or negative rows are
    pooled with a neighbor. Each block gives a knot: the mean logit of its rows, and the logit of their frequency.
    Between knots the map is linear, and its slope beyond them is 1, so that it is strictly increasing: in contrast to
    the steps of the regression, it leaves the order of rows, and their AUC, as it is.

    Args:
        logits: Logits z, `(rows,)`.
        labels: Labels, 0 or 1, `(rows,)`.
        weights: Nonnegative weights of the rows, `(rows,)`; 1 by default.

    Returns:
        The map, with at most 64 knots.

    Raises:
        ValueError: If less than 10 rows are positive, or less than 10 are negative.

    References:
        - Zadrozny and Elkan, 2002, Transforming Classifier Scores into Accurate Multiclass Probability Estimates
    """
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels, np.float64)
    weights = np.ones_like(logits) if weights is None else np.asarray(weights, np.float64)
    positive, negative = float(weights @ labels), float(weights @ (1 - labels))
    if min(positive, negative) < _EVENTS:
        expected = f"at least {_EVENTS:g} positive and {_EVENTS:g} negative rows"
        raise ValueError(f"labels should have {expected}. Received: {positive:g} positive, {negative:g} negative")
    blocks = _with_enough_events(_pool(_bins(logits, labels, weights)))
    while len(blocks) > KNOTS:
        lightest = int(np.argmin(blocks[:-1, 0] + blocks[1:, 0]))
        blocks = _merged(blocks, lightest)
    total, events, sums = blocks.T
    return LogitMap(sums / total, np.log(events) - np.log(total - events))


def _bins(logits: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Returns weight, weight of the positive rows and weighted sum of logits by bin, `(bins, 3)`.

    Rows with equal logits are in one bin.
    """
    values, of_row = np.unique(logits, return_inverse=True)
    sums = np.stack([np.bincount(of_row, weights=w) for w in (weights, weights * labels, weights * logits)], axis=1)
    sums, values = sums[sums[:, 0] > 0], values[sums[:, 0] > 0]
    before = np.cumsum(sums[:, 0]) - sums[:, 0]
    bins = np.minimum((before * BINS / sums[:, 0].sum()).astype(int), BINS - 1)
    starts = np.flatnonzero(np.diff(bins, prepend=-1))
    return np.add.reduceat(sums, starts)


def _pool(bins: np.ndarray) -> np.ndarray:
    """Pools adjacent bins until the frequencies increase."""
    blocks: list[np.ndarray] = []
    for one in bins:
        blocks.append(one)
        while len(blocks) > 1 and blocks[-2][1] * blocks[-1][0] >= blocks[-1][1] * blocks[-2][0]:
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    return np.array(blocks)


def _with_enough_events(blocks: np.ndarray) -> np.ndarray:
    """Pools blocks with few positive or negative rows with the next one, the last with the one before."""
    i = 0
    while i < len(blocks):
        if min(blocks[i, 1], blocks[i, 0] - blocks[i, 1]) >= _EVENTS:
            i += 1
        elif i + 1 < len(blocks):
            blocks = _merged(blocks, i)
        else:
            blocks, i = _merged(blocks, i - 1), i - 1
    return blocks


def _merged(blocks: np.ndarray, i: int) -> np.ndarray:
    """Returns the blocks with the blocks i and i + 1 as one."""
    return np.concatenate([blocks[:i], blocks[i : i + 2].sum(0, keepdims=True), blocks[i + 2 :]])
