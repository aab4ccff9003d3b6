"""Calibration: how far predicted probabilities and rates are from observed frequencies."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfmtl.metrics.columns import as_floats, check_lengths
from tfmtl.spec import ENTIRE, DatasetSpec


@dataclasses.dataclass(frozen=True)
class Calibration:
    """Of one output on its space.

    Attributes:
        ratio: predicted over observed events, see `calibration_ratio`.
        error: see `expected_calibration_error`.
    """

    ratio: float
    error: float


def calibration_ratio(labels: Any, predictions: Any, weights: Any = None) -> float:
    """`sum_i w_i p_i / sum_i w_i y_i`: above 1, more is predicted than happens.

    Args:
        labels: y, events or counts, `(rows,)`.
        predictions: p, probabilities or rates, `(rows,)`.
        weights: w, not negative, `(rows,)`; 1 by default.

    Returns:
        The ratio; NaN where nothing was observed.
    """
    labels, predictions, weights = _columns(labels, predictions, weights)
    observed = np.sum(weights * labels)
    return float(np.sum(weights * predictions) / observed) if observed > 0 else float("nan")


def expected_calibration_error(labels: Any, predictions: Any, weights: Any = None, bins: int = 10) -> float:
    """`sum_b W_b / W |mean_b(p) - mean_b(y)|` over bins of equal mass of the predictions.

    Bins of equal mass resolve rare events, whose predictions all fall into the first of ten bins of equal width. Rows
    of one prediction are never divided, so that the value does not depend on the order of the rows: a bin takes all
    predictions whose middle lies in its share of the mass.

    Args:
        labels: y, events or counts, `(rows,)`.
        predictions: p, probabilities or rates, `(rows,)`.
        weights: w, not negative, `(rows,)`; 1 by default.
        bins: how many.

    Returns:
        The error, in the unit of the predictions; NaN where there are no rows.

    References:
        - Naeini et al., 2015, Obtaining Well Calibrated Probabilities Using Bayesian Binning (AAAI)
    """
    if bins < 1:
        raise ValueError(f"`bins` should be at least 1. Received: {bins}")
    labels, predictions, weights = _columns(labels, predictions, weights)
    total = weights.sum()
    if not total > 0:
        return float("nan")
    values, tie = np.unique(predictions, return_inverse=True)
    mass = np.bincount(tie, weights)
    middle = np.cumsum(mass) - mass / 2
    bin_of = np.minimum((middle / total * bins).astype(int), bins - 1)
    gaps = np.bincount(bin_of, mass * values - np.bincount(tie, weights * labels))
    return float(np.sum(np.abs(gaps)) / total)


def calibration(
    spec: DatasetSpec,
    labels: Mapping[str, Any],
    outputs: Mapping[str, Any],
    weights: Any = None,
    bins: int = 10,
) -> dict[str, Calibration]:
    """Ratio and error of each output on its space: on the conditional one, a row weighs what its previous label is.

    Args:
        spec: of the data set.
        labels: `(rows,)` by task.
        outputs: `(rows,)` by output, as `MultiTaskModel.predict` gives them.
        weights: `(rows,)`; 1 by default.
        bins: of the expected calibration error.

    Returns:
        Calibrations by output.
    """
    found = {}
    for output in spec.outputs:
        of_task, predictions = labels[output.task], outputs[output.name]
        of_rows = np.ones(len(of_task)) if weights is None else as_floats(weights)
        follows = spec.task(output.task).follows
        if output.space != ENTIRE and follows is not None:
            of_rows = of_rows * as_floats(labels[follows])
        ratio = calibration_ratio(of_task, predictions, of_rows)
        found[output.name] = Calibration(ratio, expected_calibration_error(of_task, predictions, of_rows, bins))
    return found


def _columns(labels: Any, predictions: Any, weights: Any) -> tuple[np.ndarray, ...]:
    labels, predictions = as_floats(labels), as_floats(predictions)
    weights = np.ones_like(predictions) if weights is None else as_floats(weights)
    check_lengths(labels=labels, predictions=predictions, weights=weights)
    return labels, predictions, weights
