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
    types |= dict.fromkeys(spec.maturity_columns, tf.int64)
    types |= dict.fromkeys(spec.elapsed_columns.values(), tf.float32)
    parsing = {name: tf.io.FixedLenFeature([], dtype) for name, dtype in types.items()}
    if spec.weight is not None:
        parsing[spec.weight] = tf.io.FixedLenFeature([], tf.float32)
    return parsing


def known_labels(spec: DatasetSpec, parsed: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    """Returns the labels, NaN where a label is open or the row is a copy of an earlier one.

    The label of an open row is not known even if it is 1 by now: known labels would be those of the early events. A
    value is not known either where the previous label is NaN.

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
            labels[name] = tf.where(parsed[spec.open_columns[name]] == 1, UNKNOWN, labels[name])
        for column in spec.copy_columns.values():
            labels[name] = tf.where(parsed[column] == 1, UNKNOWN, labels[name])
    for task in spec.tasks:
        if task.kind == "value" and task.follows is not None:
            is_open = tf.math.is_nan(labels[spec.task(task.follows).label])
            labels[task.label] = tf.where(is_open, UNKNOWN, labels[task.label])
    return labels


def training_labels(spec: DatasetSpec, parsed: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    """Returns what a model takes as the labels of rows: the labels by task, and the columns of open labels by name.

    If a task is trained on open rows, labels are those of the log; the columns say which of them are known. Otherwise
    the others are NaN.

    Args:
        spec: Spec of the dataset.
        parsed: Columns of `label_parsing`, each `(rows,)`.

    Returns:
        Labels and columns, float32 `(rows,)`.
    """
    trains_open_rows = any(task.open_labels is not None and task.open_labels.trains_open_rows for task in spec.tasks)
    known = {} if trains_open_rows else known_labels(spec, parsed)
    labels = {task.name: known.get(task.label, tf.cast(parsed[task.label], tf.float32)) for task in spec.tasks}
    return labels | {name: tf.cast(parsed[name], tf.float32) for name in spec.maturity_columns}


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
