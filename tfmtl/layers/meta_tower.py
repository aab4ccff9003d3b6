"""Meta tower: from the representation of a task to its logit, with weights that depend on the scenario."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from tfmtl import introspection
from tfmtl.layers._meta_unit_owner import config_with_unit, inner_unit
from tfmtl.layers.meta_unit import MetaUnit
from tfmtl.types import Config, Shape, Tensor


@keras.saving.register_keras_serializable(package="tfmtl")
class MetaTower(keras.layers.Layer):
    """Meta tower of M2M: residual layers of meta units, and a linear unit that gives the logit in float32.

    `L_0 = R`, `L_j = act(Meta_j(L_{j-1}) + L_{j-1})`, j = 1 .. num_residuals. The activation is that of the units. The
    input is recorded as `tower_input/<name of the layer>` and L_j as `tower/<name of the layer>/<j - 1>`, as in a
    `Tower` (see `tfmtl.introspection`).

    Deviation from the paper: the paper ends with L_j; a linear unit turns it into a logit here.

    Args:
        num_residuals: Number of residual layers, each with its own meta unit.
        unit: `MetaUnit` whose options the layer's own units take; None takes those of `MetaUnit()`. With
            `generated=False` the tower does not depend on the scenario. The linear unit has the initializers and
            regularizers of the units.

    Call arguments:
        inputs: R, `(batch, d)`.
        knowledge: S, `(batch, s)`.

    Returns:
        Logits, `(batch,)`.

    Raises:
        ValueError: If `num_residuals` is below 1.

    Example:
        >>> import keras
        >>> from tfmtl.layers import MetaTower, MetaUnit
        >>> layer = MetaTower(num_residuals=2, unit=MetaUnit(num_layers=1, rank=2))
        >>> tuple(layer(keras.ops.ones((8, 16)), keras.ops.ones((8, 3))).shape)
        (8,)

    References:
        - [Zhang et al., 2022, Leaving No One Behind: A Multi-Scenario Multi-Task Meta Learning Approach for Advertiser
          Modeling](https://doi.org/10.1145/3488560.3498479), equations 17 and 18
    """

    def __init__(self, num_residuals: int = 2, unit: MetaUnit | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if num_residuals < 1:
            raise ValueError(f"`num_residuals` should be at least 1. Received: {num_residuals}")
        self.units = [inner_unit(unit, self, f"unit_{j}") for j in range(num_residuals)]
        self.head = keras.layers.Dense(1, dtype="float32", name="head", **self.units[0].arguments.dense())

    def build(self, inputs_shape: Shape, knowledge_shape: Shape) -> None:
        for unit in self.units:
            unit.build(inputs_shape, knowledge_shape)
        self.head.build(inputs_shape)

    def call(self, inputs: Tensor, knowledge: Tensor) -> Tensor:
        introspection.record(f"tower_input/{self.name}", inputs)
        hidden = inputs
        for j, unit in enumerate(self.units):
            hidden = unit.activation(unit(hidden, knowledge) + hidden)
            introspection.record(f"tower/{self.name}/{j}", hidden)
        return ops.squeeze(self.head(hidden), axis=-1)

    def compute_output_shape(self, inputs_shape: Shape, knowledge_shape: Shape) -> Shape:
        return tuple(inputs_shape[:-1])

    def get_config(self) -> Config:
        return {**super().get_config(), "num_residuals": len(self.units), **self.units[0].get_options()}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "MetaTower":
        layer: MetaTower = super().from_config(config_with_unit(config))
        return layer
