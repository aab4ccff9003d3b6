"""Histograms of the scores of negative and positive rows, from which the curves of a report are drawn."""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from tfx.dsl.io import fileio

from pipelines.evaluation.accumulator import BINS, LIMIT, Accumulator
from pipelines.evaluation.block_statistics import Histograms

SCORES = "score_histograms.json"
"""Name of the file in an evaluation's folder."""
CANDIDATE, BASELINE = "candidate", "baseline"
_CELLS = 1000
"""Number of cells that a histogram has about, each with as many rows as the others where scores differ enough."""


@dataclasses.dataclass(frozen=True)
class ScoreHistogram:
    """Histogram of the scores of a binary output on all rows of its space, by ascending score.

    Attributes:
        score: Mean score of the rows of each cell, `(cells,)`; its relative error is below 0.001, as the Evaluator
            counts logits in bins of 0.002.
        negatives: Number of negative rows in each cell, or the sum of their weights, `(cells,)`.
        positives: Number of positive rows in each cell, or the sum of their weights, `(cells,)`.

    Example:
        >>> import numpy as np
        >>> from pipelines.evaluation.score_histograms import ScoreHistogram
        >>> histogram = ScoreHistogram(np.array([0.1, 0.8]), np.array([3, 1]), np.array([1, 3]))
        >>> histogram.rows, histogram.auc
        (8, 0.75)
    """

    score: np.ndarray
    negatives: np.ndarray
    positives: np.ndarray

    @property
    def rows(self) -> int:
        """Number of rows."""
        return round(float(self.negatives.sum() + self.positives.sum()))

    @property
    def auc(self) -> float:
        """AUC, in which pairs of rows of the same cell count half; NaN if there is one class only."""
        below = np.cumsum(self.negatives) - self.negatives / 2
        pairs = float(self.negatives.sum() * self.positives.sum())
        return float((self.positives * below).sum() / pairs) if pairs else float("nan")

    def to_plain(self) -> dict[str, list[float]]:
        """Returns the histogram as plain data; scores have six significant digits."""
        return {
            "score": [float(f"{value:.6g}") for value in self.score],
            "negatives": self.negatives.tolist(),
            "positives": self.positives.tolist(),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "ScoreHistogram":
        """Builds the histogram from the output of `to_plain`."""
        return cls(*(np.asarray(plain[name]) for name in ("score", "negatives", "positives")))


Scores = Mapping[str, Mapping[str, ScoreHistogram]]
"""Histograms by output, and by `candidate` and `baseline`."""


def score_histograms(accumulator: Accumulator) -> dict[str, ScoreHistogram]:
    """Returns the histograms of an output's scores on all rows; nothing for a count.

    Args:
        accumulator: Accumulator of the output.

    Returns:
        The histogram of the candidate, and that of the served model if there is one.
    """
    if accumulator.is_count:
        return {}
    both = accumulator.as_one_slice().histograms(0, 1)[:2]
    named = zip((CANDIDATE, BASELINE), both, strict=True)
    return {name: _joined_cells(cells) for name, cells in named if len(cells.bins)}


def write_scores(directory: str, scores: Scores) -> None:
    """Writes the histograms of an evaluation.

    Args:
        directory: Folder of the evaluation.
        scores: Histograms by output and model.
    """
    plain = {output: {model: one.to_plain() for model, one in found.items()} for output, found in scores.items()}
    with fileio.open(f"{directory}/{SCORES}", "w") as file:
        file.write(json.dumps(plain))


def read_scores(directory: str) -> Scores:
    """Reads the histograms that `write_scores` wrote; nothing if an earlier version made the evaluation.

    Args:
        directory: Folder of the evaluation.
    """
    path = f"{directory}/{SCORES}"
    if not fileio.exists(path):
        return {}
    with fileio.open(path) as file:
        plain = json.loads(file.read())
    return {
        output: {model: ScoreHistogram.from_plain(one) for model, one in found.items()}
        for output, found in plain.items()
    }


def _joined_cells(cells: Histograms) -> ScoreHistogram:
    """Joins neighbouring bins to cells of about the same number of rows."""
    negatives, positives = (np.bincount(cells.bins, part, BINS) for part in (cells.negatives, cells.positives))
    bins = np.flatnonzero(negatives + positives)
    rows = (negatives + positives)[bins]
    middle = np.cumsum(rows) - rows / 2
    cell = np.unique((middle / rows.sum() * _CELLS).astype(np.int64), return_inverse=True)[1]
    logits = ((bins + 0.5) / (BINS / 2) - 1) * LIMIT
    total = np.bincount(cell, rows)
    score = np.bincount(cell, rows / (1 + np.exp(-logits))) / total
    return ScoreHistogram(score, *(_whole(np.bincount(cell, part[bins])) for part in (negatives, positives)))


def _whole(values: Iterable[float]) -> np.ndarray:
    """Returns numbers of rows as integers, and sums of weights as they are."""
    given = np.asarray(values)
    whole = np.rint(given)
    return whole.astype(np.int64) if np.allclose(given, whole, rtol=0, atol=1e-6) else given
