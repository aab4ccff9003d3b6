"""Ids of numbers: their buckets, by the logarithm or by quantiles."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfmtl.features import NumberSequenceFeature, NumericalFeature
from tfmtl.spec import DatasetSpec
from tfmtl.types import Tensor
from transforms.graph.quantile_buckets import Bounds, quantile_ids
from transforms.graph.scalar_columns import by_name, scalar_columns


def log_round(values: Tensor, feature: NumericalFeature | NumberSequenceFeature) -> Tensor:
    """Discretizes numbers by rounding their logarithm.

    A number `x` becomes the bucket
    `clip(sign(x) * round(log1p(|x|) * scale), min_bucket, max_bucket) - min_bucket + 1`. A missing number becomes the
    bucket of the feature's default, or 0 if it has none. Halves round to the even number, as everywhere in TensorFlow
    and NumPy; infinities fall in the outermost buckets.

    Args:
        values: Numbers, float32 of any shape, NaN where missing.
        feature: Feature whose `scale`, `min_bucket`, `max_bucket` and `default` are applied.

    Returns:
        Buckets, int64 of the same shape, in `[0, max_bucket - min_bucket + 1]`.

    Example:
        >>> feature = NumericalFeature("price", scale=2.0, min_bucket=-3, max_bucket=5)
        >>> log_round(tf.constant([0.0, 1.0, -1.0, 1e9, float("nan")]), feature).numpy().tolist()
        [4, 5, 3, 9, 0]

    References:
        APEM, section 4.1: numerical features are discretized by a log-round operation.
    """
    return _log_round(values, [feature])


def _log_round(values: Tensor, features: Sequence[NumericalFeature | NumberSequenceFeature]) -> Tensor:
    """Computes `log_round` of the numbers of one feature, or of those of several features, `(features, batch)`."""

    def column(options: list[Any], dtype: Any) -> Any:
        return np.array(options, dtype)[:, None] if len(options) > 1 else np.array(options[0], dtype)

    given = [feature.default if isinstance(feature, NumericalFeature) else None for feature in features]
    missing = tf.math.is_nan(values)
    values = tf.where(missing, column([default or 0.0 for default in given], np.float32), values)
    scale = column([feature.scale for feature in features], np.float32)
    rounded = tf.sign(values) * tf.round(tf.math.log1p(tf.abs(values)) * scale)
    lowest = [feature.min_bucket for feature in features]
    highest = column([feature.max_bucket for feature in features], np.float32)
    bounded = tf.maximum(tf.minimum(rounded, highest), column(lowest, np.float32))
    ids = tf.cast(bounded, tf.int64) - column(lowest, np.int64) + 1
    without_default = column([default is None for default in given], bool)
    return tf.where(missing & without_default, tf.zeros_like(ids), ids)


def numerical_ids(
    spec: DatasetSpec, inputs: Mapping[str, Tensor], batch_size: Tensor, bounds: Bounds
) -> dict[str, Tensor]:
    """Returns the buckets of the numerical features, `(batch,)` int64 by name.

    Args:
        spec: Spec of the dataset.
        inputs: Raw features by name.
        batch_size: Number of rows.
        bounds: Function that returns the bounds of the quantiles of a feature.
    """
    features = [feature for feature in spec.features if isinstance(feature, NumericalFeature)]
    if not features:
        return {}
    columns = [inputs.get(feature.name) for feature in features]
    values = scalar_columns(columns, batch_size, float("nan"), tf.float32)
    logarithmic = [i for i, feature in enumerate(features) if feature.quantiles is None]
    computed = {}
    if logarithmic:
        numbers = values if len(logarithmic) == len(features) else tf.gather(values, logarithmic)
        chosen = [features[i] for i in logarithmic]
        computed = by_name(chosen, _log_round(numbers, chosen))
    for i, feature in enumerate(features):
        if feature.quantiles is not None:
            computed[feature.name] = quantile_ids(values[i], feature, bounds(feature, values[i]))
    return computed


def sequence_ids(sequence: Tensor | None, feature: NumberSequenceFeature, bounds: Bounds) -> Tensor:
    """Returns the bucket of each number of a sequence, `(numbers,)` int64.

    Args:
        sequence: Numbers, `tf.SparseTensor`; None if no row has any.
        feature: Feature of the numbers.
        bounds: Function that returns the bounds of the quantiles of a feature.
    """
    values = tf.constant([], tf.float32) if sequence is None else sequence.values
    if feature.quantiles is None:
        return log_round(values, feature)
    return quantile_ids(values, feature, bounds(feature, values))
