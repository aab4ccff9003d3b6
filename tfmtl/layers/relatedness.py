"""Relatedness of two tasks on an instance."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfmtl.layers._weights import DenseArguments
from tfmtl.layers.mlp import MLP
from tfmtl.types import Activation, Config, Initializer, Regularizer, Shape, Tensor


@keras.saving.register_keras_serializable(package="tfmtl")
class Relatedness(keras.layers.Layer):
    """Relatedness network of AdaFTR: the logit that two tasks have the same label on an instance.

    `z = w . MLP(v_1 (.) v_2) + b`, `y_rel = sigmoid(z)`. It is trained by the cross-entropy of y_rel against
    `1[y_1 = y_2]` (`tfmtl.losses.binary_cross_entropy` of z).

    Args:
        units: Width of each hidden layer.
        activation: Activation of the hidden layers.
        dropout: Dropout rate after every hidden layer, in [0, 1).
        kernel_initializer: Initializer of the kernels.
        bias_initializer: Initializer of the biases.
        kernel_regularizer: Regularizer of the kernels.
        bias_regularizer: Regularizer of the biases.

    Call arguments:
        first: v_1, `(batch, d)`, the input of the tower of one task.
        second: v_2, `(batch, d)`, the input of the tower of the other task.

    Returns:
        Logits z, `(batch,)`, in float32.

    Raises:
        ValueError: If the two inputs differ in width, or an argument is out of range.

    Example:
        >>> import keras
        >>> from tfmtl.layers import Relatedness
        >>> tuple(Relatedness([32])(keras.ops.ones((8, 16)), keras.ops.ones((8, 16))).shape)
        (8,)

    References:
        - [Lin et al., 2023, Modeling Adaptive Fine-grained Task Relatedness for Joint CTR-CVR Estimation]
          (https://arxiv.org/abs/2208.13442), equations 8 to 11
    """

    def __init__(
        self,
        units: Sequence[int] = (64,),
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

    def build(self, first_shape: Shape, second_shape: Shape) -> None:
        if first_shape[-1] != second_shape[-1]:
            raise ValueError(
                "`first` and `second` should be of one width. "
                f"Received: widths {first_shape[-1]} and {second_shape[-1]}"
            )
        self.hidden.build(first_shape)
        self.head.build(self.hidden.compute_output_shape(first_shape))

    def call(self, first: Tensor, second: Tensor, training: bool | None = None) -> Tensor:
        return ops.squeeze(self.head(self.hidden(first * second, training=training)), axis=-1)

    def compute_output_shape(self, first_shape: Shape, second_shape: Shape) -> Shape:
        return tuple(first_shape[:-1])

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "units": list(self.hidden.units),
            "activation": keras.activations.serialize(self.hidden.activation),
            "dropout": self.hidden.dropout,
            **self._arguments.get_config(),
        }
