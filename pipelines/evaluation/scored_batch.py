"""Batch of test rows with the scores of the candidate and of the served model."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from pipelines.judged_rows import judged_rows
from tfmtl.spec import DatasetSpec, Output


@dataclasses.dataclass(frozen=True)
class ScoredBatch:
    """Batch of scored rows.

    Attributes:
        labels: Labels by column, NaN where they are not known, float64 `(rows,)`.
        scores: Scores of the candidate by output, float64 `(rows,)`.
        baseline: Scores of the served model by output; empty if there is none.
        scenarios: Scenario of each row as bytes, empty for none, `(rows,)`; None if the spec has no scenario.
        groups: Hash of each row's group key, or of the row if the spec has none, int64 `(rows,)`.
        weights: Weights of the rows, float64 `(rows,)`; None for weights of 1.
    """

    labels: Mapping[str, np.ndarray]
    scores: Mapping[str, np.ndarray]
    baseline: Mapping[str, np.ndarray]
    scenarios: np.ndarray | None
    groups: np.ndarray
    weights: np.ndarray | None = None

    def rows(self, spec: DatasetSpec, output: Output) -> np.ndarray:
        """Returns the indices of the rows in an output's space that have a known label and a weight above 0.

        Args:
            spec: Spec of the dataset.
            output: Output of the spec.
        """
        return judged_rows(spec, output, self.labels, self.weights)


def joined(batches: Sequence[ScoredBatch]) -> ScoredBatch:
    """Returns one batch with the rows of several.

    Args:
        batches: Batches of the same models, at least one.
    """

    def join(columns: Sequence[Mapping[str, np.ndarray]]) -> Mapping[str, np.ndarray]:
        return {name: np.concatenate([one[name] for one in columns]) for name in columns[0]}

    scenarios = [one.scenarios for one in batches if one.scenarios is not None]
    weights = [one.weights for one in batches if one.weights is not None]
    return ScoredBatch(
        labels=join([one.labels for one in batches]),
        scores=join([one.scores for one in batches]),
        baseline=join([one.baseline for one in batches]),
        scenarios=np.concatenate(scenarios) if scenarios else None,
        groups=np.concatenate([one.groups for one in batches]),
        weights=np.concatenate(weights) if weights else None,
    )
