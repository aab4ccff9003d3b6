"""Multi-layer perceptron."""

from collections.abc import Sequence
from typing import Any

import keras


@keras.saving.register_keras_serializable(package="tfmtl")
class MLP(keras.layers.Layer):
    """Dense layers with an activation each: `h_l = act(h_{l-1} W_l + b_l)`, dropout after each.

    Args:
        units: width of each layer.
        activation: of every layer.
        dropout: rate, after every layer.

    Call arguments:
        inputs: `(..., d)`.

    Returns:
        `(..., units[-1])`; the inputs as they are if there are no units.

    Example:
        >>> MLP([64, 32])(keras.ops.ones((8, 16))).shape
        TensorShape([8, 32])
    """

    def __init__(self, units: Sequence[int], activation: Any = "relu", dropout: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        if any(width < 1 for width in units):
            raise ValueError(f"`units` should be positive. Received: {units}")
        if not 0 <= dropout < 1:
            raise ValueError(f"`dropout` should be in [0, 1). Received: {dropout}")
        self.units = tuple(units)
        self.activation = keras.activations.get(activation)
        self.dropout = dropout
        dense = {"activation": self.activation, "dtype": self.dtype_policy}
        self._layers_of = [keras.layers.Dense(width, **dense) for width in units]
        self._drop = keras.layers.Dropout(dropout, dtype=self.dtype_policy) if dropout else None

    def build(self, input_shape):
        for layer in self._layers_of:
            layer.build(input_shape)
            input_shape = layer.compute_output_shape(input_shape)

    def hiddens(self, inputs: Any, training: bool | None = None, count: int | None = None) -> list[Any]:
        """The output of each layer, the first layer's first; of the first `count` layers if it is given."""
        outputs = []
        for layer in self._layers_of[:count]:
            inputs = layer(inputs)
            if self._drop is not None:
                inputs = self._drop(inputs, training=training)
            outputs.append(inputs)
        return outputs

    def call(self, inputs, training=None):
        hiddens = self.hiddens(inputs, training=training)
        return hiddens[-1] if hiddens else inputs

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units[-1]) if self.units else tuple(input_shape)

    def get_config(self):
        return {
            **super().get_config(),
            "units": list(self.units),
            "activation": keras.activations.serialize(self.activation),
            "dropout": self.dropout,
        }
