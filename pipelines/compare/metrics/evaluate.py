"""Metrics of scores, each output on its space."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from pipelines.compare.metrics.names import (
    AUC,
    AUC_ALL,
    CALIBRATION,
    CALIBRATION_ALL,
    ECE,
    GAUC,
    GINI,
    LOG_LOSS,
    NMAE,
    POISSON_LOSS,
    SMAPE,
    TWEEDIE_LOSS,
)
from pipelines.judged_rows import is_judged
from pipelines.prepared.columns import Columns
from tfmtl.metrics import (
    calibration_ratio,
    expected_calibration_error,
    gauc,
    nmae,
    normalized_gini,
    roc_auc,
    smape,
)
from tfmtl.spec import ENTIRE, DatasetSpec, Output

Metrics = Mapping[str, Mapping[str, float]]
"""Metrics by output and name."""
_EPSILON = 1e-7
_LOSSES = {"binary": LOG_LOSS, "count": POISSON_LOSS, "value": TWEEDIE_LOSS}
"""Loss of a task by its kind."""
_MAIN = {"binary": AUC, "count": NMAE, "value": GINI}
"""Metric that a table begins with, by the kind of the task."""


def evaluate(
    spec: DatasetSpec, columns: Columns, scores: Mapping[str, Any], truth: Mapping[str, Any] | None = None
) -> Metrics:
    """Computes the metrics of each output on its space.

    - Binary task: AUC, GAUC (groups weighted by their rows) if there are groups, log loss, calibration (sum of
      predictions over observed events) and expected calibration error.
    - Count: NMAE, SMAPE, Poisson loss and calibration.
    - Value: normalized Gini coefficient, NMAE, Tweedie loss and calibration.

    The conditional space has the rows where the previous label is 1. If the true probabilities are known, an output on
    a conditional space also has the AUC and the calibration on all rows, those included for which there is no label,
    such as P(conversion | click) of impressions without a click; see `auc_of_probabilities`. A value has the
    calibration.

    Args:
        spec: Spec of the dataset.
        columns: Labels and groups of the rows.
        scores: Scores by output, `(rows,)`.
        truth: True probabilities by output, `(rows,)`; None if they are not known.

    Returns:
        Metrics by output and name.

    Raises:
        ValueError: If a score is not finite.
    """
    metrics = {output.name: evaluate_output(spec, output, columns, scores[output.name]) for output in spec.outputs}
    for output in spec.outputs:
        if truth is not None and output.space != ENTIRE:
            probabilities = truth[output.name]
            if spec.task(output.task).kind == "binary":
                metrics[output.name][AUC_ALL] = auc_of_probabilities(probabilities, scores[output.name])
            metrics[output.name][CALIBRATION_ALL] = calibration_ratio(probabilities, scores[output.name])
    return metrics


def auc_of_probabilities(probabilities: Any, scores: Any) -> float:
    """Computes the AUC of scores for labels that are drawn with known probabilities.

    Each row counts as a positive with weight p and as a negative with weight 1 - p.

    Args:
        probabilities: Probability p of each row's label, `(rows,)`.
        scores: Scores, finite numbers, `(rows,)`.
    """
    p, scores = np.asarray(probabilities, np.float64), np.asarray(scores, np.float64)
    labels = np.concatenate([np.ones(len(p)), np.zeros(len(p))])
    return roc_auc(labels, np.concatenate([scores, scores]), np.concatenate([p, 1 - p]))


def evaluate_output(spec: DatasetSpec, output: Output, columns: Columns, scores: Any) -> dict[str, float]:
    """Computes the metrics of one output on its space.

    Args:
        spec: Spec of the dataset.
        output: Output of the spec.
        columns: Labels and groups of the rows.
        scores: Scores of the output, `(rows,)`.

    Returns:
        Metrics by name, as listed at `evaluate`.

    Raises:
        ValueError: If a score is not finite.
    """
    task = spec.task(output.task)
    labels, scores = columns.labels[output.task], np.asarray(scores, np.float64)
    if not np.isfinite(scores).all():
        raise ValueError(f"scores of `{output.name}` should be finite. Received: {scores[~np.isfinite(scores)][0]}")
    rows = is_judged(spec, output, columns.labels, columns.weights)
    labels, scores, weights = labels[rows], scores[rows], columns.weights_of(rows)
    if task.kind == "count":
        return {
            NMAE: nmae(labels, scores, weights),
            SMAPE: smape(labels, scores, weights),
            POISSON_LOSS: poisson_loss(labels, scores, weights),
            CALIBRATION: calibration_ratio(labels, scores, weights),
        }
    if task.kind == "value":
        return {
            GINI: normalized_gini(labels, scores, weights),
            NMAE: nmae(labels, scores, weights),
            TWEEDIE_LOSS: tweedie_loss(labels, scores, task.power, weights),
            CALIBRATION: calibration_ratio(labels, scores, weights),
        }
    metrics = {AUC: roc_auc(labels, scores, weights)}
    if columns.groups is not None:
        metrics[GAUC] = gauc(labels, scores, columns.groups[rows], weights)
    return {
        **metrics,
        LOG_LOSS: log_loss(labels, scores, weights),
        CALIBRATION: calibration_ratio(labels, scores, weights),
        ECE: expected_calibration_error(labels, scores, weights),
    }


def log_loss(labels: Any, scores: Any, weights: Any = None) -> float:
    """Computes the mean of `-y log(p) - (1 - y) log(1 - p)`, with p clipped to [1e-7, 1 - 1e-7].

    Args:
        labels: Labels y, 0 or 1, `(rows,)`.
        scores: Predicted probabilities p, `(rows,)`.
        weights: Weights of the rows, `(rows,)`; 1 by default.

    Returns:
        The log loss; NaN if there are no rows.
    """
    labels = np.asarray(labels, np.float64)
    clipped = np.clip(np.asarray(scores, np.float64), _EPSILON, 1 - _EPSILON)
    losses = -labels * np.log(clipped) - (1 - labels) * np.log1p(-clipped)
    return float(np.average(losses, weights=weights)) if len(losses) else math.nan


def poisson_loss(labels: Any, rates: Any, weights: Any = None) -> float:
    """Computes the mean of `r - y log(r)`, with r clipped to at least 1e-7.

    Args:
        labels: Counts y, `(rows,)`.
        rates: Predicted rates r, `(rows,)`.
        weights: Weights of the rows, `(rows,)`; 1 by default.

    Returns:
        The Poisson loss; NaN if there are no rows.
    """
    labels, rates = np.asarray(labels, np.float64), np.maximum(np.asarray(rates, np.float64), _EPSILON)
    losses = rates - labels * np.log(rates)
    return float(np.average(losses, weights=weights)) if len(losses) else math.nan


def tweedie_loss(labels: Any, means: Any, power: float, weights: Any = None) -> float:
    """Computes the mean of half the unit deviance of Tweedie distributions, with labels and means in units of the mean.

    Both are divided by the weighted mean of the labels, so that the loss does not depend on the unit. Means are clipped
    to at least 1e-7 of it.

    Args:
        labels: Values y, at least 0, `(rows,)`.
        means: Predicted means, `(rows,)`.
        power: Power p of the distribution, above 1 and below 2.
        weights: Weights of the rows, `(rows,)`; 1 by default.

    Returns:
        The loss (`tfmtl.losses.tweedie`); NaN if there are no rows, or all labels are 0.
    """
    labels, means = np.asarray(labels, np.float64), np.asarray(means, np.float64)
    unit = np.average(labels, weights=weights) if len(labels) else 0.0
    if not unit > 0:
        return math.nan
    y, m = labels / unit, np.maximum(means / unit, _EPSILON)
    first, second = 2 - power, power - 1
    losses = m**first / first + y * m**-second / second - y**first / (first * second)
    return float(np.average(losses, weights=weights))


def monitored_value(spec: DatasetSpec, metrics: Metrics, monitor: str) -> float:
    """Returns the value of the early-stopping monitor, computed from exact metrics; higher is better.

    `<output>_auc` is the AUC of the output, and `<output>_gini` its normalized Gini coefficient. `<task>_loss` is the
    negative log loss of the task on all rows, of a count the negative Poisson loss and of a value the negative Tweedie
    loss, and `loss` is the sum over the tasks. Terms and weights that a model adds to its own loss are not included.

    Args:
        spec: Spec of the dataset.
        metrics: Metrics by output and name.
        monitor: Name of the monitor.
    """
    for output in spec.outputs:
        for suffix, name in (("auc", AUC), ("gini", GINI)):
            if monitor == f"{output.name}_{suffix}":
                return metrics[output.name][name]
    losses = {task.name: metrics[task.output][_LOSSES[task.kind]] for task in spec.tasks}
    if monitor == "loss":
        return -sum(losses.values())
    return -losses[monitor.removesuffix("_loss")]


def main_metric(spec: DatasetSpec, output: Output) -> str:
    """Returns the name of the metric that papers print: AUC of a binary task, NMAE of a count, Gini of a value.

    Args:
        spec: Spec of the dataset.
        output: Output of the spec.
    """
    return _MAIN[spec.task(output.task).kind]
