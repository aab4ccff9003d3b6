"""Errors of predicted counts, overall and by scenario."""

import dataclasses
from typing import Any

import numpy as np

from tfmtl.metrics.columns import as_floats, check_lengths


@dataclasses.dataclass(frozen=True)
class CountErrors:
    """Errors over some rows.

    Attributes:
        nmae: see `nmae`.
        smape: see `smape`.
        rows: how many rows they are over.
    """

    nmae: float
    smape: float
    rows: int


def nmae(labels: Any, predictions: Any) -> float:
    """Normalized mean absolute error: `sum_i |p_i - y_i| / sum_i y_i`; rows of large counts decide it.

    Args:
        labels: y, counts, `(rows,)`.
        predictions: p, rates, at least 0, `(rows,)`.

    Returns:
        The error; NaN where nothing was counted.

    Raises:
        ValueError: if the lengths differ, or a number is negative.

    References:
        - M2M, equation 22
    """
    labels, predictions = _columns(labels, predictions)
    counted = labels.sum()
    return float(np.abs(predictions - labels).sum() / counted) if counted > 0 else float("nan")


def smape(labels: Any, predictions: Any) -> float:
    """Symmetric mean absolute percentage error: `mean_i |p_i - y_i| / ((p_i + y_i) / 2)`, in [0, 2]; each row as much.

    **D** the term of a row with `p = y = 0`, 0 / 0 in the paper, is 0: the prediction is right.

    Args:
        labels: y, counts, `(rows,)`.
        predictions: p, rates, at least 0, `(rows,)`.

    Returns:
        The error; NaN where there are no rows.

    Raises:
        ValueError: if the lengths differ, or a number is negative.

    References:
        - M2M, equation 21
    """
    labels, predictions = _columns(labels, predictions)
    if not len(labels):
        return float("nan")
    middle = (predictions + labels) / 2
    terms = np.abs(predictions - labels) / np.where(middle > 0, middle, 1.0)
    return float(terms.mean())


def count_errors(labels: Any, predictions: Any) -> CountErrors:
    """Both errors over all rows. Args and errors raised: as for `nmae`."""
    return CountErrors(nmae(labels, predictions), smape(labels, predictions), np.size(labels))


def count_errors_by_scenario(labels: Any, predictions: Any, scenarios: Any) -> dict[Any, CountErrors]:
    """Both errors over the rows of each scenario, in the order of the scenarios' names.

    Args:
        labels: y, counts, `(rows,)`.
        predictions: p, rates, at least 0, `(rows,)`.
        scenarios: numbers or texts, `(rows,)`.

    Raises:
        ValueError: if the lengths differ, or a number is negative.
    """
    labels, predictions = _columns(labels, predictions)
    scenarios = np.asarray(scenarios).ravel()
    check_lengths(labels=labels, scenarios=scenarios)
    names, scenario = np.unique(scenarios, return_inverse=True)
    ends = np.cumsum(np.bincount(scenario))
    parts = np.split(np.argsort(scenario, kind="stable"), ends)  # The last part, after all ends, is empty.
    by_name = zip(names.tolist(), parts[:-1], strict=True)
    return {name: count_errors(labels[rows], predictions[rows]) for name, rows in by_name}


def _columns(labels: Any, predictions: Any) -> tuple[np.ndarray, np.ndarray]:
    labels, predictions = as_floats(labels), as_floats(predictions)
    check_lengths(labels=labels, predictions=predictions)
    for name, column in (("labels", labels), ("predictions", predictions)):
        if column.size and column.min() < 0:
            raise ValueError(f"`{name}` should be at least 0. Received: {column.min():g}")
    return labels, predictions
