"""Columns that may be known only after the event that a label records."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from transforms.profile.columns import ColumnProfile

MAX_AUC = 0.9
"""AUC of a label by one column alone above which the column looks like a leak."""
MIN_RATIO = 2.0
"""Ratio of the shares of rows with a value from which a column that most rows lack looks like a leak."""
SMOOTHING = 10
"""Number of rows with the overall mean that are added to the rows of a value."""
_MIN_POSITIVES = 20


@dataclasses.dataclass(frozen=True)
class Leak:
    """Suspicion that a column is known only after an event.

    Attributes:
        column: Name of the column.
        label: Name of the label.
        reason: Reason, as a sentence without a subject.
    """

    column: str
    label: str
    reason: str


def find_leak(column: ColumnProfile, values: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray]) -> Leak | None:
    """Returns the suspicion that a column is a leak; None if there is none.

    A column looks like a leak if it alone has an AUC above `MAX_AUC` for a label, or if most rows lack a value other
    than 0 and such values are at least `MIN_RATIO` times as frequent where the label is positive, beyond what chance
    explains.

    Args:
        column: Profile of the column.
        values: Values as numbers by label, each `(rows,)`, NaN where missing; for texts see `label_means`.
        labels: Labels, 0 or 1, by name, each `(rows,)`.
    """
    for name, label in labels.items():
        positives = int(label.sum())
        if min(positives, len(label) - positives) < _MIN_POSITIVES:
            continue
        score = np.nan_to_num(values[name], nan=-1e30)
        judged = slice(None) if column.numbers is not None else slice(1, None, 2)
        auc = rank_auc(label[judged], score[judged])
        if max(auc, 1 - auc) > MAX_AUC:
            return Leak(column.name, name, f"has alone an AUC of {max(auc, 1 - auc):.3f} for {name}")
        present = ~np.isnan(values[name])
        if column.numbers is not None:
            present &= values[name] != 0
        if (ratio := _ratio(present, label)) >= MIN_RATIO:
            where = "has a value other than 0" if column.numbers is not None else "is filled"
            return Leak(column.name, name, f"{where} {ratio:.1f} times as often where {name} is 1")
    return None


def label_means(codes: np.ndarray, missing: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Returns the mean label of each row's value over the rows with an even index, by which other rows are judged.

    Args:
        codes: Index of each row's value, `(rows,)`.
        missing: Mask of the rows without a value, `(rows,)`.
        label: Labels, 0 or 1, `(rows,)`.
    """
    fit = np.flatnonzero(~missing[::2]) * 2
    size = int(codes.max(initial=0)) + 1
    sums, counts = np.bincount(codes[fit], label[fit], size), np.bincount(codes[fit], minlength=size)
    means = (sums + SMOOTHING * label[::2].mean()) / (counts + SMOOTHING)
    return np.where(missing, np.nan, means[codes])


def _ratio(present: np.ndarray, label: np.ndarray) -> float:
    """Returns the ratio of the shares of rows with a value; 0 if most rows have one or chance may explain it."""
    if present.mean() > 0.5:
        return 0.0
    counts = [float((present & (label == value)).sum()) for value in (0, 1)]
    rows = [float((label == value).sum()) for value in (0, 1)]
    if counts[1] < 5:
        return 0.0
    ratio = (counts[1] / rows[1]) / ((counts[0] + 0.5) / rows[0])
    error = np.sqrt(1 / counts[1] + 1 / (counts[0] + 0.5))
    return float(ratio) if np.log(ratio) > 3 * error else 0.0


def rank_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Returns the AUC of scores, ties counted half.

    Args:
        labels: Labels, 0 or 1, `(rows,)`.
        scores: Finite scores, `(rows,)`.
    """
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    positives = labels.sum()
    negatives = len(labels) - positives
    return float((ranks[inverse][labels == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives))
