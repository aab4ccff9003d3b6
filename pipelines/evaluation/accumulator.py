"""Accumulator of one output: histograms and sums by slice and block, which can be merged in any order."""

import dataclasses
import math

import numpy as np

from pipelines.evaluation.block_statistics import BLOCKS

BINS = 1 << 14
"""Number of bins of the logit of a score; those of two rows in the same bin count as equal."""
LIMIT = 16.0
_CANDIDATE, _BASELINE = 0, 1
_MOST_PENDING = 1 << 17
_CELLS = 4 * BINS  # Model, class and bin of one block.
SUMS = (
    "rows",
    "label",
    "score",
    "loss",
    "error",
    "term",
    "baseline_score",
    "baseline_loss",
    "baseline_error",
    "baseline_term",
    "not_finite",
    "baseline_rows",
)
"""Names of the sums: over rows, of labels, scores, log losses, absolute errors and terms of SMAPE."""


@dataclasses.dataclass
class Accumulator:
    """Sums over the rows of one output.

    A key holds slice, block, model, class and bin. The memory is bounded by 16 bytes for each occupied cell, of which
    a slice has at most two for each of its rows.

    Attributes:
        is_count: True for a count, which has no histograms.
        keys: Sorted keys of the occupied cells of the histograms.
        counts: Number of rows in each cell.
        places: Sorted numbers `slice * BLOCKS + block` of the sums.
        sums: Sums of `SUMS` at each place, `(places, len(SUMS))`.
        lowest: Lowest finite score.
        highest: Highest finite score.
    """

    is_count: bool = False
    keys: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, np.int64))
    counts: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, np.int64))
    places: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, np.int64))
    sums: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros((0, len(SUMS))))
    lowest: float = math.inf
    highest: float = -math.inf
    _pending_sums: list[tuple[np.ndarray, np.ndarray]] = dataclasses.field(default_factory=list)
    _pending_cells: list[tuple[np.ndarray, np.ndarray]] = dataclasses.field(default_factory=list)

    def add(self, places: np.ndarray, labels: np.ndarray, scores: np.ndarray, baseline: np.ndarray | None) -> None:
        """Adds rows.

        Args:
            places: Slice times `BLOCKS` plus block of each row, int64 `(rows,)`.
            labels: Labels, float64 `(rows,)`.
            scores: Scores of the candidate, float64 `(rows,)`. Those that are not finite are counted only.
            baseline: Scores of the served model, float64 `(rows,)`; None if there is none.
        """
        if not len(places):
            return
        finite = np.isfinite(scores)
        if baseline is not None:
            finite_baseline = np.isfinite(baseline)
        used = np.where(finite, scores, 0.0)
        if finite.any():
            self.lowest = min(self.lowest, float(scores[finite].min()))
            self.highest = max(self.highest, float(scores[finite].max()))
        columns = np.zeros((len(places), len(SUMS)))
        columns[:, :2] = np.stack([np.ones(len(places)), labels], axis=1)
        columns[:, 2:6] = self._columns(labels, used) * finite[:, None]
        columns[:, 10] = ~finite
        if baseline is not None:
            used_baseline = np.where(finite_baseline, baseline, 0.0)
            columns[:, 6:10] = self._columns(labels, used_baseline) * finite_baseline[:, None]
            columns[:, 11] = finite_baseline
        unique, index = np.unique(places, return_inverse=True)
        sums = np.stack([np.bincount(index, column, len(unique)) for column in columns.T], axis=1)
        self._add_sums(unique, sums)
        if not self.is_count:
            keys = [_keys(places, labels, used, _CANDIDATE)[finite]]
            if baseline is not None:
                keys.append(_keys(places, labels, used_baseline, _BASELINE)[finite_baseline])
            self._add_cells(*np.unique(np.concatenate(keys), return_counts=True))

    def merge(self, other: "Accumulator", slices: np.ndarray) -> None:
        """Adds the rows of another accumulator.

        Args:
            other: The other accumulator.
            slices: Number in this accumulator of each slice of the other one.
        """
        other.compact()
        self._add_sums(slices[other.places // BLOCKS] * BLOCKS + other.places % BLOCKS, other.sums)
        cells = BLOCKS * _CELLS
        self._add_cells(slices[other.keys // cells] * cells + other.keys % cells, other.counts)
        self.lowest, self.highest = min(self.lowest, other.lowest), max(self.highest, other.highest)

    def block_sums(self, number: int | None) -> np.ndarray:
        """Returns the sums of a slice by block, `(blocks, len(SUMS))`, of the blocks that have rows.

        Args:
            number: Number of the slice; None for all rows.
        """
        self.compact()
        if number is None:
            blocks, index = np.unique(self.places % BLOCKS, return_inverse=True)
            return np.stack([np.bincount(index, column, len(blocks)) for column in self.sums.T], axis=1)
        start, stop = np.searchsorted(self.places, [number * BLOCKS, (number + 1) * BLOCKS])
        return self.sums[start:stop]

    def histograms(self, number: int | None) -> np.ndarray:
        """Returns the histograms of a slice, `(model, class, blocks, bins)`, of the blocks and bins that have rows.

        Args:
            number: Number of the slice; None for all rows.
        """
        self.compact()
        cells = BLOCKS * _CELLS
        if number is None:
            keys, counts = self.keys % cells, self.counts
        else:
            start, stop = np.searchsorted(self.keys, [number * cells, (number + 1) * cells])
            keys, counts = self.keys[start:stop] % cells, self.counts[start:stop]
        bins, bin_index = np.unique(keys % BINS, return_inverse=True)
        blocks, block_index = np.unique(keys // _CELLS, return_inverse=True)
        kind = keys % _CELLS // BINS
        flat = (kind * len(blocks) + block_index) * len(bins) + bin_index
        return np.bincount(flat, counts, 4 * len(blocks) * len(bins)).reshape(2, 2, len(blocks), len(bins))

    def _columns(self, labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
        error = np.abs(scores - labels)
        middle = (scores + labels) / 2
        term = np.divide(error, middle, out=np.zeros_like(error), where=middle > 0)
        if self.is_count:
            loss = np.zeros_like(error)
        else:
            inside = np.clip(scores, 1e-15, 1 - 1e-15)
            loss = -np.where(labels > 0, np.log(inside), np.log1p(-inside))
        return np.stack([scores, loss, error, term], axis=1)

    def compact(self) -> "Accumulator":
        """Joins the sums that have been added since the last call, and returns the accumulator itself."""
        if self._pending_sums:
            places, sums = zip(*[(self.places, self.sums), *self._pending_sums], strict=True)
            self.places, index = np.unique(np.concatenate(places), return_inverse=True)
            values = np.concatenate(sums)
            self.sums = np.stack([np.bincount(index, column, len(self.places)) for column in values.T], axis=1)
            self._pending_sums = []
        if self._pending_cells:
            keys, counts = zip(*[(self.keys, self.counts), *self._pending_cells], strict=True)
            self.keys, index = np.unique(np.concatenate(keys), return_inverse=True)
            self.counts = np.bincount(index, np.concatenate(counts), len(self.keys)).astype(np.int64)
            self._pending_cells = []
        return self

    def _add_sums(self, places: np.ndarray, sums: np.ndarray) -> None:
        self._pending_sums.append((places, sums))
        if sum(len(one) for one, _ in self._pending_sums) > max(_MOST_PENDING, len(self.places)):
            self.compact()

    def _add_cells(self, keys: np.ndarray, counts: np.ndarray) -> None:
        self._pending_cells.append((keys, counts))
        if sum(len(one) for one, _ in self._pending_cells) > max(_MOST_PENDING, len(self.keys)):
            self.compact()


def _keys(places: np.ndarray, labels: np.ndarray, scores: np.ndarray, model: int) -> np.ndarray:
    inside = np.clip(scores, 0.0, 1.0)
    with np.errstate(divide="ignore"):
        logits = np.log(inside) - np.log1p(-inside)
    scaled = (np.clip(logits, -LIMIT, LIMIT) / LIMIT + 1) * (BINS / 2)
    bins = np.minimum(scaled.astype(np.int64), BINS - 1)
    keys: np.ndarray = ((places * 2 + model) * 2 + (labels > 0)) * BINS + bins
    return keys
