"""Vectors of numbers, standardized by position."""

import os
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from tfmtl.alignment import align_right
from tfmtl.features import DenseFeature
from tfmtl.types import Tensor

Moments = Callable[[DenseFeature, Tensor], tuple[Tensor, Tensor]]
"""Function that returns the mean and the standard deviation of each position of a feature, `(length,)` float32.

Its arguments are the feature and its vectors, `(batch, length)`, NaN where missing.
"""


def counted_moments(folder: str) -> Moments:
    """Returns the function that reads the moments which `WriteVocabularies` wrote.

    Args:
        folder: Folder of the files, each of which has the name of its feature.
    """

    def moments(feature: DenseFeature, vectors: Tensor) -> tuple[Tensor, Tensor]:
        with tf.io.gfile.GFile(os.path.join(folder, feature.name), "rb") as file:
            found = np.array(file.read().split(), np.float32).reshape(feature.length, 2)
        return tf.constant(found[:, 0]), tf.constant(found[:, 1])

    return moments


def analyzed_moments(feature: DenseFeature, vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the moments that Transform computes from the rows (`tft.mean`).

    Args:
        feature: Feature whose moments are computed.
        vectors: Its vectors, NaN where missing.
    """
    present = tf.cast(tf.logical_not(tf.math.is_nan(vectors)), tf.float32)
    values = tf.where(present > 0, vectors, tf.zeros_like(vectors))
    share, mean, square = (
        tft.mean(one, reduce_instance_dims=False, name=f"{feature.name}_{name}")
        for name, one in (("share", present), ("mean", values), ("square", values * values))
    )
    mean, square = tf.math.divide_no_nan(mean, share), tf.math.divide_no_nan(square, share)
    deviation = tf.sqrt(tf.maximum(square - mean * mean, 0.0))
    return mean, tf.where(deviation > 0, deviation, tf.ones_like(deviation))


def dense_vector(values: Tensor | None, feature: DenseFeature, batch_size: Tensor, moments: Moments) -> Tensor:
    """Returns the vectors of a feature, `(batch, length)` float32.

    Args:
        values: Numbers, `tf.SparseTensor`; None if no row has the vector.
        feature: Feature of the vectors.
        batch_size: Number of rows.
        moments: Function that returns the mean and the standard deviation of each position.
    """
    if values is None:
        vectors = tf.fill(tf.stack([batch_size, feature.length]), float("nan"))
    else:
        vectors = tf.sparse.to_dense(align_right(values, feature.length), float("nan"))
    vectors = tf.ensure_shape(vectors, (None, feature.length))
    if feature.standardize:
        mean, deviation = moments(feature, vectors)
        vectors = (vectors - mean) / deviation
    return tf.where(tf.math.is_nan(vectors), tf.zeros_like(vectors), vectors)
