"""Calibration: agreement of predicted probabilities and rates with observed frequencies."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from tfmtl.metrics.columns import as_floats, flatten_columns, weighted_columns, widest_float
from tfmtl.spec import ENTIRE, DatasetSpec
from tfmtl.types import Config, Tensor, TensorLike

_LOGIT_LIMIT = 16.0
_LOG_RATE_LIMIT = 8.0


@dataclasses.dataclass(frozen=True)
class Calibration:
    """Calibration of one output on its space.

    Attributes:
        ratio: Ratio of predicted to observed events, see `calibration_ratio`.
        error: Expected calibration error, see `expected_calibration_error`.

    Example:
        >>> from tfmtl.metrics import Calibration
        >>> Calibration(ratio=1.05, error=0.002).ratio
        1.05
    """

    ratio: float
    error: float


def calibration_ratio(labels: TensorLike, predictions: TensorLike, weights: TensorLike | None = None) -> float:
    """Computes the ratio of predicted to observed events, `sum_i w_i p_i / sum_i w_i y_i`.

    A ratio above 1 means that the predictions are too high.

    Args:
        labels: Events or counts y, `(rows,)`.
        predictions: Probabilities or rates p, `(rows,)`.
        weights: Nonnegative weights w, `(rows,)`; 1 by default. Rows of weight 0 are ignored.

    Returns:
        The ratio; NaN if no event was observed.

    Raises:
        ValueError: If the lengths differ.

    Example:
        >>> from tfmtl.metrics import calibration_ratio
        >>> calibration_ratio(labels=[0, 1, 0, 1], predictions=[0.25, 0.5, 0.25, 0.5])
        0.75
    """
    labels, predictions, weights = weighted_columns(labels, predictions, weights)
    observed = np.sum(weights * labels)
    return float(np.sum(weights * predictions) / observed) if observed > 0 else float("nan")


def expected_calibration_error(
    labels: TensorLike, predictions: TensorLike, weights: TensorLike | None = None, bins: int = 10
) -> float:
    """Computes the expected calibration error over bins of equal mass of the predictions.

    The error is `sum_b W_b / W |mean_b(p) - mean_b(y)|`, where W_b is the weight of the rows of bin b and W that of all
    rows. Bins of equal mass resolve rare events, whose predictions all belong to the first of ten bins of equal width.
    Rows with equal predictions are in the same bin, so that the error does not depend on the order of the rows: a bin
    contains the predictions whose middle, by weight, is in the bin's share of the mass.

    Args:
        labels: Events or counts y, `(rows,)`.
        predictions: Probabilities or rates p, `(rows,)`.
        weights: Nonnegative weights w, `(rows,)`; 1 by default. Rows of weight 0 are ignored.
        bins: Number of bins.

    Returns:
        The error, in the unit of the predictions; NaN if there are no rows.

    Raises:
        ValueError: If the lengths differ or `bins` is below 1.

    Example:
        >>> from tfmtl.metrics import expected_calibration_error
        >>> expected_calibration_error(labels=[0, 1, 1, 1], predictions=[0.25, 0.25, 0.5, 0.5], bins=2)
        0.375

    References:
        - Naeini et al., 2015, Obtaining Well Calibrated Probabilities Using Bayesian Binning (AAAI)
    """
    if bins < 1:
        raise ValueError(f"`bins` should be at least 1. Received: {bins}")
    labels, predictions, weights = weighted_columns(labels, predictions, weights)
    total = weights.sum()
    if not total > 0:
        return float("nan")
    values, tie_group = np.unique(predictions, return_inverse=True)
    mass = np.bincount(tie_group, weights)
    middle = np.cumsum(mass) - mass / 2
    bin_index = np.minimum((middle / total * bins).astype(int), bins - 1)
    gaps = np.bincount(bin_index, mass * values - np.bincount(tie_group, weights * labels))
    return float(np.sum(np.abs(gaps)) / total)


def calibration(
    spec: DatasetSpec,
    labels: Mapping[str, TensorLike],
    outputs: Mapping[str, TensorLike],
    weights: TensorLike | None = None,
    bins: int = 10,
) -> dict[str, Calibration]:
    """Computes the calibration of each output of a spec on the output's space.

    On the conditional space, the weight of a row is multiplied by the label of the previous task.

    Args:
        spec: Specification of the dataset.
        labels: Labels by task, each `(rows,)`.
        outputs: Predictions by output, each `(rows,)`, as returned by `predict` of a `MultiTaskModel`.
        weights: Nonnegative weights, `(rows,)`; 1 by default.
        bins: Number of bins of the expected calibration error.

    Returns:
        Calibrations by output.

    Raises:
        ValueError: If the lengths differ or `bins` is below 1.

    Example:
        >>> from tfmtl import DatasetSpec
        >>> from tfmtl.metrics import calibration
        >>> spec = DatasetSpec.from_yaml(
        ...     '''
        ... name: shop
        ... features: [{name: user, kind: categorical}]
        ... tasks: [{name: click, label: clicked, output: ctr}]
        ... '''
        ... )
        >>> calibration(spec, labels={"click": [0, 1]}, outputs={"ctr": [0.25, 0.5]})["ctr"].ratio
        0.75
    """
    calibrations = {}
    for output in spec.outputs:
        task_labels, predictions = labels[output.task], outputs[output.name]
        row_weights = np.ones(len(task_labels)) if weights is None else as_floats(weights)
        follows = spec.task(output.task).follows
        if output.space != ENTIRE and follows is not None:
            row_weights = row_weights * as_floats(labels[follows])
        ratio = calibration_ratio(task_labels, predictions, row_weights)
        error = expected_calibration_error(task_labels, predictions, row_weights, bins)
        calibrations[output.name] = Calibration(ratio, error)
    return calibrations


@keras.saving.register_keras_serializable(package="tfmtl")
class CalibrationRatio(keras.metrics.Metric):
    """Streaming ratio of predicted to observed events, `sum_i w_i p_i / sum_i w_i y_i`.

    A ratio above 1 means that the predictions are too high. The result equals `calibration_ratio` of all rows, up to
    the rounding of two float32 sums.

    Args:
        name: Name of the metric.
        **kwargs: Arguments of `keras.metrics.Metric`.

    Call arguments:
        y_true: Events or counts y, `(batch,)`.
        y_pred: Probabilities or rates p, `(batch,)`.
        sample_weight: Weights w, `(batch,)`; 1 by default. Rows of weight 0 are ignored.

    Returns:
        The ratio, a float32 scalar; NaN if no event was observed.

    Example:
        >>> from tfmtl.metrics import CalibrationRatio
        >>> metric = CalibrationRatio()
        >>> metric.update_state([0, 1], [0.25, 0.5])
        >>> metric.update_state([0, 1], [0.25, 0.5])
        >>> float(metric.result())
        0.75

        In a model that predicts probabilities:

        >>> import keras
        >>> model = keras.Sequential([keras.layers.Dense(1, activation="sigmoid")])
        >>> model.compile(loss="binary_crossentropy", weighted_metrics=[CalibrationRatio()])
    """

    def __init__(self, name: str = "calibration_ratio", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.predicted = self.add_variable((), "zeros", dtype="float32", name="predicted")
        self.observed = self.add_variable((), "zeros", dtype="float32", name="observed")

    def update_state(self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike | None = None) -> None:
        labels, predictions, weights = flatten_columns(y_true, y_pred, sample_weight)
        self.predicted.assign_add(ops.sum(weights * predictions))
        self.observed.assign_add(ops.sum(weights * labels))

    def result(self) -> Tensor:
        predicted, observed = ops.convert_to_tensor(self.predicted), ops.convert_to_tensor(self.observed)
        return ops.where(observed > 0, ops.divide_no_nan(predicted, observed), float("nan"))


@keras.saving.register_keras_serializable(package="tfmtl")
class ExpectedCalibrationError(keras.metrics.Metric):
    """Streaming expected calibration error over bins of equal mass of the predictions.

    The error is that of `expected_calibration_error`, `sum_b W_b / W |mean_b(p) - mean_b(y)|`. Because bins of equal
    mass are known only after the last batch, the metric sums weights, predictions and labels over narrow cells of the
    predictions, and assigns whole cells to bins. The cells have equal width in the logit of a probability, between -16
    and 16, and in the logarithm of a rate from 1 to 2981. Therefore:

    - The result equals `expected_calibration_error`, up to the rounding of float32 sums, if predictions in the same
      cell are equal.
    - Otherwise, rows in the cells at the edges of bins may be in a neighboring bin. With the default of 65536 cells, a
      cell has a width of 0.0006 in the logit, that is, a relative width of 0.06% for small probabilities. For 100,000
      rows, the result differed from the exact error by less than 0.1% of the mean prediction, and by 0.3% if the
      logits had a standard deviation of only 0.1.

    Args:
        bins: Number of bins.
        cells: Number of cells. The memory is 12 bytes per cell.
        name: Name of the metric.
        **kwargs: Arguments of `keras.metrics.Metric`.

    Call arguments:
        y_true: Events or counts y, `(batch,)`.
        y_pred: Probabilities or rates p, at least 0, `(batch,)`.
        sample_weight: Weights w, `(batch,)`; 1 by default. Rows of weight 0 are ignored.

    Returns:
        The error in the unit of the predictions, a float32 scalar; NaN if there are no rows.

    Raises:
        ValueError: If `bins` is below 1 or `cells` is below `bins`.

    Example:
        >>> from tfmtl.metrics import ExpectedCalibrationError
        >>> metric = ExpectedCalibrationError(bins=2)
        >>> metric.update_state([0, 1], [0.25, 0.5])
        >>> metric.update_state([1, 1], [0.25, 0.5])
        >>> float(metric.result())
        0.375

    References:
        - Naeini et al., 2015, Obtaining Well Calibrated Probabilities Using Bayesian Binning (AAAI)
    """

    def __init__(
        self, bins: int = 10, cells: int = 65536, name: str = "expected_calibration_error", **kwargs: Any
    ) -> None:
        super().__init__(name=name, **kwargs)
        if bins < 1:
            raise ValueError(f"`bins` should be at least 1. Received: {bins}")
        if cells < bins:
            raise ValueError(f"`cells` should be at least `bins`, {bins}. Received: {cells}")
        self.bins = bins
        self.cells = cells
        self.mass = self.add_variable((cells,), "zeros", dtype="float32", name="mass")
        self.predicted = self.add_variable((cells,), "zeros", dtype="float32", name="predicted")
        self.observed = self.add_variable((cells,), "zeros", dtype="float32", name="observed")

    def update_state(self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike | None = None) -> None:
        labels, predictions, weights = flatten_columns(y_true, y_pred, sample_weight)
        cell_index = self._cell_index(predictions)
        for sums, values in (
            (self.mass, weights),
            (self.predicted, weights * predictions),
            (self.observed, weights * labels),
        ):
            sums.assign_add(ops.segment_sum(values, cell_index, num_segments=self.cells))

    def _cell_index(self, predictions: Tensor) -> Tensor:
        """Returns the cell of each prediction, which increases with the prediction."""
        probabilities = ops.clip(predictions, 1e-8, 1.0 - 2.0**-24)
        logits = ops.clip(ops.log(probabilities) - ops.log1p(-probabilities), -_LOGIT_LIMIT, _LOGIT_LIMIT)
        log_rates = ops.log(ops.clip(predictions, 1.0, np.exp(_LOG_RATE_LIMIT)))
        positions = ops.where(predictions < 1, logits, _LOGIT_LIMIT + log_rates)
        scaled = (positions + _LOGIT_LIMIT) * (self.cells / (2 * _LOGIT_LIMIT + _LOG_RATE_LIMIT))
        return ops.clip(ops.cast(scaled, "int32"), 0, self.cells - 1)

    def result(self) -> Tensor:
        dtype = widest_float()
        mass, predicted, observed = (ops.cast(sums.value, dtype) for sums in (self.mass, self.predicted, self.observed))
        total = ops.sum(mass)
        middle = ops.cumsum(mass) - mass / 2
        bin_index = ops.minimum(ops.cast(ops.divide_no_nan(middle, total) * self.bins, "int32"), self.bins - 1)
        gaps = ops.segment_sum(predicted - observed, bin_index, num_segments=self.bins)
        error = ops.divide_no_nan(ops.sum(ops.abs(gaps)), total)
        return ops.cast(ops.where(total > 0, error, float("nan")), "float32")

    def get_config(self) -> Config:
        return {**super().get_config(), "bins": self.bins, "cells": self.cells}
