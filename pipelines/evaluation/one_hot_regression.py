"""One-hot linear regression: a logistic model of each binary output, and a Tweedie model of each value."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression, TweedieRegressor

from pipelines.evaluation.one_hot_rows import LabelledRows, OneHotColumns, RowSample, joined
from tfmtl.spec import DatasetSpec, Output

MAX_ROWS = 500_000
"""Number of training rows above which the regression is fitted on a random sample of that many."""


@dataclasses.dataclass(frozen=True)
class OneHotRegression:
    """scikit-learn's logistic regression, and its Tweedie regression of values, on one-hot raw features.

    The columns are those of `pipelines.evaluation.one_hot_rows.OneHotColumns`, divided by their largest absolute value
    in the training rows, with which the solver needs a third of the time. Each output of a binary task or of a value
    without an offset has its own regression, on the rows of its space. That of a value predicts the logarithm of the
    mean, in units of the mean label; its loss is half the unit deviance, and its regularization that of the others.

    Attributes:
        columns: Columns of the matrix.
        scale: Factor of each column, a diagonal matrix.
        models: Regression of each output by name; None if its training rows have one class only, or only values of 0.
        units: Mean label of the training rows of each value by output; 1 for binary outputs.
    """

    columns: OneHotColumns
    scale: sparse.dia_matrix
    models: Mapping[str, LogisticRegression | TweedieRegressor | None]
    units: Mapping[str, float]

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
        models: dict[str, LogisticRegression | TweedieRegressor | None] = {}
        units = {}
        for output in linear_outputs(spec):
            rows, target, weights = labels.in_space(spec, output)
            units[output.name] = 1.0
            if spec.task(output.task).kind == "binary":
                models[output.name] = _fit(train[rows], target, weights, inverse_regularization)
                continue
            units[output.name] = float(np.average(target, weights=weights)) if target.any() else 1.0
            target = target / units[output.name]
            power = spec.task(output.task).power
            models[output.name] = _fit_values(train[rows], target, weights, inverse_regularization, power)
        return cls(columns, scale, models, units)

    @property
    def parameters(self) -> int:
        """Number of weights and intercepts."""
        return sum(model.coef_.size + 1 for model in self.models.values() if model is not None)

    def predict(self, files: Sequence[str]) -> tuple[dict[str, np.ndarray], LabelledRows]:
        """Scores the rows of files.

        Args:
            files: TFRecord files, compressed with GZIP.

        Returns:
            Probabilities of the positive class, or means of values, by output, NaN where the output has no regression,
            each `(rows,)`; and the labels and weights of the rows.
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
                {name: self.units[name] * _predict(model, scaled) for name, model in self.models.items()},
                labels,
            )


def linear_outputs(spec: DatasetSpec) -> list[Output]:
    """Returns the outputs that have a regression: those of binary tasks, and of values without an offset.

    Args:
        spec: Spec of the dataset.
    """
    tasks = {task.name for task in spec.tasks if task.kind != "count" and task.offset is None}
    return [output for output in spec.outputs if output.task in tasks]


def _predict(model: LogisticRegression | TweedieRegressor | None, rows: sparse.csr_matrix) -> np.ndarray:
    if model is None:
        return np.full(rows.shape[0], np.nan)
    if isinstance(model, TweedieRegressor):
        means: np.ndarray = model.predict(rows)
        return means
    probabilities: np.ndarray = model.predict_proba(rows)[:, 1]
    return probabilities


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


def _fit_values(
    train: sparse.csr_matrix,
    values: np.ndarray,
    weights: np.ndarray | None,
    inverse_regularization: float,
    power: float,
) -> TweedieRegressor | None:
    """Fits a regression of values with the mean 1; None if all of them are 0."""
    if not values.any():
        return None
    total = len(values) if weights is None else weights.sum()
    # scikit-learn averages the loss over the rows here, but sums it in its logistic regression.
    regression = TweedieRegressor(
        power=power, link="log", alpha=1 / (inverse_regularization * total), solver="lbfgs", max_iter=1000
    )
    return regression.fit(train, values, weights)
