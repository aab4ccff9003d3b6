"""The tower of a task: from a representation to a logit."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfmtl import introspection
from tfmtl.layers.mlp import MLP


@keras.saving.register_keras_serializable(package="tfmtl")
class Tower(keras.layers.Layer):
    """An MLP and a linear unit: `z = w . MLP(x) + b`, the logit of one task, in float32.

    Its inputs are recorded as `tower_input/<name of the layer>` and its hidden layers as
    `tower/<name of the layer>/<index>` (see `tfmtl.introspection`).

    Args:
        units: width of each hidden layer.
        activation: of the hidden layers.
        dropout: rate, after every hidden layer.

    Call arguments:
        inputs: `(batch, d)`.

    Returns:
        `(batch,)` logits.
    """

    def __init__(self, units: Sequence[int] = (64, 32), activation: Any = "relu", dropout: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.hidden = MLP(units, activation, dropout, dtype=self.dtype_policy, name="hidden")
        self.head = keras.layers.Dense(1, dtype="float32", name="head")

    def build(self, input_shape):
        self.hidden.build(input_shape)
        self.head.build(self.hidden.compute_output_shape(input_shape))

    def hidden_at(self, inputs: Any, index: int, training: bool | None = None) -> Any:
        """The hidden layer of that index on other inputs than the forward pass's; nothing is recorded."""
        return self.hidden.hiddens(inputs, training=training, count=index + 1)[index]

    def call(self, inputs, training=None):
        introspection.record(f"tower_input/{self.name}", inputs)
        hiddens = self.hidden.hiddens(inputs, training=training)
        for i, hidden in enumerate(hiddens):
            introspection.record(f"tower/{self.name}/{i}", hidden)
        return ops.squeeze(self.head(hiddens[-1] if hiddens else inputs), axis=-1)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[:-1])

    def get_config(self):
        return {
            **super().get_config(),
            "units": list(self.hidden.units),
            "activation": keras.activations.serialize(self.hidden.activation),
            "dropout": self.hidden.dropout,
        }
