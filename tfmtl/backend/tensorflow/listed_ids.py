"""Weighted means of lists of ids whose cost is that of their ids, not that of the padding."""

import tensorflow as tf

from tfmtl.types import Tensor, TensorLike


def kept_places(ids: TensorLike, weights: TensorLike) -> Tensor:
    """Returns the places whose embedding is looked up: those of ids, and one of the padding of each column.

    Padding has the id 0 and the weight 0. One place of it remains, so that an optimizer which updates the rows that a
    batch looks up still updates row 0.

    Args:
        ids: `(batch, columns)`.
        weights: `(batch, columns)`.

    Returns:
        Row and column of each, `(places, 2)` int64, in ascending order.
    """
    padding = tf.equal(ids, 0) & tf.equal(weights, 0)
    first = tf.argmax(tf.cast(padding, tf.int8), axis=0)
    is_first = tf.equal(tf.range(tf.shape(padding, tf.int64)[0])[:, None], first[None])
    return tf.where(tf.logical_not(padding) | is_first)


def at(matrix: TensorLike, places: Tensor) -> Tensor:
    """Returns the values at some places of a matrix, `(places,)`."""
    return tf.gather_nd(matrix, places)


def split(values: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the first rows of a tensor and the other ones, the gradient of which is one concatenation.

    Args:
        values: `(rows, dim)`.
        count: Number of the first rows.
    """
    first, others = tf.split(values, tf.stack([count, tf.shape(values)[0] - count]), num=2)
    return first, others


def sum_by_field(
    values: Tensor, weights: Tensor, places: Tensor, fields: TensorLike, shape: tuple[Tensor, int]
) -> Tensor:
    """Returns the weighted sum of the values of each row and field.

    Args:
        values: Value of each place, `(places, dim)`.
        weights: Weights, `(batch, columns)`.
        places: Row and column of each, `(places, 2)`.
        fields: Number of the field of each column, `(columns,)`.
        shape: Numbers of rows and of fields.

    Returns:
        `(batch, fields, dim)`.
    """
    weighted = at(weights, places)[:, None] * values
    # Sums of 16-bit values would lose digits with each summand.
    dtype = tf.float32 if values.dtype.size < 4 else values.dtype
    segments = places[:, 0] * shape[1] + tf.gather(tf.constant(fields, tf.int64), places[:, 1])
    sums = tf.math.unsorted_segment_sum(tf.cast(weighted, dtype), segments, shape[0] * shape[1])
    return tf.cast(tf.reshape(sums, [-1, shape[1], values.shape[1]]), values.dtype)
