"""Normalized Gini coefficient: how well predictions rank amounts."""

from typing import Any

import keras
import numpy as np
from keras import ops

from tfmtl.metrics.auc import area
from tfmtl.metrics.columns import flatten_columns, weighted_columns, widest_float
from tfmtl.types import Config, Tensor, TensorLike

_SMALLEST = 1e-30


def normalized_gini(labels: TensorLike, predictions: TensorLike, weights: TensorLike | None = None) -> float:
    """Computes the normalized Gini coefficient of predicted amounts.

    With the share `A(s)` of pairs of a row i, drawn with a probability proportional to `w_i y_i`, and a row j, drawn
    with a probability proportional to `w_j`, in which `s_i > s_j`, pairs with equal scores counting half, the Gini
    coefficient of scores s is `G(s) = 2 A(s) - 1`: twice the area between the Lorenz curve of the labels in the order
    of the scores and the diagonal. The normalized coefficient is `G(p) / G(y)` for predictions p and labels y: 1 for
    the best order, 0 for a random one, and -1 for the reverse order of distinct labels. It depends on the order of the
    predictions only. Of labels 0 and 1 it is `2 AUC - 1`.

    Args:
        labels: Amounts y, at least 0, `(rows,)`.
        predictions: Finite predictions p of any range, `(rows,)`.
        weights: Nonnegative weights w, `(rows,)`; 1 by default. Rows of weight 0 are ignored.

    Returns:
        The coefficient; NaN if all labels are equal.

    Raises:
        ValueError: If the lengths differ or a label is negative.

    Example:
        >>> from tfmtl.metrics import normalized_gini
        >>> round(normalized_gini(labels=[0, 1, 3], predictions=[1.0, 3.0, 2.0]), 4)
        0.3333

    References:
        - [Wang, Liu and Miao, 2019, A Deep Probabilistic Model for Customer Lifetime Value
          Prediction](https://arxiv.org/abs/1912.07753), section 4
    """
    labels, predictions, weights = weighted_columns(labels, predictions, weights)
    if labels.size and labels.min() < 0:
        raise ValueError(f"`labels` should be at least 0. Received: {labels.min():g}")
    best = _gini(labels, labels, weights)
    return _gini(labels, predictions, weights) / best if best > 0 else float("nan")


def _gini(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> float:
    """Returns the Gini coefficient of the labels in the order of the scores; NaN if the labels are all 0."""
    _, tie_group = np.unique(scores, return_inverse=True)
    return 2 * area(np.bincount(tie_group, weights * labels), np.bincount(tie_group, weights)) - 1


@keras.saving.register_keras_serializable(package="tfmtl")
class NormalizedGini(keras.metrics.Metric):
    """Streaming normalized Gini coefficient of predicted amounts.

    The metric keeps histograms of weights and amounts over the logarithms of the predictions, and over those of the
    labels, with bins of equal width in `[-limit, limit]`. Predictions in the same bin are treated as ties. With the
    default bins, a bin is 0.8 % wide, and the result agrees with `normalized_gini` to about 1e-3.

    Args:
        bins: Number of bins.
        limit: Largest absolute logarithm that the bins resolve; amounts beyond it are in the first or last bin.
        name: Name of the metric.
        **kwargs: Arguments of `keras.metrics.Metric`.

    Call arguments:
        y_true: Amounts, at least 0, `(batch,)`.
        y_pred: Predictions, at least 0, `(batch,)`.
        sample_weight: Weights, `(batch,)`; 1 by default. Rows of weight 0 are ignored.

    Returns:
        The coefficient, a float32 scalar; NaN if all labels are equal.

    Raises:
        ValueError: If `bins` is below 2 or `limit` is not positive.

    Example:
        >>> from tfmtl.metrics import NormalizedGini
        >>> metric = NormalizedGini()
        >>> metric.update_state([0, 1], [1.0, 3.0])
        >>> metric.update_state([3], [2.0])
        >>> round(float(metric.result()), 4)
        0.3333

    References:
        - [Wang, Liu and Miao, 2019, A Deep Probabilistic Model for Customer Lifetime Value
          Prediction](https://arxiv.org/abs/1912.07753), section 4
    """

    def __init__(self, bins: int = 8192, limit: float = 32.0, name: str = "gini", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        if bins < 2:
            raise ValueError(f"`bins` should be at least 2. Received: {bins}")
        if not limit > 0:
            raise ValueError(f"`limit` should be above 0. Received: {limit}")
        self.bins = bins
        self.limit = limit
        for order in ("predicted", "best"):
            for sums in ("amounts", "weights"):
                name = f"{order}_{sums}"
                setattr(self, name, self.add_variable((bins,), "zeros", dtype="float32", name=name))

    def update_state(self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike | None = None) -> None:
        labels, predictions, weights = flatten_columns(y_true, y_pred, sample_weight)
        for order, scores in (("predicted", predictions), ("best", labels)):
            bins = self._bins(scores)
            for sums, values in (("amounts", weights * labels), ("weights", weights)):
                histogram = getattr(self, f"{order}_{sums}")
                histogram.assign_add(ops.segment_sum(values, bins, num_segments=self.bins))

    def result(self) -> Tensor:
        predicted, best = self._gini("predicted"), self._gini("best")
        return ops.cast(ops.where(best > 0, predicted / ops.where(best > 0, best, 1.0), float("nan")), "float32")

    def get_config(self) -> Config:
        return {**super().get_config(), "bins": self.bins, "limit": self.limit}

    def _bins(self, scores: Tensor) -> Tensor:
        logs = ops.log(ops.maximum(scores, _SMALLEST))
        scaled = (ops.clip(logs, -self.limit, self.limit) / self.limit + 1.0) * (self.bins / 2)
        return ops.clip(ops.cast(scaled, "int32"), 0, self.bins - 1)

    def _gini(self, order: str) -> Tensor:
        dtype = widest_float()
        amounts, weights = (ops.cast(getattr(self, f"{order}_{sums}").value, dtype) for sums in ("amounts", "weights"))
        below = ops.cumsum(weights) - weights
        pairs = ops.sum(amounts) * ops.sum(weights)
        return 2 * ops.divide_no_nan(ops.sum(amounts * (below + weights / 2)), pairs) - 1
