"""Alignment of sequences: the most recent position in the last column."""

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
