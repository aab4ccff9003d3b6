"""Area under the ROC curve: exact on arrays, and streaming on logits."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfmtl.metrics.columns import as_floats, check_lengths


def roc_auc(labels: Any, scores: Any, weights: Any = None) -> float:
    """`P(s+ > s-) + P(s+ = s-) / 2` for a positive and a negative row drawn by weight; exact, ties counted half.

    Args:
        labels: 0 or 1, `(rows,)`.
        scores: any finite numbers, `(rows,)`.
        weights: not negative, `(rows,)`; 1 by default.

    Returns:
        The AUC; NaN where all labels are equal.
    """
    labels, scores = as_floats(labels), as_floats(scores)
    weights = np.ones_like(scores) if weights is None else as_floats(weights)
    check_lengths(labels=labels, scores=scores, weights=weights)
    _, group = np.unique(scores, return_inverse=True)
    positives = np.bincount(group, weights * labels)
    negatives = np.bincount(group, weights * (1 - labels))
    return _area(positives, negatives)


def _area(positives: np.ndarray, negatives: np.ndarray) -> float:
    """AUC of the weights of positives and negatives by group of equal scores, the lowest score's first."""
    pairs = positives.sum() * negatives.sum()
    if pairs == 0:
        return float("nan")
    below = np.cumsum(negatives) - negatives
    return float(np.sum(positives * (below + negatives / 2)) / pairs)


@keras.saving.register_keras_serializable(package="tfmtl")
class LogitAUC(keras.metrics.Metric):
    """Streaming AUC of logits: two histograms over `bins` equal bins of `[-limit, limit]`, ties within a bin half.

    Bins of equal width in the logit resolve rare events (p = 1e-4) as well as frequent ones, which thresholds of
    equal width in the probability do not. With 8192 bins it agrees with the exact AUC to about 1e-4.

    Args:
        bins: how many bins.
        limit: logits beyond it fall in the outer bins.

    Call arguments:
        y_true: labels, 0 or 1, `(batch,)`.
        y_pred: logits, `(batch,)`.
        sample_weight: `(batch,)`; a space is a weight, for example the previous task's label.

    Returns:
        The AUC; NaN as long as all labels are equal.
    """

    def __init__(self, bins: int = 8192, limit: float = 16.0, name: str = "auc", **kwargs: Any):
        super().__init__(name=name, **kwargs)
        if bins < 2:
            raise ValueError(f"`bins` should be at least 2. Received: {bins}")
        if not limit > 0:
            raise ValueError(f"`limit` should be above 0. Received: {limit}")
        self.bins = bins
        self.limit = limit
        self.positives = self.add_variable((bins,), "zeros", dtype="float32", name="positives")
        self.negatives = self.add_variable((bins,), "zeros", dtype="float32", name="negatives")

    def update_state(self, y_true, y_pred, sample_weight=None):
        labels = tf.reshape(tf.cast(y_true, "float32"), [-1])
        logits = tf.reshape(tf.cast(y_pred, "float32"), [-1])
        weights = tf.ones_like(labels) if sample_weight is None else tf.reshape(tf.cast(sample_weight, "float32"), [-1])
        scaled = (tf.clip_by_value(logits, -self.limit, self.limit) / self.limit + 1.0) * (self.bins / 2)
        bins = tf.minimum(tf.cast(scaled, "int32"), self.bins - 1)
        self.positives.assign_add(tf.math.unsorted_segment_sum(weights * labels, bins, self.bins))
        self.negatives.assign_add(tf.math.unsorted_segment_sum(weights * (1.0 - labels), bins, self.bins))

    def result(self):
        positives = tf.cast(self.positives.value, "float64")
        negatives = tf.cast(self.negatives.value, "float64")
        pairs = tf.reduce_sum(positives) * tf.reduce_sum(negatives)
        below = tf.cumsum(negatives, exclusive=True)
        return tf.cast(tf.reduce_sum(positives * (below + negatives / 2)) / pairs, "float32")

    def get_config(self):
        return {**super().get_config(), "bins": self.bins, "limit": self.limit}
