"""Places of sequences in columns: the most recent one last."""

import tensorflow as tf


def align_right(places: tf.SparseTensor, length: int) -> tf.SparseTensor:
    """The last `length` places of each row, the last of all in the last column.

    Args:
        places: `(batch, any)`, each row packed to the left, as parsed tf.Examples are.
        length: columns of the result.

    Returns:
        `(batch, length)`, each row packed to the right.
    """
    rows = tf.RaggedTensor.from_sparse(places)[:, -length:]
    columns = tf.ragged.range(length - rows.row_lengths(), length).values
    indices = tf.stack([rows.value_rowids(), columns], axis=1)
    return tf.SparseTensor(indices, rows.values, tf.stack([rows.nrows(), tf.constant(length, tf.int64)]))
