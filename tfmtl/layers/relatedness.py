"""How related two tasks are on an instance, and the temperature that follows from it."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfmtl.layers.mlp import MLP


@keras.saving.register_keras_serializable(package="tfmtl")
class Relatedness(keras.layers.Layer):
    """Predicts whether two tasks have the same label: `z = w . MLP(v_1 (.) v_2) + b`, `y_rel = sigmoid(z)`.

    It is trained by the cross-entropy of y_rel against `1[y_1 = y_2]` (`tfmtl.losses.binary_cross_entropy` of z).

    Args:
        units: width of each hidden layer.
        activation: of the hidden layers.
        dropout: rate, after every hidden layer.

    Call arguments:
        first: v_1, `(batch, d)`, what the tower of one task sees.
        second: v_2, `(batch, d)`, what the tower of the other sees.

    Returns:
        `(batch,)` logits z in float32.

    Raises:
        ValueError: if the two differ in width.

    References:
        - [Lin et al., 2023, Modeling Adaptive Fine-grained Task Relatedness for Joint CTR-CVR Estimation]
          (https://arxiv.org/abs/2208.13442), equations 8 to 11
    """

    def __init__(self, units: Sequence[int] = (64,), activation: Any = "relu", dropout: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.hidden = MLP(units, activation, dropout, dtype=self.dtype_policy, name="hidden")
        self.head = keras.layers.Dense(1, dtype="float32", name="head")

    def build(self, first_shape, second_shape):
        if first_shape[-1] != second_shape[-1]:
            raise ValueError(
                "`first` and `second` should be of one width. "
                f"Received: widths {first_shape[-1]} and {second_shape[-1]}"
            )
        self.hidden.build(first_shape)
        self.head.build(self.hidden.compute_output_shape(first_shape))

    def call(self, first, second, training=None):
        return ops.squeeze(self.head(self.hidden(first * second, training=training)), axis=-1)

    def compute_output_shape(self, first_shape, second_shape):
        return tuple(first_shape[:-1])

    def get_config(self):
        return {
            **super().get_config(),
            "units": list(self.hidden.units),
            "activation": keras.activations.serialize(self.hidden.activation),
            "dropout": self.hidden.dropout,
        }
