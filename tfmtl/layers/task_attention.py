"""Attention between a task and the one before it in the chain."""

from typing import Any, Literal

import keras
from keras import ops

from tfmtl import introspection

QUERIES = ("current", "each")


@keras.saving.register_keras_serializable(package="tfmtl")
class TaskAttention(keras.layers.Layer):
    """`C_i = sum_u w_u V(u)` over the two tokens u: x_{i-1} of the previous task and x_i of the current one.

    `w = softmax_u(q_u . K(u) / sqrt(d))`; Q, K and V are linear feed-forward layers of width d, the tokens' own. The
    first task of a chain attends to itself alone: `C_1 = V(x_1)`, and it has no Q and K.

    MAN leaves open whose query it is that meets the keys. `current`, the default, is scaled dot-product attention as
    it is usually meant: the current task asks and both tokens answer, `q_u = Q(x_i)`. With `each`, every token meets
    its own key, `q_u = Q(u)`: the attention of AITM, from which MAN's section 3.2.3 takes its words.

    The two weights, previous task first, are recorded in float32 as `task_attention/<name of the layer>` (see
    `tfmtl.introspection`); those of a first task are 0 and 1.

    Args:
        query: `current` or `each`.

    Call arguments:
        current: x_i, `(batch, d)`.
        previous: x_{i-1}, `(batch, d)`; left out for the first task of a chain.

    Returns:
        `(batch, d)`.

    Raises:
        ValueError: if the widths of the two tokens differ.

    References:
        - MAN, section 3.2.3
        - [Xi et al., 2021, Modeling the Sequential Dependence among Audience Multi-step Conversions (AITM)]
          (https://arxiv.org/abs/2105.08489), the AIT module
    """

    def __init__(self, query: Literal["current", "each"] = "current", **kwargs: Any):
        super().__init__(**kwargs)
        if query not in QUERIES:
            raise ValueError(f"`query` should be one of {', '.join(QUERIES)}. Received: {query!r}")
        self.query = query

    def build(self, current_shape, previous_shape=None):
        width = current_shape[-1]
        if previous_shape is not None and previous_shape[-1] != width:
            raise ValueError(f"`previous` should be as wide as `current`, {width}. Received: {previous_shape[-1]}")
        self.value = self._projection("value", width)
        if previous_shape is not None:
            self.queries, self.key = self._projection("query", width), self._projection("key", width)

    def _projection(self, name: str, width: int) -> keras.layers.Layer:
        layer = keras.layers.Dense(width, dtype=self.dtype_policy, name=name)
        layer.build((None, width))
        return layer

    def call(self, current, previous=None):
        if previous is None:
            own = ops.ones_like(ops.cast(current[:, :1], "float32"))
            introspection.record(f"task_attention/{self.name}", ops.concatenate([0 * own, own], axis=1))
            return self.value(current)
        tokens = ops.stack([previous, current], axis=1)
        queries = self.queries(current[:, None] if self.query == "current" else tokens)
        products = ops.sum(ops.cast(queries, "float32") * ops.cast(self.key(tokens), "float32"), axis=-1)
        weights = ops.softmax(products / current.shape[-1] ** 0.5, axis=-1)
        introspection.record(f"task_attention/{self.name}", weights)
        return ops.einsum("bu,bud->bd", ops.cast(weights, self.compute_dtype), self.value(tokens))

    def compute_output_shape(self, current_shape, previous_shape=None):
        return tuple(current_shape)

    def get_config(self):
        return {**super().get_config(), "query": self.query}
