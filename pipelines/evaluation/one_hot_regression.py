"""One-hot logistic regression: a linear model of each binary output on raw features."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from pipelines.evaluation.one_hot_rows import LabelledRows, OneHotColumns, RowSample, joined
from tfmtl.spec import DatasetSpec, Output

MAX_ROWS = 500_000
"""Number of training rows above which the regression is fitted on a random sample of that many."""


@dataclasses.dataclass(frozen=True)
class OneHotRegression:
    """scikit-learn's logistic regression on one-hot raw features.

    The columns are those of `pipelines.evaluation.one_hot_rows.OneHotColumns`, divided by their largest absolute value
    in the training rows, with which the solver needs a third of the time. Each binary output has its own regression, on
    the rows of its space.

    Attributes:
        columns: Columns of the matrix.
        scale: Factor of each column, a diagonal matrix.
        models: Regression of each binary output by name; None if its training rows have one class only.
    """

    columns: OneHotColumns
    scale: sparse.dia_matrix
    models: Mapping[str, LogisticRegression | None]

    @classmethod
    def fit(
        cls,
        spec: DatasetSpec,
        files: Sequence[str],
        train_rows: int,
        max_rows: int = MAX_ROWS,
        inverse_regularization: float = 1.0,
    ) -> "OneHotRegression":
        """Fits the regressions.

        Args:
            spec: Spec of the dataset.
            files: TFRecord files of the training rows, compressed with GZIP.
            train_rows: Number of training rows.
            max_rows: Number of rows to fit the regressions on, a random sample if there are more.
            inverse_regularization: scikit-learn's `C`, the weight of the log loss against half the squared norm.
        """
        columns = OneHotColumns(spec)
        train, labels = _training_rows(columns, files, RowSample(train_rows, max_rows))
        largest = abs(train).max(axis=0).toarray().ravel()
        scale = sparse.diags(1 / np.where(largest > 0, largest, 1.0))
        train = train @ scale
        models = {}
        for output in binary_outputs(spec):
            rows, target, weights = labels.in_space(spec, output)
            models[output.name] = _fit(train[rows], target, weights, inverse_regularization)
        return cls(columns, scale, models)

    @property
    def parameters(self) -> int:
        """Number of weights and intercepts."""
        return sum(model.coef_.size + 1 for model in self.models.values() if model is not None)

    def predict(self, files: Sequence[str]) -> tuple[dict[str, np.ndarray], LabelledRows]:
        """Scores the rows of files.

        Args:
            files: TFRecord files, compressed with GZIP.

        Returns:
            Probabilities of the positive class by output, NaN where the output has no regression, each `(rows,)`; and
            the labels and weights of the rows.
        """
        batches = list(self.predict_batches(files))
        scores = {name: np.concatenate([one[name] for one, _ in batches]) for name in self.models}
        return scores, joined([one for _, one in batches])

    def predict_batches(self, files: Sequence[str]) -> Iterator[tuple[dict[str, np.ndarray], LabelledRows]]:
        """Scores the rows of files in batches.

        Args:
            files: TFRecord files, compressed with GZIP.

        Yields:
            What `predict` returns, of the next rows.
        """
        for matrix, labels in self.columns.read(files, grow=False):
            scaled = matrix @ self.scale
            yield (
                {
                    name: np.full(scaled.shape[0], np.nan) if model is None else model.predict_proba(scaled)[:, 1]
                    for name, model in self.models.items()
                },
                labels,
            )


def binary_outputs(spec: DatasetSpec) -> list[Output]:
    """Returns the outputs of binary tasks.

    Args:
        spec: Spec of the dataset.
    """
    return [output for output in spec.outputs if spec.task(output.task).kind == "binary"]


def _training_rows(
    columns: OneHotColumns, files: Sequence[str], sample: RowSample
) -> tuple[sparse.csr_matrix, LabelledRows]:
    """Returns a sample of the training rows as one matrix, and their labels and weights."""
    parts = list(columns.read(files, grow=True, sample=sample))
    for matrix, _ in parts:
        matrix.resize(matrix.shape[0], max(1, len(columns.indices)))
    return sparse.vstack([matrix for matrix, _ in parts], format="csr"), joined([part for _, part in parts])


def _fit(
    train: sparse.csr_matrix, labels: np.ndarray, weights: np.ndarray | None, inverse_regularization: float
) -> LogisticRegression | None:
    """Fits a regression; None if the rows have one class only."""
    if len(np.unique(labels)) < 2:
        return None
    regression = LogisticRegression(C=inverse_regularization, solver="lbfgs", max_iter=1000)
    return regression.fit(train, labels, weights)
