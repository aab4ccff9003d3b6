"""Fields as numbers, without an embedding."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from tfmtl.layers._fields import Fields, rename_former_keys
from tfmtl.layers._ids import mark_outside
from tfmtl.types import Config, Features, Shape, Tensor


@keras.saving.register_keras_serializable(package="tfmtl")
class RawValues(keras.layers.Layer):
    """Representation of each field by one number instead of an embedding, `h_f = id / (size_f - 1)` in [0, 1].

    A multivalent field, which holds several ids with weights w per row, has their weighted mean,
    `sum_j w_j h_{f,j} / sum_j w_j`, or 0 where all weights are 0. An unpooled multivalent field counts as one field for
    each position, `w_j h_{f,j}`.

    The ids of a numerical feature are in the order of its values, and those of a vocabulary in the order of frequency.
    They are divided by the size of their field, because numbers of very different scales do not train together.

    The layer takes the inputs of `FusedEmbedding` and can replace it; it has no weights.

    Args:
        vocab_sizes: Number of ids of each field, in the order of the fields of the output.
        multivalent: Names of the fields that hold several ids per row; their weights are the input `<field>__weights`.
        unpooled: Names of the multivalent fields that are one field for each position.
        dense: Length of the vector of each dense field, whose numbers follow the other fields as they are.

    Call arguments:
        inputs: A dict of integer ids, `(batch,)` for a field and `(batch, length)` for a multivalent one, and of the
            weights of multivalent fields and the vectors of dense ones, `(batch, length)`. Other entries are ignored.

    Returns:
        `(batch, fields, 1)`. On JAX and PyTorch the value of an id outside its field is NaN.

    Raises:
        ValueError: If a field, or the weights of a multivalent field, are missing from the inputs.
        tf.errors.InvalidArgumentError: If an id is negative or at least the size of its field (on TensorFlow, on CPU,
            without XLA).

    Example:
        >>> import keras, numpy as np
        >>> from tfmtl.layers import RawValues
        >>> values = RawValues({"user": 5, "item": 3})({"user": np.array([1, 4]), "item": np.array([0, 1])})
        >>> keras.ops.convert_to_numpy(values)[:, :, 0].tolist()
        [[0.25, 0.0], [1.0, 0.5]]
    """

    def __init__(
        self,
        vocab_sizes: Mapping[str, int],
        multivalent: Sequence[str] = (),
        unpooled: Sequence[str] = (),
        dense: Mapping[str, int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._fields = Fields(dict(vocab_sizes), tuple(multivalent), tuple(unpooled))
        self.vocab_sizes = self._fields.vocab_sizes
        self.multivalent = self._fields.multivalent
        self.unpooled = self._fields.unpooled
        self.dense = dict(dense or {})

    def call(self, inputs: Features) -> Tensor:
        ids, fields = self._fields.ids(inputs)
        largest = np.array([max(self.vocab_sizes[field] - 1, 1) for field in fields], "float32")
        values = mark_outside(ops.divide(ops.cast(ids, "float32"), largest)[:, :, None], ids, self.vocab_sizes, fields)
        # Means are computed in float32: bfloat16 has 3 digits.
        pooled = ops.cast(self._fields.pool_all(values, inputs), self.compute_dtype)
        vectors = [ops.cast(inputs[field], self.compute_dtype)[:, :, None] for field in self.dense]
        return ops.concatenate([pooled, *vectors], axis=1) if vectors else pooled

    def compute_output_shape(self, input_shape: Mapping[str, Shape]) -> Shape:
        return self._fields.output_shape(input_shape, 1, sum(self.dense.values()))

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "vocab_sizes": self.vocab_sizes,
            "multivalent": list(self.multivalent),
            "unpooled": list(self.unpooled),
            "dense": self.dense,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "RawValues":
        layer: RawValues = super().from_config(rename_former_keys(config))
        return layer
