"""Alignment of sequences, with the most recent position in the last column, and means of the last positions."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorflow as tf


def align_right(sequences: tf.SparseTensor, length: int) -> tf.SparseTensor:
    """Moves the last `length` positions of each row to the right end of the row.

    Args:
        sequences: `tf.SparseTensor` of shape `(batch, any)`, with the values of each row in its first columns, as
            parsed `tf.Example`s have them.
        length: Number of columns of the result.

    Returns:
        A `tf.SparseTensor` of shape `(batch, length)`, with the values of each row in its last columns.

    Example:
        >>> import tensorflow as tf
        >>> from tfmtl.alignment import align_right
        >>> sequences = tf.sparse.from_dense([[1, 2, 3], [4, 0, 0]])
        >>> tf.sparse.to_dense(align_right(sequences, 2)).numpy().tolist()
        [[2, 3], [0, 4]]
    """
    import tensorflow as tf  # Imported here, as the other top-level modules work without TensorFlow.

    rows = tf.RaggedTensor.from_sparse(sequences)[:, -length:]
    columns = tf.ragged.range(length - rows.row_lengths(), length).values
    indices = tf.stack([rows.value_rowids(), columns], axis=1)
    return tf.SparseTensor(indices, rows.values, tf.stack([rows.nrows(), tf.constant(length, tf.int64)]))


def mean_of_last(sequences: tf.SparseTensor, count: int) -> tf.Tensor:
    """Computes the mean of the last numbers of each row.

    Args:
        sequences: `tf.SparseTensor` of shape `(batch, any)`, float32, with the values of each row in its first columns.
        count: Number of positions at the end of a row. NaN, which is a position without a number, is left out.

    Returns:
        `(batch,)` float32; NaN where a row has no number.

    Example:
        >>> import tensorflow as tf
        >>> from tfmtl.alignment import mean_of_last
        >>> sequences = tf.sparse.from_dense([[9.0, 1.0, 3.0], [float("nan"), 5.0, 0.0]])
        >>> mean_of_last(sequences, 2).numpy().tolist()
        [2.0, 5.0]
    """
    import tensorflow as tf

    values = tf.sparse.to_dense(align_right(sequences, count), default_value=float("nan"))
    present = tf.logical_not(tf.math.is_nan(values))
    total = tf.reduce_sum(tf.where(present, values, 0.0), axis=1)
    return total / tf.reduce_sum(tf.cast(present, "float32"), axis=1)
