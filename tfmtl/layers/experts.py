"""A bank of experts: MLPs of one shape that see the same input."""

import itertools
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="tfmtl")
class Experts(keras.layers.Layer):
    """E multi-layer perceptrons side by side: `h_{e,l} = act(h_{e,l-1} W_{e,l} + b_{e,l})`, e = 1 .. E.

    The weights of all experts are one tensor a layer, so that a layer is one batched product.

    Args:
        num_experts: E.
        units: width of each layer of an expert.
        activation: of every layer.
        dropout: rate, after every layer.

    Call arguments:
        inputs: `(batch, d)`.

    Returns:
        `(batch, num_experts, units[-1])`.

    References:
        - [Ma et al., 2018, Modeling Task Relationships in Multi-task Learning with Multi-gate Mixture-of-Experts]
          (https://dl.acm.org/doi/10.1145/3219819.3220007)
    """

    def __init__(
        self, num_experts: int, units: Sequence[int], activation: Any = "relu", dropout: float = 0.0, **kwargs: Any
    ):
        super().__init__(**kwargs)
        if num_experts < 1:
            raise ValueError(f"`num_experts` should be at least 1. Received: {num_experts}")
        if not units or any(width < 1 for width in units):
            raise ValueError(f"`units` should be positive and at least one. Received: {units}")
        if not 0 <= dropout < 1:
            raise ValueError(f"`dropout` should be in [0, 1). Received: {dropout}")
        self.num_experts = num_experts
        self.units = tuple(units)
        self.activation = keras.activations.get(activation)
        self.dropout = dropout
        self._drop = keras.layers.Dropout(dropout, dtype=self.dtype_policy) if dropout else None

    def build(self, input_shape):
        widths = (input_shape[-1], *self.units)
        # Each expert starts as a Dense layer of its own would: Glorot's fan is that of one expert.
        self.kernels = [
            self.add_weight(
                shape=(self.num_experts, fan_in, fan_out), initializer=_PerExpertGlorot(), name=f"kernel_{i}"
            )
            for i, (fan_in, fan_out) in enumerate(itertools.pairwise(widths))
        ]
        self.biases = [
            self.add_weight(shape=(self.num_experts, 1, width), initializer="zeros", name=f"bias_{i}")
            for i, width in enumerate(self.units)
        ]

    def call(self, inputs, training=None):
        hidden = ops.matmul(inputs[None], self.kernels[0])  # (1, b, d) x (E, d, h) -> (E, b, h)
        for i, bias in enumerate(self.biases):
            if i:
                hidden = ops.matmul(hidden, self.kernels[i])
            hidden = self.activation(hidden + bias)
            if self._drop is not None:
                hidden = self._drop(hidden, training=training)
        return ops.transpose(hidden, (1, 0, 2))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.num_experts, self.units[-1])

    def get_config(self):
        return {
            **super().get_config(),
            "num_experts": self.num_experts,
            "units": list(self.units),
            "activation": keras.activations.serialize(self.activation),
            "dropout": self.dropout,
        }


@keras.saving.register_keras_serializable(package="tfmtl")
class _PerExpertGlorot(keras.initializers.Initializer):
    """Glorot-uniform with the fans of the last two axes: `U(-l, l)`, `l = sqrt(6 / (fan_in + fan_out))`."""

    def __init__(self, seed: int | None = None):
        self.seed = seed

    def __call__(self, shape, dtype=None):
        limit = (6.0 / (shape[-2] + shape[-1])) ** 0.5
        return keras.initializers.RandomUniform(-limit, limit, seed=self.seed)(shape, dtype=dtype)

    def get_config(self):
        return {"seed": self.seed}
