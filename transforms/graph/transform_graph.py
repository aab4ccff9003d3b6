"""Transform graph that Transform wrote, loaded as one function."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from tfmtl.spec import DatasetSpec
from tfmtl.types import Tensor


class TransformGraph(tf.Module):
    """Function from raw features to transformed features, with its vocabularies.

    It computes what `tft.TFTransformOutput.transform_features_layer()` computes. That layer walks the graph once for
    each output, and is a Keras 2 model, whose save traces its methods with AutoGraph: with hundreds of features, both
    take most of the time of loading and of export.

    Args:
        output: Output of Transform.
        spec: Spec of the dataset.

    Call arguments:
        features: `tf.SparseTensor`s by raw feature name, as Transform read them. A feature or label that is not among
            them counts as missing in every row; one that Transform did not know is ignored.

    Returns:
        Transformed features by name, and the labels that are among the inputs.
    """

    def __init__(self, output: tft.TFTransformOutput, spec: DatasetSpec):
        super().__init__()
        self._labels = frozenset(spec.labels)
        self._loaded = tf.saved_model.load(output.transform_savedmodel_dir)
        function = self._loaded.transform_fn
        self._function = function.concrete_functions[0] if hasattr(function, "concrete_functions") else function
        self._inputs = dict(self._function.structured_input_signature[0][0])

    def __call__(self, features: Mapping[str, Any]) -> dict[str, Tensor]:
        given = {name: features[name] for name in self._inputs if name in features}
        size = _batch_size(next(iter(given.values())))
        inputs = {name: given[name] if name in given else _missing(one, size) for name, one in self._inputs.items()}
        outputs = self._function(*tf.nest.flatten(inputs, expand_composites=True))
        absent = self._labels - set(given)
        return {name: tensor for name, tensor in outputs.items() if name not in absent}


def _batch_size(tensor: Any) -> Tensor:
    return tensor.dense_shape[0] if isinstance(tensor, tf.SparseTensor) else tf.shape(tensor, tf.int64)[0]


def _missing(spec: Any, batch_size: Tensor) -> Any:
    """Returns rows without a value."""
    if isinstance(spec, tf.SparseTensorSpec):
        shape = tf.stack([batch_size, 0])
        return tf.SparseTensor(tf.zeros((0, 2), tf.int64), tf.constant([], spec.dtype), shape)
    shape = tf.concat([[batch_size], tf.constant(spec.shape[1:].as_list(), tf.int64)], 0)
    return tf.fill(shape, tf.constant("" if spec.dtype == tf.string else 0, spec.dtype))
