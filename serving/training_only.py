"""Features that are known in training only: a fixed value takes their place where a model is evaluated or served."""

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from tfmtl.features import CategoricalFeature
from tfmtl.spec import DatasetSpec


def fixed_values(spec: DatasetSpec, batch_size: Any) -> dict[str, tf.SparseTensor]:
    """Returns the fixed value of each feature that is known in training only, as raw features.

    Args:
        spec: Spec of the dataset.
        batch_size: Number of rows, an int64 scalar.

    Returns:
        `tf.SparseTensor`s by name, `(batch, 1)`, as the transform takes them.
    """
    rows = tf.range(tf.cast(batch_size, tf.int64))
    places = tf.stack([rows, tf.zeros_like(rows)], axis=1)
    shape = tf.stack([tf.cast(batch_size, tf.int64), 1])
    values = {}
    for feature in spec.training_only_features:
        assert feature.training_only is not None
        given = feature.training_only.value
        value: Any = str(given) if isinstance(feature, CategoricalFeature) else float(given)
        dtype = tf.string if isinstance(feature, CategoricalFeature) else tf.float32
        values[feature.name] = tf.SparseTensor(places, tf.fill(tf.shape(rows), tf.constant(value, dtype)), shape)
    return values


class ServedTransform(tf.Module):
    """Transform in which the fixed values take the place of the features that are known in training only.

    Args:
        transform: Callable that maps raw features (`tf.SparseTensor`s by name) to transformed features.
        spec: Spec of the dataset.
    """

    def __init__(self, transform: Callable[[dict], Mapping[str, Any]], spec: DatasetSpec):
        super().__init__()
        self.transform = transform
        self._spec = spec

    def __call__(self, features: Mapping[str, Any]) -> Mapping[str, Any]:
        first = next(iter(features.values()))
        size = first.dense_shape[0] if isinstance(first, tf.SparseTensor) else tf.shape(first, tf.int64)[0]
        return self.transform({**features, **fixed_values(self._spec, size)})

    def fixed_ids(self) -> dict[str, tf.Tensor]:
        """Returns the transformed value of each feature that is known in training only, a scalar by name."""
        fixed = fixed_values(self._spec, tf.constant(1, tf.int64))
        transformed = self.transform(fixed)
        return {name: tf.reshape(transformed[name], []) for name in fixed}


def served_transform(transform: Any, spec: DatasetSpec) -> Any:
    """Returns a transform as it is where a model is evaluated or served.

    Args:
        transform: Callable that maps raw features to transformed features.
        spec: Spec of the dataset.

    Returns:
        `ServedTransform`; the transform itself if all features are known where a model is served.
    """
    return ServedTransform(transform, spec) if spec.training_only_features else transform
