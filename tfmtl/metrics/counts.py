"""Errors of predicted counts, overall and by scenario."""

import dataclasses
from typing import Any

import keras
import numpy as np
from keras import ops

from tfmtl.metrics.columns import check_lengths, flatten_columns, weighted_columns
from tfmtl.types import Tensor, TensorLike


@dataclasses.dataclass(frozen=True)
class CountErrors:
    """Errors of predicted counts over a set of rows.

    Attributes:
        nmae: Normalized mean absolute error, see `nmae`.
        smape: Symmetric mean absolute percentage error, see `smape`.
        rows: Number of rows.

    Example:
        >>> from tfmtl.metrics import CountErrors
        >>> CountErrors(nmae=0.5, smape=0.75, rows=100).rows
        100
    """

    nmae: float
    smape: float
    rows: int


def nmae(labels: TensorLike, predictions: TensorLike, weights: TensorLike | None = None) -> float:
    """Computes the normalized mean absolute error (NMAE), `sum_i w_i |p_i - y_i| / sum_i w_i y_i`.

    Rows with large counts have the largest influence.

    Args:
        labels: Counts y, `(rows,)`.
        predictions: Rates p, at least 0, `(rows,)`.
        weights: Nonnegative weights w, `(rows,)`; 1 by default. Rows of weight 0 are ignored.

    Returns:
        The error; NaN if no event was counted.

    Raises:
        ValueError: If the lengths differ or a label or prediction is negative.

    Example:
        >>> from tfmtl.metrics import nmae
        >>> nmae(labels=[0, 2, 4, 2], predictions=[0, 1, 4, 3])
        0.25

    References:
        - [Zhang et al., 2022, Leaving No One Behind: A Multi-Scenario Multi-Task Meta Learning Approach for Advertiser
          Modeling](https://doi.org/10.1145/3488560.3498479), equation 22
    """
    labels, predictions, weights = _columns(labels, predictions, weights)
    counted = np.sum(weights * labels)
    return float(np.sum(weights * np.abs(predictions - labels)) / counted) if counted > 0 else float("nan")


def smape(labels: TensorLike, predictions: TensorLike, weights: TensorLike | None = None) -> float:
    """Computes the symmetric mean absolute percentage error (SMAPE).

    It is `sum_i w_i e_i / sum_i w_i` with `e_i = |p_i - y_i| / ((p_i + y_i) / 2)`, which is in [0, 2]. Rows with small
    and large counts have the same influence.

    Deviation from the paper: the error of a row with `p = y = 0`, which is 0 / 0 in the paper, is 0, because the
    prediction is correct.

    Args:
        labels: Counts y, `(rows,)`.
        predictions: Rates p, at least 0, `(rows,)`.
        weights: Nonnegative weights w, `(rows,)`; 1 by default. Rows of weight 0 are ignored.

    Returns:
        The error; NaN if there are no rows.

    Raises:
        ValueError: If the lengths differ or a label or prediction is negative.

    Example:
        >>> from tfmtl.metrics import smape
        >>> smape(labels=[0, 1, 0, 0], predictions=[0, 3, 0, 2])
        0.75

    References:
        - [Zhang et al., 2022, Leaving No One Behind: A Multi-Scenario Multi-Task Meta Learning Approach for Advertiser
          Modeling](https://doi.org/10.1145/3488560.3498479), equation 21
    """
    labels, predictions, weights = _columns(labels, predictions, weights)
    total = np.sum(weights)
    if not total > 0:
        return float("nan")
    middle = (predictions + labels) / 2
    errors = np.abs(predictions - labels) / np.where(middle > 0, middle, 1.0)
    return float(np.sum(weights * errors) / total)


def count_errors(labels: TensorLike, predictions: TensorLike) -> CountErrors:
    """Computes both errors of predicted counts over all rows.

    Args:
        labels: Counts, `(rows,)`.
        predictions: Rates, at least 0, `(rows,)`.

    Returns:
        The errors and the number of rows.

    Raises:
        ValueError: If the lengths differ or a label or prediction is negative.

    Example:
        >>> from tfmtl.metrics import count_errors
        >>> count_errors(labels=[2, 2], predictions=[2, 2])
        CountErrors(nmae=0.0, smape=0.0, rows=2)
    """
    return CountErrors(nmae(labels, predictions), smape(labels, predictions), np.size(labels))


def count_errors_by_scenario(
    labels: TensorLike, predictions: TensorLike, scenarios: TensorLike
) -> dict[Any, CountErrors]:
    """Computes both errors of predicted counts over the rows of each scenario.

    Args:
        labels: Counts, `(rows,)`.
        predictions: Rates, at least 0, `(rows,)`.
        scenarios: Scenario of each row, numbers or strings, `(rows,)`.

    Returns:
        Errors by scenario, in the order of the scenarios' names.

    Raises:
        ValueError: If the lengths differ or a label or prediction is negative.

    Example:
        >>> from tfmtl.metrics import count_errors_by_scenario
        >>> errors = count_errors_by_scenario(
        ...     labels=[2, 2, 4], predictions=[2, 2, 3], scenarios=["feed", "feed", "search"]
        ... )
        >>> {scenario: error.nmae for scenario, error in errors.items()}
        {'feed': 0.0, 'search': 0.25}
    """
    label_values, predicted, _ = _columns(labels, predictions, None)
    scenario_values = np.asarray(scenarios).ravel()
    check_lengths(labels=label_values, scenarios=scenario_values)
    names, scenario_index = np.unique(scenario_values, return_inverse=True)
    ends = np.cumsum(np.bincount(scenario_index))
    parts = np.split(np.argsort(scenario_index, kind="stable"), ends)[:-1]  # The part after the last end is empty.
    return {
        name: count_errors(label_values[rows], predicted[rows])
        for name, rows in zip(names.tolist(), parts, strict=True)
    }


