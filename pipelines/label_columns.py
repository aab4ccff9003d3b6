"""Labels and row weights of tf.Examples: how they are parsed, and which labels are known."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfmtl.spec import DatasetSpec

UNKNOWN = float("nan")
"""Label that is not known: that of a row which a column of open labels marks."""


def label_parsing(spec: DatasetSpec) -> dict[str, tf.io.FixedLenFeature]:
    """Returns how the labels, the columns of open labels and the row weight are parsed.

    Args:
        spec: Spec of the dataset.
    """
    types = {task.label: tf.float32 if task.kind == "value" else tf.int64 for task in spec.tasks}
    types |= dict.fromkeys(spec.open_columns.values(), tf.int64)
    parsing = {name: tf.io.FixedLenFeature([], dtype) for name, dtype in types.items()}
    if spec.weight is not None:
        parsing[spec.weight] = tf.io.FixedLenFeature([], tf.float32)
    return parsing


def known_labels(spec: DatasetSpec, parsed: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    """Returns the labels, NaN where a label is 0 and open, and where a value is 0 and the previous label is NaN.

    Args:
        spec: Spec of the dataset.
        parsed: Columns of `label_parsing`, each `(rows,)`.

    Returns:
        Labels by column, float32 `(rows,)`.
    """
    labels = {}
    for name in spec.labels:
        labels[name] = tf.cast(parsed[name], tf.float32)
        if name in spec.open_columns:
            is_open = (parsed[spec.open_columns[name]] == 1) & (parsed[name] == 0)
            labels[name] = tf.where(is_open, UNKNOWN, labels[name])
    for task in spec.tasks:
        if task.kind == "value" and task.follows is not None:
            is_open = tf.math.is_nan(labels[spec.task(task.follows).label]) & (labels[task.label] == 0)
            labels[task.label] = tf.where(is_open, UNKNOWN, labels[task.label])
    return labels


def population_weights(
    spec: DatasetSpec, labels: Mapping[str, np.ndarray], weights: np.ndarray | None
) -> np.ndarray | None:
    """Returns weights with which sampled training rows stand for all rows: a negative has the weight 1 / share.

    Args:
        spec: Spec of the dataset.
        labels: Labels by column, each `(rows,)`.
        weights: Weights of the rows, `(rows,)`; None for weights of 1.

    Returns:
        Weights, `(rows,)`; those that are given if no negatives are left out.
    """
    if spec.sampling is None:
        return weights
    negative = labels[spec.task(spec.sampling.task).label] == 0
    factors = np.where(negative, 1 / spec.sampling.negatives, 1.0).astype(np.float32)
    return factors if weights is None else factors * weights
