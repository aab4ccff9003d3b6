"""Statistics of a slice from sums and histograms by block of groups, with standard errors by the jackknife."""

import dataclasses
import math

import numpy as np

BLOCKS = 64
"""Number of blocks into which groups are divided, and of estimates from which a standard error is computed."""


@dataclasses.dataclass(frozen=True)
class Estimate:
    """Value of a statistic on all blocks, and on all blocks but one.

    The rows of a group, usually those of a user, are in one block, so that the standard error also holds where they
    depend on each other.

    Attributes:
        value: The statistic on all rows; NaN if it is undefined.
        left_out: The statistic without the rows of each block, `(blocks,)`, for the blocks that have rows.

    Example:
        >>> import numpy as np
        >>> from pipelines.evaluation.block_statistics import Estimate
        >>> values = np.array([1.0, 2.0, 3.0, 4.0])
        >>> mean = Estimate(values.mean(), (values.sum() - values) / 3)
        >>> round(mean.error, 4), round(float(values.std(ddof=1) / 2), 4)
        (0.6455, 0.6455)
    """

    value: float
    left_out: np.ndarray

    @property
    def error(self) -> float:
        """Standard error by the delete-one-block jackknife, `sqrt((n - 1) / n * sum_k (v_k - mean(v))^2)`."""
        count = len(self.left_out)
        if count < 2 or not np.isfinite(self.left_out).all():
            return math.nan
        deviations = self.left_out - self.left_out.mean()
        return float(math.sqrt((count - 1) / count * np.sum(deviations**2)))

    def __sub__(self, other: "Estimate") -> "Estimate":
        return Estimate(self.value - other.value, self.left_out - other.left_out)


def ratio(numerators: np.ndarray, denominators: np.ndarray) -> Estimate:
    """Returns the ratio of two sums; NaN where the denominator is 0.

    Args:
        numerators: Sum of each block, `(blocks,)`.
        denominators: Sum of each block, `(blocks,)`.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        total = np.sum(numerators), np.sum(denominators)
        left_out = (total[0] - numerators) / (total[1] - denominators)
        value = total[0] / total[1] if total[1] else math.nan
    return Estimate(float(value), left_out)


@dataclasses.dataclass(frozen=True)
class Histograms:
    """Histograms of the scores of negative and positive rows by block, one entry for each cell that has rows.

    Attributes:
        count: Number of blocks.
        blocks: Block of each cell, sorted, `(cells,)`.
        bins: Bin of each cell, sorted within a block, `(cells,)`.
        negatives: Number of negative rows in each cell, `(cells,)`.
        positives: Number of positive rows in each cell, `(cells,)`.
    """

    count: int
    blocks: np.ndarray
    bins: np.ndarray
    negatives: np.ndarray
    positives: np.ndarray


def area(cells: Histograms) -> Estimate:
    """Returns the AUC; NaN if the rows have one class only. Pairs in the same bin count half.

    With the numbers `n_b` and `p_b` of negative and positive rows in bin `b`, it is
    `sum_b p_b (sum_{c < b} n_c + n_b / 2) / (P N)`. The numerator without a block is that of all rows minus the pairs
    with a row of the block.

    Args:
        cells: Histograms of the rows.
    """
    negatives, positives = cells.negatives, cells.positives
    index = cells.bins - cells.bins.min(initial=1 << 62)
    below = _below(np.bincount(index, negatives))[index]
    above = positives.sum() - _below(np.bincount(index, positives))[index]
    first = np.searchsorted(cells.blocks, np.arange(cells.count))
    earlier = np.concatenate([[0.0], np.cumsum(negatives)])[first]
    own_below = _below(negatives) - earlier[cells.blocks]

    def sums(values: np.ndarray) -> np.ndarray:
        return np.bincount(cells.blocks, values, cells.count)

    pairs = positives @ below
    left_pairs = pairs - sums(positives * below + negatives * above - positives * own_below)
    left = (positives.sum() - sums(positives)) * (negatives.sum() - sums(negatives))
    count = positives.sum() * negatives.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        return Estimate(float(pairs / count) if count else math.nan, left_pairs / left)


def _below(counts: np.ndarray) -> np.ndarray:
    """Returns the sum of the earlier counts and half of each one."""
    half_below: np.ndarray = np.cumsum(counts) - counts / 2
    return half_below
