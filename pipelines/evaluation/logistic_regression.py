"""Reference model: one-hot linear regression on the rows of the pipeline, logistic or of values."""

import dataclasses
import glob
import json
import math
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from pipelines.evaluation.one_hot_regression import MAX_ROWS, OneHotRegression, linear_outputs
from tfmtl.metrics import normalized_gini, roc_auc
from tfmtl.spec import DatasetSpec

NAME = "logistic regression"
_KEPT = "reference.json"


@dataclasses.dataclass(frozen=True)
class Reference:
    """Test metrics of logistic regression, and of the Tweedie regression of values.

    Attributes:
        auc: AUC of each binary output by name; NaN if the training or test rows of its space have one class only.
        gini: Normalized Gini coefficient of each output of a value by name; NaN if it is not defined.
        rows: Number of training rows that the regression is fitted on.
        train_rows: Number of rows of the training split.
    """

    auc: Mapping[str, float]
    gini: Mapping[str, float]
    rows: int
    train_rows: int

    def sample_note(self) -> str | None:
        """Returns a sentence about the sample of the training rows; None if all rows are used."""
        if self.rows >= self.train_rows:
            return None
        return f"The {NAME} is fitted on a random sample of {self.rows:,} of {self.train_rows:,} training rows."


def fit_reference(spec: DatasetSpec, examples_uri: str, root: pathlib.Path, train_rows: int) -> Reference:
    """Returns the test metrics of the linear models, which are fitted once for the same examples and spec.

    Args:
        spec: Spec of the dataset.
        examples_uri: Folder that ExampleGen wrote, with the splits `train` and `test`.
        root: Folder to keep the result in.
        train_rows: Number of rows of the training split.
    """
    rows = min(train_rows, MAX_ROWS)
    kept = kept_reference(spec, examples_uri, root, rows)
    if kept is None:
        kept = linear_metrics(spec, examples_uri, train_rows, rows)
        written = {name: None if math.isnan(value) else value for name, value in kept.items()}
        key = {"examples": examples_uri, "spec": spec.hash, "rows": rows}
        (root / _KEPT).write_text(json.dumps({**key, "auc": written}), encoding="utf-8")
    values = {output.name for output in spec.outputs if spec.task(output.task).kind == "value"}
    auc, gini = (
        {name: one for name, one in kept.items() if (name in values) == is_value} for is_value in (False, True)
    )
    return Reference(auc, gini, rows, train_rows)


def kept_reference(
    spec: DatasetSpec, examples_uri: str, root: pathlib.Path, rows: int | None = None
) -> dict[str, float] | None:
    """Returns the metrics by output that `fit_reference` kept for the same examples and spec; None if it kept none.

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


def linear_metrics(spec: DatasetSpec, examples_uri: str, train_rows: int, max_rows: int) -> dict[str, float]:
    """Fits one-hot linear regression (`OneHotRegression`), and returns its test AUC, or Gini coefficient of a value.

    Args:
        spec: Spec of the dataset.
        examples_uri: Folder that ExampleGen wrote, with the splits `train` and `test`.
        train_rows: Number of rows of the training split.
        max_rows: Number of training rows to fit the regression on, a random sample if there are more.

    Returns:
        AUC of each binary output, and normalized Gini coefficient of each output of a value, by name; NaN if the
        training or test rows of its space have one class only, or equal values.
    """
    files = {split: glob.glob(f"{examples_uri}/Split-{split}/*") for split in ("train", "test")}
    regression = OneHotRegression.fit(spec, files["train"], train_rows, max_rows)
    scores, labels = regression.predict(files["test"])
    found = {}
    for output in linear_outputs(spec):
        rows, target, weights = labels.in_space(spec, output)
        score = scores[output.name][rows]
        metric = roc_auc if spec.task(output.task).kind == "binary" else normalized_gini
        found[output.name] = math.nan if np.isnan(score).any() else metric(target, score, weights)
    return found
