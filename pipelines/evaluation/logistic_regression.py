"""Reference model: one-hot logistic regression on the rows of the pipeline."""

import dataclasses
import glob
import json
import math
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from pipelines.evaluation.one_hot_regression import MAX_ROWS, OneHotRegression, binary_outputs
from tfmtl.metrics import roc_auc
from tfmtl.spec import DatasetSpec

NAME = "logistic regression"
_KEPT = "reference.json"


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
    rows = min(train_rows, MAX_ROWS)
    kept = kept_reference(spec, examples_uri, root, rows)
    if kept is not None:
        return Reference(kept, rows, train_rows)
    auc = logistic_regression_auc(spec, examples_uri, train_rows, rows)
    written = {name: None if math.isnan(value) else value for name, value in auc.items()}
    key = {"examples": examples_uri, "spec": spec.hash, "rows": rows}
    (root / _KEPT).write_text(json.dumps({**key, "auc": written}), encoding="utf-8")
    return Reference(auc, rows, train_rows)


def kept_reference(
    spec: DatasetSpec, examples_uri: str, root: pathlib.Path, rows: int | None = None
) -> dict[str, float] | None:
    """Returns the AUC by output that `fit_reference` kept for the same examples and spec; None if it kept none.

    Args:
        spec: Spec of the dataset.
        examples_uri: Folder that ExampleGen wrote.
        root: Folder in which the result is kept.
        rows: Number of rows that the regression should have been fitted on; None for any.
    """
    path = root / _KEPT
    last: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    is_same = (last.get("examples"), last.get("spec")) == (examples_uri, spec.hash)
    if not is_same or rows not in (None, last.get("rows")):
        return None
    return {name: math.nan if value is None else float(value) for name, value in last["auc"].items()}


def logistic_regression_auc(spec: DatasetSpec, examples_uri: str, train_rows: int, max_rows: int) -> dict[str, float]:
    """Fits one-hot logistic regression (`OneHotRegression`), and returns its test AUC.

    Args:
        spec: Spec of the dataset.
        examples_uri: Folder that ExampleGen wrote, with the splits `train` and `test`.
        train_rows: Number of rows of the training split.
        max_rows: Number of training rows to fit the regression on, a random sample if there are more.

    Returns:
        AUC of each binary output by name; NaN if the training or test rows of its space have one class only.
    """
    files = {split: glob.glob(f"{examples_uri}/Split-{split}/*") for split in ("train", "test")}
    regression = OneHotRegression.fit(spec, files["train"], train_rows, max_rows)
    scores, labels = regression.predict(files["test"])
    auc = {}
    for output in binary_outputs(spec):
        rows, target, weights = labels.in_space(spec, output)
        score = scores[output.name][rows]
        auc[output.name] = math.nan if np.isnan(score).any() else roc_auc(target, score, weights)
    return auc
