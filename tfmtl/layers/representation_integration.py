"""A network into each of whose layers the layers of another network flow, as much as it has learned."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfmtl import introspection
from tfmtl.layers.mlp import MLP


@keras.saving.register_keras_serializable(package="tfmtl")
class RepresentationIntegration(keras.layers.Layer):
    """`h_l = act(W_l h_{l-1} + sum_j p_lj V_lj r_j + b_l)`, `p = sigmoid(a)`: r_j the layers of another network.

    p_lj is the probability of the connection from layer j there to layer l here, of which the expectation is taken
    instead of a draw, so that a is learned by gradients. All begin at 1/2. The layers may be of different widths: V is
    the part of the layer's kernel that reads r_j. Without sources it is an MLP, and has no connections.

    The connections p are recorded in float32 as `connection/<name of the layer>`, `(layers, sources)`, without a batch
    axis (see `tfmtl.introspection`).

    Args:
        units: width of each layer.
        activation: of every layer.
        dropout: rate, after every layer.

    Call arguments:
        inputs: h_0, `(batch, d)`.
        sources: r, a list of `(batch, width)`; left out where there is no network before this one.

    Returns:
        h_1, h_2 ..., a list of `(batch, width)`.

    Example:
        >>> upstream = RepresentationIntegration([64, 32])(keras.ops.ones((8, 16)))
        >>> [layer.shape for layer in RepresentationIntegration([64, 32])(keras.ops.ones((8, 16)), upstream)]
        [TensorShape([8, 64]), TensorShape([8, 32])]

    References:
        - [Wei et al., 2021, AutoHERI: Automated Hierarchical Representation Integration for Post-Click Conversion Rate
          Estimation](https://doi.org/10.1145/3459637.3482061)
    """

    def __init__(self, units: Sequence[int], activation: Any = "relu", dropout: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        if not units:
            raise ValueError(f"`units` should be at least one. Received: {units}")
        self.units = tuple(units)
        self.activation = keras.activations.get(activation)
        self.dropout = dropout
        arguments = {"activation": self.activation, "dropout": dropout, "dtype": self.dtype_policy}
        self.steps = [MLP([width], **arguments, name=f"layer_{i}") for i, width in enumerate(units)]
        self.connections = None

    def build(self, inputs_shape, sources_shape=None):
        if sources_shape:
            self.connections = self.add_weight(
                shape=(len(self.units), len(sources_shape)),
                initializer="zeros",
                autocast=False,  # A sigmoid of a rounded number would be another one.
                name="connections",
            )
        width, flowing = inputs_shape[-1], sum(shape[-1] for shape in sources_shape or ())
        for step, units in zip(self.steps, self.units, strict=True):
            step.build((*inputs_shape[:-1], width + flowing))
            width = units

    def call(self, inputs, sources=None, training=None):
        hiddens = []
        flowing = self._flowing(sources) if sources else [()] * len(self.units)
        for step, others in zip(self.steps, flowing, strict=True):
            inputs = step(ops.concatenate([inputs, *others], axis=-1), training=training)
            hiddens.append(inputs)
        return hiddens

    def _flowing(self, sources):
        """What flows into each layer: the sources, each times its connection."""
        weights = ops.sigmoid(self.connections)
        introspection.record(f"connection/{self.name}", weights)
        weights = ops.cast(weights, self.compute_dtype)
        return [[weights[i, j] * source for j, source in enumerate(sources)] for i in range(len(self.units))]

    def compute_output_shape(self, inputs_shape, sources_shape=None):
        return [(*inputs_shape[:-1], width) for width in self.units]

    def get_config(self):
        return {
            **super().get_config(),
            "units": list(self.units),
            "activation": keras.activations.serialize(self.activation),
            "dropout": self.dropout,
        }