def _columns(
    labels: TensorLike, predictions: TensorLike, weights: TensorLike | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    columns = weighted_columns(labels, predictions, weights)
    for name, column in zip(("labels", "predictions"), columns, strict=False):
        if column.size and column.min() < 0:
            raise ValueError(f"`{name}` should be at least 0. Received: {column.min():g}")
    return columns


@keras.saving.register_keras_serializable(package="tfmtl")
class NMAE(keras.metrics.Metric):
    """Streaming normalized mean absolute error (NMAE) of predicted counts.

    The error is `sum_i w_i |p_i - y_i| / sum_i w_i y_i`. The result equals `nmae` of all rows, up to the rounding of
    two float32 sums. Unlike `nmae`, the metric does not check that labels and predictions are at least 0.

    Args:
        name: Name of the metric.
        **kwargs: Arguments of `keras.metrics.Metric`.

    Call arguments:
        y_true: Counts y, `(batch,)`.
        y_pred: Rates p, at least 0, `(batch,)`.
        sample_weight: Weights w, `(batch,)`; 1 by default. Rows of weight 0 are ignored.

    Returns:
        The error, a float32 scalar; NaN if no event was counted.

    Example:
        >>> from tfmtl.metrics import NMAE
        >>> metric = NMAE()
        >>> metric.update_state([0, 2], [0, 1])
        >>> metric.update_state([4, 2], [4, 3])
        >>> float(metric.result())
        0.25

        In a model that predicts rates:

        >>> import keras
        >>> model = keras.Sequential([keras.layers.Dense(1, activation="exponential")])
        >>> model.compile(loss="poisson", weighted_metrics=[NMAE()])

    References:
        - [Zhang et al., 2022, Leaving No One Behind: A Multi-Scenario Multi-Task Meta Learning Approach for Advertiser
          Modeling](https://doi.org/10.1145/3488560.3498479), equation 22
    """

    def __init__(self, name: str = "nmae", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.absolute_error = self.add_variable((), "zeros", dtype="float32", name="absolute_error")
        self.counted = self.add_variable((), "zeros", dtype="float32", name="counted")

    def update_state(self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike | None = None) -> None:
        labels, predictions, weights = flatten_columns(y_true, y_pred, sample_weight)
        self.absolute_error.assign_add(ops.sum(weights * ops.abs(predictions - labels)))
        self.counted.assign_add(ops.sum(weights * labels))

    def result(self) -> Tensor:
        error, counted = ops.convert_to_tensor(self.absolute_error), ops.convert_to_tensor(self.counted)
        return ops.where(counted > 0, ops.divide_no_nan(error, counted), float("nan"))


@keras.saving.register_keras_serializable(package="tfmtl")
class SMAPE(keras.metrics.Metric):
    """Streaming symmetric mean absolute percentage error (SMAPE) of predicted counts.

    The error is `sum_i w_i e_i / sum_i w_i` with `e_i = |p_i - y_i| / ((p_i + y_i) / 2)`, or 0 if `p_i = y_i = 0`. The
    result equals `smape` of all rows, up to the rounding of two float32 sums. Unlike `smape`, the metric does not check
    that labels and predictions are at least 0.

    Args:
        name: Name of the metric.
        **kwargs: Arguments of `keras.metrics.Metric`.

    Call arguments:
        y_true: Counts y, `(batch,)`.
        y_pred: Rates p, at least 0, `(batch,)`.
        sample_weight: Weights w, `(batch,)`; 1 by default. Rows of weight 0 are ignored.

    Returns:
        The error, a float32 scalar; NaN if there are no rows.

    Example:
        >>> from tfmtl.metrics import SMAPE
        >>> metric = SMAPE()
        >>> metric.update_state([0, 1], [0, 3])
        >>> metric.update_state([0, 0], [0, 2])
        >>> float(metric.result())
        0.75

        In a model that predicts rates:

        >>> import keras
        >>> model = keras.Sequential([keras.layers.Dense(1, activation="exponential")])
        >>> model.compile(loss="poisson", weighted_metrics=[SMAPE()])

    References:
        - [Zhang et al., 2022, Leaving No One Behind: A Multi-Scenario Multi-Task Meta Learning Approach for Advertiser
          Modeling](https://doi.org/10.1145/3488560.3498479), equation 21
    """

    def __init__(self, name: str = "smape", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.error = self.add_variable((), "zeros", dtype="float32", name="error")
        self.mass = self.add_variable((), "zeros", dtype="float32", name="mass")

    def update_state(self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike | None = None) -> None:
        labels, predictions, weights = flatten_columns(y_true, y_pred, sample_weight)
        errors = ops.divide_no_nan(ops.abs(predictions - labels), predictions / 2 + labels / 2)
        self.error.assign_add(ops.sum(weights * errors))
        self.mass.assign_add(ops.sum(weights))

    def result(self) -> Tensor:
        error, mass = ops.convert_to_tensor(self.error), ops.convert_to_tensor(self.mass)
        return ops.where(mass > 0, ops.divide_no_nan(error, mass), float("nan"))
