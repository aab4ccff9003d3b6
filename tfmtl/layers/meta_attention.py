"""Meta attention: attention of a task over views, with weights that depend on the scenario."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from tfmtl import introspection
from tfmtl.layers._meta_unit_owner import config_with_unit, inner_unit
from tfmtl.layers._shapes import known
from tfmtl.layers.meta_unit import MetaUnit
from tfmtl.types import Config, Shape, Tensor


@keras.saving.register_keras_serializable(package="tfmtl")
class MetaAttention(keras.layers.Layer):
    """Meta attention of M2M: attention of one task over the views of an instance, scored by a meta unit.

    `a_i = v . Meta([E_i || T])`, `alpha = softmax(a)`, `R = sum_i alpha_i E_i`. The weights alpha are computed in
    float32 and recorded as `meta_attention/<name of the layer>` (see `tfmtl.introspection`).

    Args:
        unit: `MetaUnit` whose options the layer's own unit takes; None takes those of `MetaUnit()`. With
            `generated=False` the attention does not depend on the scenario. The vector v has the initializer and the
            regularizer of the unit's kernels.

    Call arguments:
        views: E, `(batch, num_views, d_1)`.
        anchor: T, `(batch, d_2)`.
        knowledge: S, `(batch, s)`.

    Returns:
        R, `(batch, d_1)`.

    Example:
        >>> import keras
        >>> from tfmtl.layers import MetaAttention, MetaUnit
        >>> layer = MetaAttention(MetaUnit(num_layers=2, rank=2))
        >>> views, anchor, knowledge = keras.ops.ones((8, 5, 16)), keras.ops.ones((8, 4)), keras.ops.ones((8, 3))
        >>> tuple(layer(views, anchor, knowledge).shape)
        (8, 16)

    References:
        - [Zhang et al., 2022, Leaving No One Behind: A Multi-Scenario Multi-Task Meta Learning Approach for Advertiser
          Modeling](https://doi.org/10.1145/3488560.3498479), equations 14 to 16
    """

    def __init__(self, unit: MetaUnit | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.unit = inner_unit(unit, self, "unit")

    def build(self, views_shape: Shape, anchor_shape: Shape, knowledge_shape: Shape) -> None:
        width = known(views_shape[-1]) + known(anchor_shape[-1])
        self.unit.build((*views_shape[:-1], width), knowledge_shape)
        self.vector = self.add_weight(shape=(width, 1), name="vector", **self.unit.arguments.kernel())

    def call(self, views: Tensor, anchor: Tensor, knowledge: Tensor) -> Tensor:
        shape = (ops.shape(views)[0], views.shape[1], anchor.shape[-1])
        joined = ops.concatenate([views, ops.broadcast_to(anchor[:, None], shape)], axis=-1)
        scores = ops.matmul(self.unit(joined, knowledge), self.vector)[:, :, 0]
        weights = ops.softmax(ops.cast(scores, "float32"), axis=-1)
        introspection.record(f"meta_attention/{self.name}", weights)
        return ops.einsum("bk,bkd->bd", ops.cast(weights, self.compute_dtype), views)

    def compute_output_shape(self, views_shape: Shape, anchor_shape: Shape, knowledge_shape: Shape) -> Shape:
        return (views_shape[0], views_shape[-1])

    def get_config(self) -> Config:
        return {**super().get_config(), **self.unit.get_options()}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "MetaAttention":
        layer: MetaAttention = super().from_config(config_with_unit(config))
        return layer
