"""Multi-layer perceptron."""

from collections.abc import Sequence
from typing import Any

import keras

from tfmtl.layers._weights import DenseArguments
from tfmtl.types import Activation, Config, Initializer, Regularizer, Shape, Tensor


@keras.saving.register_keras_serializable(package="tfmtl")
class MLP(keras.layers.Layer):
    """Multi-layer perceptron: dense layers, each with an activation and dropout after it.

    `h_l = act(h_{l-1} W_l + b_l)`.

    Args:
        units: Width of each layer. Without layers the inputs are returned unchanged.
        activation: Activation of every layer.
        dropout: Dropout rate after every layer, in [0, 1).
        kernel_initializer: Initializer of the kernels W.
        bias_initializer: Initializer of the biases b.
        kernel_regularizer: Regularizer of the kernels W.
        bias_regularizer: Regularizer of the biases b.

    Call arguments:
        inputs: `(..., d)`.

    Returns:
        `(..., units[-1])`.

    Raises:
        ValueError: If a width is not positive, or `dropout` is outside [0, 1).

    Example:
        >>> import keras
        >>> from tfmtl.layers import MLP
        >>> tuple(MLP([64, 32])(keras.ops.ones((8, 16))).shape)
        (8, 32)
    """

    def __init__(
        self,
        units: Sequence[int],
        activation: Activation = "relu",
        dropout: float = 0.0,
        kernel_initializer: Initializer = "glorot_uniform",
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer = None,
        bias_regularizer: Regularizer = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if any(width < 1 for width in units):
            raise ValueError(f"`units` should be positive. Received: {units}")
        if not 0 <= dropout < 1:
            raise ValueError(f"`dropout` should be in [0, 1). Received: {dropout}")
        self.units = tuple(units)
        self.activation = keras.activations.get(activation)
        self.dropout = dropout
        self._arguments = DenseArguments(
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
        )
        # Saved files name weights by this attribute.
        self._layers_of = [
            keras.layers.Dense(width, self.activation, dtype=self.dtype_policy, **self._arguments.dense())
            for width in units
        ]
        self._drop = keras.layers.Dropout(dropout, dtype=self.dtype_policy) if dropout else None

    def build(self, input_shape: Shape) -> None:
        for layer in self._layers_of:
            layer.build(input_shape)
            input_shape = layer.compute_output_shape(input_shape)

    def hiddens(self, inputs: Tensor, training: bool | None = None, count: int | None = None) -> list[Tensor]:
        """Returns the outputs of the layers, the first layer's first.

        Args:
            inputs: `(..., d)`.
            training: Whether dropout is applied.
            count: Number of layers to compute; None computes all.
        """
        outputs = []
        for layer in self._layers_of[:count]:
            inputs = layer(inputs)
            if self._drop is not None:
                inputs = self._drop(inputs, training=training)
            outputs.append(inputs)
        return outputs

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        hiddens = self.hiddens(inputs, training=training)
        return hiddens[-1] if hiddens else inputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.units[-1]) if self.units else tuple(input_shape)

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "units": list(self.units),
            "activation": keras.activations.serialize(self.activation),
            "dropout": self.dropout,
            **self._arguments.get_config(),
        }
