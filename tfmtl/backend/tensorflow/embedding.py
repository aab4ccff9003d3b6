"""Lookups in embedding tables whose gradient stays sparse."""

from typing import Any

import tensorflow as tf

from tfmtl.types import Tensor


def gather_rows(table: Any, rows: Tensor) -> Tensor:
    """Looks up rows of a table; its gradient is a `tf.IndexedSlices`.

    Args:
        table: A `keras.Variable`, `(total_rows, dim)`.
        rows: Rows of the table, integers of any shape.

    Returns:
        `(*rows.shape, dim)`.
    """
    return tf.gather(table.value, rows)  # Only a gather from the variable itself has a sparse gradient.


def gather_overridden_rows(overridden: Tensor, values: Tensor, rows: Tensor, layer: str) -> Tensor:
    """Looks up rows in a tensor that holds some of the rows of a table.

    Args:
        overridden: Rows of the table, each once, in ascending order, `(count,)`.
        values: Values of these rows, `(count, dim)`.
        rows: Rows to look up, integers of any shape.
        layer: Name of the layer, for the error message.

    Returns:
        `(*rows.shape, dim)`.

    Raises:
        tf.errors.InvalidArgumentError: If one of `rows` is not in `overridden`.
    """
    positions = tf.minimum(tf.searchsorted(overridden, tf.reshape(rows, [-1])), tf.size(overridden) - 1)
    positions = tf.reshape(positions, tf.shape(rows))
    message = f"`rows` of `{layer}.override_rows` should hold every row that is looked up in the block"
    with tf.control_dependencies([tf.debugging.assert_equal(tf.gather(overridden, positions), rows, message)]):
        return tf.gather(values, positions)


def unique_rows(rows: Tensor) -> Tensor:
    """Returns each of the rows once, in ascending order, `(count,)`."""
    unique, _ = tf.unique(tf.reshape(rows, [-1]))
    return tf.sort(unique)
