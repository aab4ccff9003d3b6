"""Tower of a task: from a representation to a logit."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfmtl import introspection
from tfmtl.layers._weights import DenseArguments
from tfmtl.layers.mlp import MLP
from tfmtl.types import Activation, Config, Initializer, Regularizer, Shape, Tensor


@keras.saving.register_keras_serializable(package="tfmtl")
class Tower(keras.layers.Layer):
    """Tower of a task: a multi-layer perceptron and a linear unit that gives the logit in float32.

    `z = w . MLP(x) + b`. The inputs are recorded as `tower_input/<name of the layer>` and the hidden layers as
    `tower/<name of the layer>/<index>` (see `tfmtl.introspection`).

    Args:
        units: Width of each hidden layer; none makes the tower linear.
        activation: Activation of the hidden layers.
        dropout: Dropout rate after every hidden layer, in [0, 1).
        kernel_initializer: Initializer of the kernels.
        bias_initializer: Initializer of the biases.
        kernel_regularizer: Regularizer of the kernels.
        bias_regularizer: Regularizer of the biases.

    Call arguments:
        inputs: x, `(batch, d)`.

    Returns:
        Logits z, `(batch,)`.

    Raises:
        ValueError: If a width is not positive, or `dropout` is outside [0, 1).

    Example:
        >>> import keras
        >>> from tfmtl.layers import Tower
        >>> tuple(Tower([64, 32])(keras.ops.ones((8, 16))).shape)
        (8,)
    """

    def __init__(
        self,
        units: Sequence[int] = (64, 32),
        activation: Activation = "relu",
        dropout: float = 0.0,
        kernel_initializer: Initializer = "glorot_uniform",
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer = None,
        bias_regularizer: Regularizer = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._arguments = DenseArguments(
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
        )
        self.hidden = MLP(
            units, activation, dropout, dtype=self.dtype_policy, name="hidden", **self._arguments.shared()
        )
        self.head = keras.layers.Dense(1, dtype="float32", name="head", **self._arguments.dense())

    def build(self, input_shape: Shape) -> None:
        self.hidden.build(input_shape)
        self.head.build(self.hidden.compute_output_shape(input_shape))

    def hidden_at(self, inputs: Tensor, index: int, training: bool | None = None) -> Tensor:
        """Computes one hidden layer of the given inputs, and records nothing.

        Args:
            inputs: `(batch, d)`.
            index: Index of the hidden layer, from 0.
            training: Whether dropout is applied.

        Returns:
            `(batch, units[index])`.
        """
        return self.hidden.hiddens(inputs, training=training, count=index + 1)[index]

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        introspection.record(f"tower_input/{self.name}", inputs)
        hiddens = self.hidden.hiddens(inputs, training=training)
        for i, hidden in enumerate(hiddens):
            introspection.record(f"tower/{self.name}/{i}", hidden)
        return ops.squeeze(self.head(hiddens[-1] if hiddens else inputs), axis=-1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape[:-1])

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "units": list(self.hidden.units),
            "activation": keras.activations.serialize(self.hidden.activation),
            "dropout": self.hidden.dropout,
            **self._arguments.get_config(),
        }
