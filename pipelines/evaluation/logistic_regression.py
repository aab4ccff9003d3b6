"""Reference model: one-hot logistic regression on the rows of the pipeline."""

import dataclasses
import json
import math
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from pipelines.evaluation.one_hot_rows import OneHotColumns, RowSample
from tfmtl.metrics import roc_auc
from tfmtl.spec import ENTIRE, DatasetSpec, Output

NAME = "logistic regression"
MAX_ROWS = 500_000
"""Number of training rows above which the regression is fitted on a random sample of that many."""


@dataclasses.dataclass(frozen=True)
class Reference:
    """Test AUC of logistic regression.

    Attributes:
        auc: AUC by output name; NaN if the training or test rows of the output's space have one class only.
        rows: Number of training rows that the regression is fitted on.
        train_rows: Number of rows of the training split.
    """

    auc: Mapping[str, float]
    rows: int
    train_rows: int

    def sample_note(self) -> str | None:
        """Returns a sentence about the sample of the training rows; None if all rows are used."""
        if self.rows >= self.train_rows:
            return None
        return f"The {NAME} is fitted on a random sample of {self.rows:,} of {self.train_rows:,} training rows."


def fit_reference(spec: DatasetSpec, examples_uri: str, root: pathlib.Path, train_rows: int) -> Reference:
    """Returns the test AUC of logistic regression, which is fitted once for the same examples and spec.

    Args:
        spec: Spec of the dataset.
        examples_uri: Folder that ExampleGen wrote, with the splits `train` and `test`.
        root: Folder to keep the result in.
        train_rows: Number of rows of the training split.
    """
    kept = root / "reference.json"
    rows = min(train_rows, MAX_ROWS)
    key = {"examples": examples_uri, "spec": spec.hash, "rows": rows}
    last: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    if all(last.get(name) == value for name, value in key.items()):
        auc = {name: math.nan if value is None else float(value) for name, value in last["auc"].items()}
        return Reference(auc, rows, train_rows)
    auc = logistic_regression_auc(spec, examples_uri, train_rows, rows)
    written = {name: None if math.isnan(value) else value for name, value in auc.items()}
    kept.write_text(json.dumps({**key, "auc": written}), encoding="utf-8")
    return Reference(auc, rows, train_rows)


def logistic_regression_auc(spec: DatasetSpec, examples_uri: str, train_rows: int, max_rows: int) -> dict[str, float]:
    """Fits scikit-learn's logistic regression (C = 1) on one-hot raw features, and returns its test AUC.

    The columns are those of `pipelines.evaluation.one_hot_rows.OneHotColumns`, divided by their largest absolute value
    in the training rows, with which the solver needs a third of the time. Each binary output has its own regression, on
    the rows of its space.

    Args:
        spec: Spec of the dataset.
        examples_uri: Folder that ExampleGen wrote, with the splits `train` and `test`.
        train_rows: Number of rows of the training split.
        max_rows: Number of training rows to fit the regression on, a random sample if there are more.

    Returns:
        AUC of each binary output by name; NaN if the training or test rows of its space have one class only.
    """
    columns = OneHotColumns(spec)
    train, train_labels = _training_rows(columns, f"{examples_uri}/Split-train/*", RowSample(train_rows, max_rows))
    largest = abs(train).max(axis=0).toarray().ravel()
    scale = sparse.diags(1 / np.where(largest > 0, largest, 1.0))
    train = train @ scale
    outputs = [output for output in spec.outputs if spec.task(output.task).kind == "binary"]
    models = {output.name: _fit(train, *_rows_and_labels(spec, output, train_labels)) for output in outputs}

    scores: dict[str, list[np.ndarray]] = {output.name: [] for output in outputs}
    targets: dict[str, list[np.ndarray]] = {output.name: [] for output in outputs}
    for matrix, labels in columns.read(f"{examples_uri}/Split-test/*", grow=False):
        for output in outputs:
            rows, target = _rows_and_labels(spec, output, labels)
            model = models[output.name]
            if model is not None and len(rows):
                scores[output.name].append(model.decision_function(matrix[rows] @ scale))
                targets[output.name].append(target)
    return {name: _auc(targets[name], scores[name]) for name in scores}


def _training_rows(
    columns: OneHotColumns, pattern: str, sample: RowSample
) -> tuple[sparse.csr_matrix, dict[str, np.ndarray]]:
    """Returns a sample of the training rows as one matrix, and their labels by name."""
    parts = list(columns.read(pattern, grow=True, sample=sample))
    for matrix, _ in parts:
        matrix.resize(matrix.shape[0], max(1, len(columns.indices)))
    labels = {label: np.concatenate([part[label] for _, part in parts]) for label in columns.spec.labels}
    return sparse.vstack([matrix for matrix, _ in parts], format="csr"), labels


def _rows_and_labels(
    spec: DatasetSpec, output: Output, labels: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the indices of the rows in the output's space, and the labels of these rows."""
    task = spec.task(output.task)
    rows = np.arange(len(labels[task.label]))
    if output.space != ENTIRE and task.follows:
        rows = np.flatnonzero(labels[spec.task(task.follows).label] == 1)
    return rows, labels[task.label][rows]


def _fit(train: sparse.csr_matrix, rows: np.ndarray, labels: np.ndarray) -> LogisticRegression | None:
    """Fits a regression; None if the rows have one class only."""
    if len(np.unique(labels)) < 2:
        return None
    return LogisticRegression(C=1.0, solver="lbfgs", max_iter=1000).fit(train[rows], labels)


def _auc(labels: list[np.ndarray], scores: list[np.ndarray]) -> float:
    return roc_auc(np.concatenate(labels), np.concatenate(scores)) if scores else math.nan
