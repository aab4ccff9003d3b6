"""Buckets of numbers that are bounded by quantiles of the training rows."""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from tfmtl.types import Tensor

Bounds = Callable[[Any, Tensor], Tensor]
"""Function that returns the bounds between the buckets of a feature, `(quantiles - 1,)` float32, in ascending order.

Its arguments are the feature and its numbers, NaN where missing.
"""
_EPSILON = 0.001


def counted_bounds(folder: str) -> Bounds:
    """Returns the function that reads the bounds which `WriteVocabularies` wrote.

    Args:
        folder: Folder of the files, each of which has the name of its feature.
    """

    def bounds(feature: Any, values: Tensor) -> Tensor:
        with tf.io.gfile.GFile(os.path.join(folder, feature.name), "rb") as file:
            return tf.constant(np.array(file.read().split(), np.float32))

    return bounds


def analyzed_bounds(feature: Any, values: Tensor) -> Tensor:
    """Returns the bounds that Transform computes from the rows (`tft.quantiles`).

    Args:
        feature: Feature of numbers.
        values: Its numbers, NaN where missing.
    """
    present = tf.boolean_mask(values, tf.logical_not(tf.math.is_nan(values)))
    bounds: Tensor = tft.quantiles(present, feature.quantiles, _EPSILON, name=f"{feature.name}_quantiles")
    return tf.reshape(bounds, [-1])


def quantile_ids(values: Tensor, feature: Any, bounds: Tensor) -> Tensor:
    """Returns the bucket of each number: the number of bounds that are not above it, plus 1.

    Args:
        values: Numbers, float32 of any shape, NaN where missing.
        feature: Feature of numbers, whose `default`, if it has one, replaces a missing number.
        bounds: Bounds between the buckets, in ascending order.

    Returns:
        int64 of the shape of the values, in `[0, len(bounds) + 1]`; 0 for a missing number.

    Example:
        >>> from tfmtl.features import NumericalFeature
        >>> feature = NumericalFeature("price", quantiles=3)
        >>> values = tf.constant([0.5, 1.0, 7.0, float("nan")])
        >>> quantile_ids(values, feature, tf.constant([1.0, 5.0])).numpy().tolist()
        [1, 2, 3, 0]
    """
    default = getattr(feature, "default", None)
    if default is not None:
        values = tf.where(tf.math.is_nan(values), tf.constant(default, tf.float32), values)
    missing = tf.math.is_nan(values)
    flat = tf.reshape(tf.where(missing, tf.zeros_like(values), values), [-1])
    ids = tf.reshape(tf.searchsorted(bounds, flat, side="right", out_type=tf.int64), tf.shape(values)) + 1
    return tf.where(missing, tf.zeros_like(ids), ids)
