"""Accumulator of one output: histograms and sums by slice and block, which can be merged in any order."""

import dataclasses
import math
from typing import Any

import numpy as np

from pipelines.evaluation.block_statistics import BLOCKS, Histograms, distinct

BINS = 1 << 14
"""Number of bins of the logit of a score; those of two rows in the same bin count as equal."""
LIMIT = 16.0
VALUE_LIMIT = 32.0
"""Largest absolute logarithm of a score or label of a value that the bins resolve."""
_CANDIDATE, _BASELINE, _BEST = 0, 1, 2
_MOST_PENDING = 1 << 17
_CELLS = 6 * BINS  # Model, class and bin of one block.
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
"""Names of the sums: over rows, of labels, scores, losses, absolute errors and terms of SMAPE."""


@dataclasses.dataclass
class Accumulator:
    """Sums over the rows of one output, each multiplied by its weight.

    A key holds slice, block, model, class and bin. The memory is bounded by 16 bytes for each occupied cell, of which
    a slice has at most two for each of its rows, and six of a value.

    The histograms of a value are such that `pipelines.evaluation.block_statistics.area` of them is the share A of the
    Gini coefficient `2 A - 1` (`tfmtl.metrics.normalized_gini`): each row is in the class of negative rows with its
    weight, and in that of positive rows with its weight times its label. The third model is the best one, whose scores
    are the labels.

    Attributes:
        is_count: True for a count, which has no histograms, and for a value.
        is_value: True for a value.
        keys: Sorted keys of the occupied cells of the histograms.
        counts: Number of rows in each cell, or the sum of their weights.
        places: Sorted numbers `slice * BLOCKS + block` of the sums.
        sums: Sums of `SUMS` at each place, `(places, len(SUMS))`.
        lowest: Lowest finite score.
        highest: Highest finite score.
    """

    is_count: bool = False
    is_value: bool = False
    keys: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, np.int64))
    counts: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, np.int64))
    places: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, np.int64))
    sums: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros((0, len(SUMS))))
    lowest: float = math.inf
    highest: float = -math.inf
    _pending_sums: list[tuple[np.ndarray, np.ndarray]] = dataclasses.field(default_factory=list)
    _pending_cells: list[tuple[np.ndarray, np.ndarray]] = dataclasses.field(default_factory=list)

    def add(
        self,
        places: np.ndarray,
        index: np.ndarray,
        labels: np.ndarray,
        scores: np.ndarray,
        baseline: np.ndarray | None,
        weights: np.ndarray | None = None,
    ) -> None:
        """Adds rows.

        Args:
            places: Sorted numbers `slice * BLOCKS + block`, int64 `(places,)`.
            index: Index in `places` of each row, `(rows,)`.
            labels: Labels, float64 `(rows,)`.
            scores: Scores of the candidate, float64 `(rows,)`. Those that are not finite are counted only.
            baseline: Scores of the served model, float64 `(rows,)`; None if there is none.
            weights: Weights of the rows, above 0, float64 `(rows,)`; None for weights of 1. A row of weight 2 counts as
                two rows.
        """

        def total(kept: Any, values: np.ndarray | None = None) -> np.ndarray:
            """Returns the sum of the weights, or of weighted values, at each place."""
            own = None if weights is None else weights[kept]
            terms = values if own is None else own if values is None else own * values
            return np.bincount(index[kept], terms, len(places))

        every: Any = slice(None)
        rows = total(every)
        sums = {"rows": rows, "label": total(every, labels)}
        keys: list[np.ndarray] = []
        cell_weights: list[np.ndarray] = []
        for model, values in ((_CANDIDATE, scores), (_BASELINE, baseline)):
            if values is None:
                continue
            finite = np.isfinite(values)
            kept: Any = every if finite.all() else finite
            found, bins = self._terms(labels[kept], values[kept])
            prefix = "baseline_" if model == _BASELINE else ""
            for name, column in found.items():
                sums[prefix + name] = total(kept, column)
            if model == _BASELINE:
                sums["baseline_rows"] = total(kept)
            else:
                sums["not_finite"] = total(every, ~finite)
                self.lowest = min(self.lowest, values[kept].min(initial=math.inf))
                self.highest = max(self.highest, values[kept].max(initial=-math.inf))
            if bins is not None and not self.is_value:
                keys.append(((places[index[kept]] * 3 + model) * 2 + (labels[kept] > 0)) * BINS + bins)
                cell_weights += [] if weights is None else [weights[kept]]
            elif bins is not None:
                orders = [(model, bins)] if model == _BASELINE else [(model, bins), (_BEST, _value_bins(labels[kept]))]
                own = np.ones(len(bins)) if weights is None else weights[kept]
                for order, cells in orders:
                    for is_positive, amounts in enumerate((own, own * labels[kept])):
                        keys.append(((places[index[kept]] * 3 + order) * 2 + is_positive) * BINS + cells)
                        cell_weights.append(amounts)
        columns = np.stack([sums.get(name, np.zeros(len(places))) for name in SUMS], axis=1)
        self._add_sums(places[rows > 0], columns[rows > 0])
        if keys and not cell_weights:
            self._add_cells(*np.unique(np.concatenate(keys), return_counts=True))
        elif keys:
            found_keys, inverse = np.unique(np.concatenate(keys), return_inverse=True)
            self._add_cells(found_keys, np.bincount(inverse, np.concatenate(cell_weights)))

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

    def as_one_slice(self) -> "Accumulator":
        """Returns an accumulator of the same rows in which all of them are in slice 0."""
        self.compact()
        blocks, index = distinct(self.places % BLOCKS)
        sums = np.stack([np.bincount(index, column, len(blocks)) for column in self.sums.T], axis=1)
        dense = np.bincount(self.keys % (BLOCKS * _CELLS), self.counts)
        keys = np.flatnonzero(dense)
        return Accumulator(self.is_count, self.is_value, keys, dense[keys], blocks, sums, self.lowest, self.highest)

    def block_sums(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the sums of slices by place, a block of a slice that has rows.

        Args:
            start: Number of the first slice.
            stop: Number of the last slice, plus 1.

        Returns:
            The number of the slice of each place, from 0 on, `(places,)`, and its sums, `(places, len(SUMS))`.
        """
        self.compact()
        first, last = np.searchsorted(self.places, [start * BLOCKS, stop * BLOCKS])
        return self.places[first:last] // BLOCKS - start, self.sums[first:last]

    def histograms(self, start: int, stop: int) -> tuple[Histograms, Histograms, Histograms]:
        """Returns the histograms of the candidate, of the served model and of the best one, with the same places.

        The best model has rows for a value only.

        Args:
            start: Number of the first slice.
            stop: Number of the last slice, plus 1.
        """
        self.compact()
        cells = BLOCKS * _CELLS
        first, last = np.searchsorted(self.keys, [start * cells, stop * cells])
        keys, counts = self.keys[first:last] - start * cells, self.counts[first:last]
        places, index = distinct(keys // _CELLS)
        models = keys % _CELLS // (2 * BINS)
        masks = [models == model for model in (_CANDIDATE, _BASELINE, _BEST)]
        found = []
        for own in masks if models.any() else (slice(None), slice(0), slice(0)):
            merged = index[own] * BINS + keys[own] % BINS
            order = np.argsort(merged, kind="stable")  # Merges the sorted cells of the two classes.
            merged, rows = merged[order], counts[own][order]
            is_positive = (keys[own] // BINS % 2)[order]
            begins = np.flatnonzero(np.diff(merged, prepend=-1))
            both, positives = (
                np.add.reduceat(part, begins) if len(begins) else part for part in (rows, rows * is_positive)
            )
            at, bins = np.divmod(merged[begins], BINS)
            found.append(Histograms(stop - start, places // BLOCKS, at, bins, both - positives, positives))
        return found[0], found[1], found[2]

    def _terms(self, labels: np.ndarray, scores: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
        """Returns the terms of the sums by name, and the bins of the scores; None for a count."""
        if self.is_count:
            error, middle = np.abs(scores - labels), (scores + labels) / 2
            term = np.divide(error, middle, out=np.zeros_like(error), where=middle > 0)
            return {"score": scores, "error": error, "term": term}, _value_bins(scores) if self.is_value else None
        inside = np.clip(scores, 1e-15, 1 - 1e-15)
        log, log_complement = np.log(inside), np.log1p(-inside)
        scaled = (np.clip(log - log_complement, -LIMIT, LIMIT) / LIMIT + 1) * (BINS / 2)
        bins = np.minimum(scaled.astype(np.int64), BINS - 1)
        return {"score": scores, "loss": -np.where(labels > 0, log, log_complement)}, bins

    def compact(self) -> "Accumulator":
        """Joins the sums that have been added since the last call, and returns the accumulator itself."""
        if self._pending_sums:
            self.places, self.sums = _joined([(self.places, self.sums), *self._pending_sums])
            self._pending_sums = []
        if self._pending_cells:
            self.keys, self.counts = _joined([(self.keys, self.counts), *self._pending_cells])
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


def _value_bins(amounts: np.ndarray) -> np.ndarray:
    """Returns the bins of the logarithms of amounts."""
    with np.errstate(divide="ignore"):
        logs = np.log(np.maximum(amounts, 0.0))
    scaled = (np.clip(logs, -VALUE_LIMIT, VALUE_LIMIT) / VALUE_LIMIT + 1) * (BINS / 2)
    bins: np.ndarray = np.minimum(scaled.astype(np.int64), BINS - 1)
    return bins


def _joined(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Returns the distinct keys of sorted parts, sorted, and the sum of the values of each key."""
    keys, values = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(keys, kind="stable")  # Merges sorted parts.
    keys = keys[order]
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    sums: np.ndarray = np.add.reduceat(values[order], first, axis=0) if len(first) else values
    return keys[first], sums
