"""Columns of raw features that have at most one value per row, as one matrix."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfmtl.types import Tensor
from transforms.graph.vocabulary_lookup import segment_ids


def scalar_columns(columns: Sequence[Tensor | None], batch_size: Tensor, default: Any, dtype: tf.DType) -> Tensor:
    """Returns the first value of each row, of several columns.

    The number of operations does not depend on that of the columns.

    Args:
        columns: Columns of values, `tf.SparseTensor` or dense, `(batch,)` or `(batch, 1)`; None for one without values.
        batch_size: Number of rows.
        default: Value of a row without value.
        dtype: Data type to which values are cast.

    Returns:
        `(columns, batch)`.

    Example:
        >>> numbers = tf.sparse.from_dense([[3.0], [0.0]])
        >>> columns = [numbers, tf.constant([5.0, 6.0])]
        >>> scalar_columns(columns, tf.constant(2, tf.int64), -1.0, tf.float32).numpy().tolist()
        [[3.0, -1.0], [5.0, 6.0]]
    """
    sparse = [i for i, column in enumerate(columns) if isinstance(column, tf.SparseTensor)]
    absent = [i for i, column in enumerate(columns) if column is None]
    dense = [i for i in range(len(columns)) if i not in {*sparse, *absent}]
    parts = []
    if sparse:
        parts.append(_from_sparse([columns[i] for i in sparse], batch_size, default, dtype))
    if dense:
        parts.append(tf.stack([tf.reshape(_cast(columns[i], dtype), [-1]) for i in dense]))
    if absent:
        parts.append(tf.fill(tf.stack([len(absent), batch_size]), tf.constant(default, dtype)))
    matrix = parts[0] if len(parts) == 1 else tf.concat(parts, 0)
    order = np.argsort([*sparse, *dense, *absent])
    return matrix if (order == np.arange(len(columns))).all() else tf.gather(matrix, order)


def by_name(features: Sequence[Any], matrix: Tensor) -> dict[str, Tensor]:
    """Returns the rows of a matrix by the names of their features.

    Args:
        features: Features.
        matrix: `(features, batch)`.
    """
    return {feature.name: row for feature, row in zip(features, tf.unstack(matrix, len(features)), strict=True)}


def _from_sparse(columns: Sequence[Any], batch_size: Tensor, default: Any, dtype: tf.DType) -> Tensor:
    values = tf.concat([_cast(column.values, dtype) for column in columns], 0)
    indices = tf.concat([column.indices for column in columns], 0)
    counts = tf.concat(tf.shape_n([column.values for column in columns], tf.int64), 0)
    size = len(columns) * batch_size
    places = segment_ids(counts, tf.size(values, tf.int64)) * batch_size + indices[:, 0]
    # Values after the first one of a row go to a place behind the matrix.
    flat = tf.raw_ops.SparseToDense(
        sparse_indices=tf.where(tf.equal(indices[:, 1], 0), places, size),
        output_shape=tf.stack([size + 1]),
        sparse_values=values,
        default_value=tf.constant(default, dtype),
        validate_indices=False,
    )
    return tf.reshape(flat[:-1], tf.stack([len(columns), batch_size]))


def _cast(tensor: Tensor, dtype: tf.DType) -> Tensor:
    return tensor if tensor.dtype == dtype else tf.cast(tensor, dtype)
