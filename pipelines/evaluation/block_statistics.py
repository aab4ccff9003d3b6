"""Statistics of slices from sums and histograms by block of groups, with standard errors by the jackknife."""

import dataclasses

import numpy as np

BLOCKS = 64
"""Number of blocks into which groups are divided, and of estimates from which a standard error is computed."""


@dataclasses.dataclass(frozen=True)
class Estimate:
    """Value of a statistic on all blocks of a slice, and on all blocks but one, for each slice.

    The rows of a group, usually those of a user, are in one block, so that the standard error also holds where they
    depend on each other. A place is a block of a slice that has rows.

    Attributes:
        value: The statistic on all rows of each slice, `(slices,)`; NaN if it is undefined.
        left_out: The statistic without the rows of each place, `(places,)`.
        slices: Number of the slice of each place, `(places,)`.

    Example:
        >>> import numpy as np
        >>> from pipelines.evaluation.block_statistics import Estimate
        >>> values = np.array([1.0, 2.0, 3.0, 4.0])
        >>> mean = Estimate(values.mean(keepdims=True), (values.sum() - values) / 3, np.zeros(4, int))
        >>> mean.error.round(4), (values.std(ddof=1) / 2).round(4)
        (array([0.6455]), 0.6455)
    """

    value: np.ndarray
    left_out: np.ndarray
    slices: np.ndarray

    @property
    def error(self) -> np.ndarray:
        """Standard error by the delete-one-block jackknife, `sqrt((n - 1) / n * sum_k (v_k - mean(v))^2)`."""
        count = np.bincount(self.slices, minlength=len(self.value))
        with np.errstate(divide="ignore", invalid="ignore"):
            deviations = self.left_out - (self._sums(self.left_out) / count)[self.slices]
            variance = (count - 1) / count * self._sums(deviations**2)
        return np.where((count > 1) & np.isfinite(variance), np.sqrt(variance), np.nan)

    def __sub__(self, other: "Estimate") -> "Estimate":
        return Estimate(self.value - other.value, self.left_out - other.left_out, self.slices)

    def _sums(self, values: np.ndarray) -> np.ndarray:
        return np.bincount(self.slices, values, len(self.value))


def ratio(numerators: np.ndarray, denominators: np.ndarray, slices: np.ndarray, count: int) -> Estimate:
    """Returns the ratio of two sums in each slice; NaN where the denominator is 0.

    Args:
        numerators: Sum of each place, `(places,)`.
        denominators: Sum of each place, `(places,)`.
        slices: Number of the slice of each place, `(places,)`.
        count: Number of slices.
    """
    above, below = (np.bincount(slices, values, count) for values in (numerators, denominators))
    with np.errstate(divide="ignore", invalid="ignore"):
        left_out = (above[slices] - numerators) / (below[slices] - denominators)
        return Estimate(np.where(below != 0, above / below, np.nan), left_out, slices)


@dataclasses.dataclass(frozen=True)
class Histograms:
    """Histograms of the scores of negative and positive rows by place, one entry for each cell that has rows.

    Attributes:
        count: Number of slices.
        slices: Number of the slice of each place, sorted, `(places,)`.
        places: Number of the place of each cell, sorted, `(cells,)`.
        bins: Bin of each cell, sorted within a place, `(cells,)`.
        negatives: Number of negative rows in each cell, `(cells,)`.
        positives: Number of positive rows in each cell, `(cells,)`.
    """

    count: int
    slices: np.ndarray
    places: np.ndarray
    bins: np.ndarray
    negatives: np.ndarray
    positives: np.ndarray


def area(cells: Histograms) -> Estimate:
    """Returns the AUC of each slice; NaN if its rows have one class only. Pairs in the same bin count half.

    With the numbers `n_b` and `p_b` of negative and positive rows in bin `b`, it is
    `sum_b p_b (sum_{c < b} n_c + n_b / 2) / (P N)`. The numerator without a block is that of all rows minus the pairs
    with a row of the block.

    Args:
        cells: Histograms of the rows.
    """
    negatives, positives = cells.negatives, cells.positives
    slices, width = cells.slices[cells.places], int(cells.bins.max(initial=0)) + 1
    bins, index = distinct(slices * width + cells.bins)
    all_below, positives_below = (_below(np.bincount(index, one), bins // width) for one in (negatives, positives))
    totals = [np.bincount(slices, one, cells.count) for one in (negatives, positives)]
    below, above = all_below[index], totals[1][slices] - positives_below[index]
    own_below = _below(negatives, cells.places)

    def sums(values: np.ndarray) -> np.ndarray:
        return np.bincount(cells.places, values, len(cells.slices))

    pairs = np.bincount(slices, positives * below, cells.count)
    left_pairs = pairs[cells.slices] - sums(positives * below + negatives * above - positives * own_below)
    left = (totals[1][cells.slices] - sums(positives)) * (totals[0][cells.slices] - sums(negatives))
    with np.errstate(divide="ignore", invalid="ignore"):
        return Estimate(pairs / (totals[0] * totals[1]), left_pairs / left, cells.slices)


def distinct(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the distinct numbers, sorted, and the index of each number among them.

    Args:
        numbers: Integers from 0 on, `(rows,)`.
    """
    if numbers.max(initial=0) > 4 * len(numbers):
        return np.unique(numbers, return_inverse=True)
    is_present = np.bincount(numbers) > 0
    return np.flatnonzero(is_present), (np.cumsum(is_present) - 1)[numbers]


def _below(counts: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Returns the sum of the earlier counts of the same part, and half of each one. Parts are sorted."""
    before = np.cumsum(np.bincount(parts, counts)) if len(parts) else np.zeros(0)
    half_below: np.ndarray = np.cumsum(counts) - counts / 2 - np.concatenate([[0.0], before])[parts]
    return half_below
