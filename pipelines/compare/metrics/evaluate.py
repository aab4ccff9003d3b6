"""The metrics of scores: each output on its space."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from pipelines.compare.data.prepared import Columns
from tfmtl.metrics import calibration_ratio, expected_calibration_error, gauc, nmae, roc_auc, smape
from tfmtl.spec import ENTIRE, DatasetSpec, Output

AUC, GAUC, LOG_LOSS, CALIBRATION, ECE = "auc", "gauc", "log_loss", "calibration", "ece"
NMAE, SMAPE, POISSON_LOSS = "nmae", "smape", "poisson_loss"
AUC_ALL, CALIBRATION_ALL = "auc_all_rows", "calibration_all_rows"
"""Of an output given the previous task, on all rows against the truth: what a sample that was selected cannot show."""
HIGHER_IS_BETTER = {
    AUC: True,
    GAUC: True,
    LOG_LOSS: False,
    ECE: False,
    NMAE: False,
    SMAPE: False,
    POISSON_LOSS: False,
    AUC_ALL: True,
}
"""Of each metric that can be better or worse; a calibration is best at 1."""
Metrics = Mapping[str, Mapping[str, float]]
"""By output and name."""
_SMALLEST = 1e-7


def evaluate(
    spec: DatasetSpec, columns: Columns, scores: Mapping[str, Any], truth: Mapping[str, Any] | None = None
) -> Metrics:
    """The metrics of each output on its space: on the conditional one, on the rows whose previous label is 1.

    Binary: AUC, GAUC (groups weighed by their rows) where there are groups, log loss, calibration (predicted over
    observed events) and expected calibration error. Counts: NMAE, SMAPE, Poisson loss, calibration.

    Where the truth is known, an output on a conditional space is also measured on all rows: P(conversion | click) of the
    rows that nobody clicked, for which there is no label. See `auc_of_truth`.

    Args:
        spec: of the data set.
        columns: labels and groups.
        scores: `(rows,)` by output.
        truth: the true probabilities by output; None where they are not known.

    Raises:
        ValueError: if a score is not finite.
    """
    found = {output.name: evaluate_output(spec, output, columns, scores[output.name]) for output in spec.outputs}
    for output in spec.outputs:
        if truth is not None and output.space != ENTIRE:
            found[output.name][AUC_ALL] = auc_of_truth(truth[output.name], scores[output.name])
            found[output.name][CALIBRATION_ALL] = calibration_ratio(truth[output.name], scores[output.name])
    return found


def auc_of_truth(probabilities: Any, scores: Any) -> float:
    """The AUC of labels that are drawn with these probabilities: each row is positive by p, negative by 1 - p.

    Args:
        probabilities: p, `(rows,)`.
        scores: any finite numbers, `(rows,)`.
    """
    p, scores = np.asarray(probabilities, np.float64), np.asarray(scores, np.float64)
    labels = np.concatenate([np.ones(len(p)), np.zeros(len(p))])
    return roc_auc(labels, np.concatenate([scores, scores]), np.concatenate([p, 1 - p]))


def evaluate_output(spec: DatasetSpec, output: Output, columns: Columns, scores: Any) -> dict[str, float]:
    """The metrics of one output; see `evaluate`."""
    task = spec.task(output.task)
    labels, scores = columns.labels[output.task], np.asarray(scores, np.float64)
    if not np.isfinite(scores).all():
        raise ValueError(f"scores of `{output.name}` should be finite. Received: {scores[~np.isfinite(scores)][0]}")
    rows = rows_of_space(spec, output, columns)
    labels, scores = labels[rows], scores[rows]
    if task.kind == "count":
        return {
            NMAE: nmae(labels, scores),
            SMAPE: smape(labels, scores),
            POISSON_LOSS: poisson_loss(labels, scores),
            CALIBRATION: calibration_ratio(labels, scores),
        }
    metrics = {AUC: roc_auc(labels, scores)}
    if columns.groups is not None:
        metrics[GAUC] = gauc(labels, scores, columns.groups[rows])
    return {
        **metrics,
        LOG_LOSS: log_loss(labels, scores),
        CALIBRATION: calibration_ratio(labels, scores),
        ECE: expected_calibration_error(labels, scores),
    }


def rows_of_space(spec: DatasetSpec, output: Output, columns: Columns) -> np.ndarray:
    """Which rows an output is measured on, `(rows,)` of bool: those of its space."""
    task = spec.task(output.task)
    if output.space != ENTIRE and task.follows is not None:
        return columns.labels[task.follows] == 1
    return np.ones(len(columns.labels[output.task]), bool)


def log_loss(labels: Any, scores: Any) -> float:
    """Mean of `-y log(p) - (1 - y) log(1 - p)`, p kept 1e-7 away from 0 and 1; NaN where there are no rows."""
    labels = np.asarray(labels, np.float64)
    clipped = np.clip(np.asarray(scores, np.float64), _SMALLEST, 1 - _SMALLEST)
    losses = -labels * np.log(clipped) - (1 - labels) * np.log1p(-clipped)
    return float(losses.mean()) if len(losses) else math.nan


def poisson_loss(labels: Any, rates: Any) -> float:
    """Mean of `r - y log(r)`, r at least 1e-7; NaN where there are no rows."""
    labels, rates = np.asarray(labels, np.float64), np.maximum(np.asarray(rates, np.float64), _SMALLEST)
    losses = rates - labels * np.log(rates)
    return float(losses.mean()) if len(losses) else math.nan


def monitored(spec: DatasetSpec, metrics: Metrics, monitor: str) -> float:
    """The monitor of early stopping as a number that is better the higher it is, from exact metrics.

    `<output>_auc` is that AUC. `<task>_loss` is the log loss (of a count, the Poisson loss) of the task on all rows,
    and `loss` the sum of these over the tasks, both negated. What a model adds to its own loss, a penalty or a weight,
    has no part in it.
    """
    for output in spec.outputs:
        if monitor == f"{output.name}_auc":
            return metrics[output.name][AUC]
    losses = {
        task.name: metrics[task.output][LOG_LOSS if task.kind == "binary" else POISSON_LOSS] for task in spec.tasks
    }
    if monitor == "loss":
        return -sum(losses.values())
    return -losses[monitor.removesuffix("_loss")]


def main_metric(spec: DatasetSpec, output: Output) -> str:
    """The metric that papers print: AUC of an event, NMAE of a count."""
    return AUC if spec.task(output.task).kind == "binary" else NMAE
