"""The meta residual tower: from a task's representation to its logit, by way of the scenario."""

from typing import Any

import keras
from keras import ops

from tfmtl import introspection
from tfmtl.layers.meta_unit import MetaUnit


@keras.saving.register_keras_serializable(package="tfmtl")
class MetaTower(keras.layers.Layer):
    """`L_0 = R`, `L_j = act(Meta_j(L_{j-1}) + L_{j-1})`, j = 1 .. num_residuals; then a linear unit, in float32.

    As in a `Tower`, the input is recorded as `tower_input/<name of the layer>` and L_j as
    `tower/<name of the layer>/<j - 1>`. **D** the paper ends with L_j; a linear unit makes one number of it, the logit.

    Args:
        num_residuals: how many residual layers; each has a meta unit of its own.
        num_layers: K of a meta unit.
        rank: of its generated matrices, see `MetaUnit`.
        memory_mb: for its generated matrices.
        generated: False makes each unit an ordinary perceptron: a residual tower that does not know the scenario.
        activation: of the residual layers and of the units' layers.

    Call arguments:
        inputs: R, `(batch, d)`.
        knowledge: S, `(batch, s)`.

    Returns:
        `(batch,)` logits.

    References:
        - [Zhang et al., 2022, Leaving No One Behind: A Multi-Scenario Multi-Task Meta Learning Approach for Advertiser
          Modeling](https://doi.org/10.1145/3488560.3498479), equations 17 and 18
    """

    def __init__(
        self,
        num_residuals: int = 2,
        num_layers: int = 3,
        rank: int | None = None,
        memory_mb: float = 64.0,
        generated: bool = True,
        activation: Any = "leaky_relu",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if num_residuals < 1:
            raise ValueError(f"`num_residuals` should be at least 1. Received: {num_residuals}")
        self.units = [
            MetaUnit(num_layers, rank, memory_mb, generated, activation, dtype=self.dtype_policy, name=f"unit_{j}")
            for j in range(num_residuals)
        ]
        self.head = keras.layers.Dense(1, dtype="float32", name="head")

    def build(self, inputs_shape, knowledge_shape):
        for unit in self.units:
            unit.build(inputs_shape, knowledge_shape)
        self.head.build(inputs_shape)

    def call(self, inputs, knowledge):
        introspection.record(f"tower_input/{self.name}", inputs)
        hidden = inputs
        for j, unit in enumerate(self.units):
            hidden = unit.activation(unit(hidden, knowledge) + hidden)
            introspection.record(f"tower/{self.name}/{j}", hidden)
        return ops.squeeze(self.head(hidden), axis=-1)

    def compute_output_shape(self, inputs_shape, knowledge_shape):
        return tuple(inputs_shape[:-1])

    def get_config(self):
        return {**super().get_config(), "num_residuals": len(self.units), **self.units[0].get_options()}
