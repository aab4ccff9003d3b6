"""Features as numbers, without an embedding."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from tfmtl.features import WEIGHTS_SUFFIX


@keras.saving.register_keras_serializable(package="tfmtl")
class RawValues(keras.layers.Layer):
    """One number a field instead of an embedding: `h_f = id / (rows_f - 1)`, in [0, 1].

    For a bag of ids with weights w, their weighted mean `sum_j w_j h_{f,j} / sum_j w_j`, which is 0 for an empty bag;
    a bag that is kept apart is as many fields as it has places, `w_j h_{f,j}`.
    Ids of a numerical feature are in the order of its values, and those of a vocabulary in the order of frequency. They
    are divided by the size of their field because a number of millions beside one of tens cannot be trained on.

    It takes what `FusedEmbedding` takes and stands in its place; nothing in it is trained.

    Args:
        vocab_sizes: how many ids each field has; the order is that of the output's fields.
        multivalent: the fields that hold several ids; their weights are the input `<field>__weights`.
        unpooled: the bags that are a field for each place, in the order of their places.

    Call arguments:
        inputs: a dict; `(batch,)` whole numbers for a field, `(batch, length)` ids and weights for a bag. Other
            entries are left alone.

    Returns:
        `(batch, fields, 1)`.

    Raises:
        ValueError: if a field, or the weights of a bag, are absent from the inputs.
    """

    def __init__(
        self,
        vocab_sizes: Mapping[str, int],
        multivalent: Sequence[str] = (),
        unpooled: Sequence[str] = (),
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if not vocab_sizes or any(size < 1 for size in vocab_sizes.values()):
            raise ValueError(f"`vocab_sizes` should give every field at least one row. Received: {dict(vocab_sizes)}")
        unknown = [field for field in multivalent if field not in vocab_sizes]
        if unknown:
            raise ValueError(f"`multivalent` should be fields of `vocab_sizes`. Received: {unknown}")
        singles = [field for field in unpooled if field not in multivalent]
        if singles:
            raise ValueError(f"`unpooled` should be of the `multivalent`. Received: {singles}")
        self.vocab_sizes = dict(vocab_sizes)
        self.multivalent = tuple(multivalent)
        self.unpooled = tuple(unpooled)

    def call(self, inputs):
        needed = [*self.vocab_sizes, *(bag + WEIGHTS_SUFFIX for bag in self.multivalent)]
        absent = [name for name in needed if name not in inputs]
        if absent:
            raise ValueError(f"`inputs` should hold every field. Received none for: {', '.join(absent)}")
        values = []
        for field, count in self.vocab_sizes.items():
            value = ops.cast(inputs[field], "float32") / max(count - 1, 1)
            if field in self.multivalent:
                weights = ops.cast(inputs[field + WEIGHTS_SUFFIX], "float32")
                value = weights * value
                if field not in self.unpooled:
                    total = ops.sum(weights, axis=1)
                    value = ops.sum(value, axis=1) / ops.where(total == 0, ops.ones_like(total), total)
            values.append(value if field in self.unpooled else value[:, None])
        return ops.cast(ops.concatenate(values, axis=1)[:, :, None], self.compute_dtype)

    def compute_output_shape(self, input_shape):
        fields = sum(input_shape[field][1] if field in self.unpooled else 1 for field in self.vocab_sizes)
        return (next(iter(input_shape.values()))[0], fields, 1)

    def get_config(self):
        return {
            **super().get_config(),
            "vocab_sizes": self.vocab_sizes,
            "multivalent": list(self.multivalent),
            "unpooled": list(self.unpooled),
        }
