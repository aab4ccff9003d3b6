"""Attention of a task over views, with weights that depend on the scenario."""

from typing import Any

import keras
from keras import ops

from tfmtl import introspection
from tfmtl.layers.meta_unit import MetaUnit


@keras.saving.register_keras_serializable(package="tfmtl")
class MetaAttention(keras.layers.Layer):
    """`a_i = v . Meta([E_i || T])`, `alpha = softmax(a)`, `R = sum_i alpha_i E_i`, for one task.

    The weights alpha are recorded as `meta_attention/<name of the layer>` and computed in float32.

    Args:
        num_layers: K of the meta unit.
        rank: of its generated matrices, see `MetaUnit`.
        memory_mb: for its generated matrices.
        generated: False makes the unit an ordinary perceptron: attention that does not know the scenario.
        activation: of the unit's layers.

    Call arguments:
        views: E, `(batch, num_views, d_1)`.
        anchor: T, `(batch, d_2)`.
        knowledge: S, `(batch, s)`.

    Returns:
        R, `(batch, d_1)`.

    References:
        - [Zhang et al., 2022, Leaving No One Behind: A Multi-Scenario Multi-Task Meta Learning Approach for Advertiser
          Modeling](https://doi.org/10.1145/3488560.3498479), equations 14 to 16
    """

    def __init__(
        self,
        num_layers: int = 3,
        rank: int | None = None,
        memory_mb: float = 64.0,
        generated: bool = True,
        activation: Any = "leaky_relu",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.unit = MetaUnit(num_layers, rank, memory_mb, generated, activation, dtype=self.dtype_policy, name="unit")

    def build(self, views_shape, anchor_shape, knowledge_shape):
        width = views_shape[-1] + anchor_shape[-1]
        self.unit.build((*views_shape[:-1], width), knowledge_shape)
        self.vector = self.add_weight(shape=(width, 1), initializer="glorot_uniform", name="vector")

    def call(self, views, anchor, knowledge):
        shape = (ops.shape(views)[0], views.shape[1], anchor.shape[-1])
        joined = ops.concatenate([views, ops.broadcast_to(anchor[:, None], shape)], axis=-1)
        scores = ops.matmul(self.unit(joined, knowledge), self.vector)[:, :, 0]
        weights = ops.softmax(ops.cast(scores, "float32"), axis=-1)
        introspection.record(f"meta_attention/{self.name}", weights)
        return ops.einsum("bk,bkd->bd", ops.cast(weights, self.compute_dtype), views)

    def compute_output_shape(self, views_shape, anchor_shape, knowledge_shape):
        return (views_shape[0], views_shape[-1])

    def get_config(self):
        return {**super().get_config(), **self.unit.get_options()}
