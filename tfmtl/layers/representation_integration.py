"""Representation integration: a network whose layers read the layers of another network."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfmtl import introspection
from tfmtl.layers._shapes import known
from tfmtl.layers._weights import DenseArguments
from tfmtl.layers.mlp import MLP
from tfmtl.types import Activation, Config, Initializer, Regularizer, Shape, Tensor


@keras.saving.register_keras_serializable(package="tfmtl")
class RepresentationIntegration(keras.layers.Layer):
    """Representation integration of AutoHERI: a network whose layers read those of another one by learned connections.

    `h_l = act(W_l h_{l-1} + sum_j p_lj V_lj r_j + b_l)`, `p = sigmoid(a)`, with r_j the layers of the other network.

    p_lj is the probability of the connection from layer j of the other network to layer l of this one. Its expectation
    is taken instead of a sample, so that a is learned by gradients. All probabilities start at 1/2. The layers may
    differ in width: V_lj is the part of the kernel of layer l that reads r_j. Without sources the layer is a
    multi-layer perceptron without connections.

    The probabilities p are recorded in float32 as `connection/<name of the layer>`, of shape `(layers, sources)`
    without a batch axis (see `tfmtl.introspection`).

    Args:
        units: Width of each layer; at least one.
        activation: Activation of every layer.
        dropout: Dropout rate after every layer, in [0, 1).
        kernel_initializer: Initializer of the kernels W and V.
        bias_initializer: Initializer of the biases b.
        kernel_regularizer: Regularizer of the kernels W and V.
        bias_regularizer: Regularizer of the biases b.

    Call arguments:
        inputs: h_0, `(batch, d)`.
        sources: r, a list of `(batch, width)`. Left out if there is no other network.

    Returns:
        h_1, h_2, ..., a list of `(batch, width)`.

    Raises:
        ValueError: If there is no layer, a width is not positive, or `dropout` is outside [0, 1).

    Example:
        >>> import keras
        >>> from tfmtl.layers import RepresentationIntegration
        >>> inputs = keras.ops.ones((8, 16))
        >>> click = RepresentationIntegration([64, 32])(inputs)
        >>> buy = RepresentationIntegration([64, 32])(inputs, click)
        >>> [tuple(layer.shape) for layer in buy]
        [(8, 64), (8, 32)]

    References:
        - [Wei et al., 2021, AutoHERI: Automated Hierarchical Representation Integration for Post-Click Conversion Rate
          Estimation](https://doi.org/10.1145/3459637.3482061)
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
        if not units:
            raise ValueError(f"`units` should be at least one. Received: {units}")
        self.units = tuple(units)
        self.activation = keras.activations.get(activation)
        self.dropout = dropout
        self._arguments = DenseArguments(
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
        )
        self.steps = [
            MLP(
                [width],
                self.activation,
                dropout,
                dtype=self.dtype_policy,
                name=f"layer_{i}",
                **self._arguments.shared(),
            )
            for i, width in enumerate(units)
        ]
        self.connections = None

    def build(self, inputs_shape: Shape, sources_shape: Sequence[Shape] | None = None) -> None:
        if sources_shape:
            self.connections = self.add_weight(
                shape=(len(self.units), len(sources_shape)),
                initializer="zeros",
                autocast=False,  # Probabilities are computed in float32.
                name="connections",
            )
        width, source_width = known(inputs_shape[-1]), sum(known(shape[-1]) for shape in sources_shape or ())
        for step, units in zip(self.steps, self.units, strict=True):
            step.build((*inputs_shape[:-1], width + source_width))
            width = units

    def call(
        self, inputs: Tensor, sources: Sequence[Tensor] | None = None, training: bool | None = None
    ) -> list[Tensor]:
        hiddens = []
        weighted = self._weighted_sources(sources) if sources else [[] for _ in self.units]
        for step, layer_sources in zip(self.steps, weighted, strict=True):
            inputs = step(ops.concatenate([inputs, *layer_sources], axis=-1), training=training)
            hiddens.append(inputs)
        return hiddens

    def _weighted_sources(self, sources: Sequence[Tensor]) -> list[list[Tensor]]:
        """Returns, for each layer, the sources times their connections."""
        weights = ops.sigmoid(self.connections)
        introspection.record(f"connection/{self.name}", weights)
        weights = ops.cast(weights, self.compute_dtype)
        return [[weights[i, j] * source for j, source in enumerate(sources)] for i in range(len(self.units))]

    def compute_output_shape(self, inputs_shape: Shape, sources_shape: Sequence[Shape] | None = None) -> list[Shape]:
        return [(*inputs_shape[:-1], width) for width in self.units]

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "units": list(self.units),
            "activation": keras.activations.serialize(self.activation),
            "dropout": self.dropout,
            **self._arguments.get_config(),
        }
