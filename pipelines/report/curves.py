"""Curves of a binary output from the histogram of its scores: ROC, precision-recall, reliability and lift."""

import dataclasses
import math
from typing import Any

import numpy as np

from pipelines.evaluation.score_histograms import ScoreHistogram

_POINTS = 500
"""Number of points of a drawn curve, about."""
BINS = 10
"""Number of bins of the reliability, and of the lift: deciles."""
_RARE = 0.3
_Z = 1.959963984540054
"""Quantile 0.975 of the standard normal distribution."""


@dataclasses.dataclass(frozen=True)
class Bin:
    """Rows with neighbouring scores.

    Attributes:
        rows: Number of rows.
        positives: Number of positive rows.
        score: Mean score.
        low: Lower bound of the 95 % interval of the rate of positive rows, by Wilson's formula.
        high: Upper bound.
    """

    rows: int
    positives: int
    score: float
    low: float
    high: float

    @property
    def rate(self) -> float:
        """Rate of positive rows."""
        return self.positives / self.rows


def roc_curve(histogram: ScoreHistogram) -> list[dict[str, float]]:
    """Returns points of the ROC curve: `false_positive_rate`, `true_positive_rate` and the `threshold` of the score.

    Args:
        histogram: Histogram with both classes.
    """
    false, true = (_from_above(counts) for counts in (histogram.negatives, histogram.positives))
    return _points(histogram, false_positive_rate=false / false[-1], true_positive_rate=true / true[-1])


def precision_recall_curve(histogram: ScoreHistogram) -> list[dict[str, float]]:
    """Returns points of the precision-recall curve: `recall`, `precision` and the `threshold` of the score.

    Args:
        histogram: Histogram with both classes.
    """
    false, true = (_from_above(counts)[1:] for counts in (histogram.negatives, histogram.positives))
    points = _points(histogram, recall=_with_first(true / true[-1]), precision=_with_first(true / (true + false)))
    return points[1:]


def reliability(histogram: ScoreHistogram) -> list[Bin]:
    """Returns ten bins of about the same number of rows, by ascending score.

    Args:
        histogram: Histogram with at least one row.
    """
    rows = histogram.negatives + histogram.positives
    middle = np.cumsum(rows) - rows / 2
    index = np.minimum((middle / rows.sum() * BINS).astype(np.int64), BINS - 1)
    bins = []
    for one in np.unique(index):
        own = index == one
        count, positives = int(rows[own].sum()), int(histogram.positives[own].sum())
        score = float((histogram.score[own] * rows[own]).sum() / count)
        bins.append(Bin(count, positives, score, *wilson_interval(positives, count)))
    return bins


def count_reliability(labels: np.ndarray, scores: np.ndarray) -> list[dict[str, float]]:
    """Returns the mean prediction and label of ten bins of a count, by ascending prediction.

    The bounds are those of the 95 % interval of the mean label, `mean +- 1.96 s / sqrt(n)`.

    Args:
        labels: Labels, `(rows,)`.
        scores: Predictions, `(rows,)`.

    Returns:
        `prediction`, `label`, `low`, `high` and `rows` of each bin.
    """
    found = []
    for part in np.array_split(np.argsort(scores, kind="stable"), min(BINS, len(scores))):
        mean, half = labels[part].mean(), _Z * labels[part].std() / math.sqrt(len(part))
        bounds = {"low": float(mean - half), "high": float(mean + half)}
        found.append({"prediction": float(scores[part].mean()), "label": float(mean), **bounds, "rows": len(part)})
    return found


def lift_by_decile(histogram: ScoreHistogram) -> list[dict[str, float]]:
    """Returns the lift of each bin of `reliability`, the highest scores first: its rate over that of all rows.

    Args:
        histogram: Histogram with a positive row.
    """
    bins = reliability(histogram)[::-1]
    base = int(histogram.positives.sum()) / histogram.rows
    return [
        {"decile": number, "lift": one.rate / base, "low": one.low / base, "high": one.high / base, "rows": one.rows}
        for number, one in enumerate(bins, 1)
    ]


def is_rare(histogram: ScoreHistogram) -> bool:
    """Returns whether positive rows are so rare that scores and rates are shown on logarithmic axes: below 0.3.

    Args:
        histogram: Histogram with at least one row.
    """
    return int(histogram.positives.sum()) < _RARE * histogram.rows


def score_distribution(histogram: ScoreHistogram, bins: int = 40) -> list[dict[str, Any]]:
    """Returns the share of each class's rows by bin of the score, on a logarithmic scale if positive rows are rare.

    Args:
        histogram: Histogram with at least one row.
        bins: Number of bins between the lowest and the highest score.
    """
    scale, inverse = (np.log, np.exp) if is_rare(histogram) else (np.asarray, np.asarray)
    low, high = scale(histogram.score[[0, -1]])
    edges = np.linspace(low, max(high, low + 1e-6), bins + 1)
    index = np.clip(np.searchsorted(edges, scale(histogram.score), "right") - 1, 0, bins - 1)
    found = []
    for name, counts in (("label 0", histogram.negatives), ("label 1", histogram.positives)):
        share = np.bincount(index, counts, bins) / max(counts.sum(), 1)
        found += [
            {"class": name, "from": float(start), "to": float(stop), "share": float(value)}
            for start, stop, value in zip(inverse(edges[:-1]), inverse(edges[1:]), share, strict=True)
        ]
    return found


def wilson_interval(positives: int, rows: int) -> tuple[float, float]:
    """Returns the 95 % interval of a rate by Wilson's formula (1927).

    With `p` the rate and `z = 1.96`, it is `(p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)`.

    Args:
        positives: Number of positive rows.
        rows: Number of rows `n`, above 0.

    Example:
        >>> from pipelines.report.curves import wilson_interval
        >>> [round(bound, 4) for bound in wilson_interval(10, 100)]
        [0.0552, 0.1744]
    """
    rate, square = positives / rows, _Z**2
    middle = rate + square / (2 * rows)
    half = _Z * math.sqrt(rate * (1 - rate) / rows + square / (4 * rows**2))
    low, high = (middle - half) / (1 + square / rows), (middle + half) / (1 + square / rows)
    return max(min(low, rate), 0.0), min(max(high, rate), 1.0)  # Rounding may take a rate of 0 or 1 out of it.


def _from_above(counts: np.ndarray) -> np.ndarray:
    """Returns 0, and the numbers of rows from each cell on, the highest scores first."""
    sums: np.ndarray = np.concatenate([[0], np.cumsum(counts[::-1])]).astype(np.float64)
    return sums


def _with_first(values: np.ndarray) -> np.ndarray:
    repeated: np.ndarray = np.concatenate([values[:1], values])
    return repeated


def _points(histogram: ScoreHistogram, **columns: np.ndarray) -> list[dict[str, float]]:
    """Returns at most about 500 points of a curve, at even steps of its length, with the threshold of each."""
    threshold = np.concatenate([histogram.score[-1:], histogram.score[::-1]])
    x, y = columns.values()
    length = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    wanted = np.linspace(0, length[-1], _POINTS)
    chosen = np.unique([*np.searchsorted(length, wanted).clip(0, len(x) - 1), 0, len(x) - 1])
    return [
        {**{name: _short(values[i]) for name, values in columns.items()}, "threshold": _short(threshold[i])}
        for i in chosen
    ]


def _short(value: float) -> float:
    return float(f"{value:.6g}")
