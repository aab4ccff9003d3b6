"""Attention between a task and the previous task of a chain."""

from typing import Any, Literal

import keras
from keras import ops

from tfmtl import introspection
from tfmtl.layers._weights import DenseArguments
from tfmtl.types import Config, Initializer, Regularizer, Shape, Tensor

QUERIES = ("current", "each")


@keras.saving.register_keras_serializable(package="tfmtl")
class TaskAttention(keras.layers.Layer):
    """Task attention of MAN and AITM: a task attends to itself and to the previous task of the chain.

    `C_i = sum_u w_u V(u)` over two tokens u: x_{i-1} of the previous task and x_i of the current task, with
    `w = softmax_u(q_u . K(u) / sqrt(d))`. Q, K and V are linear layers of width d. The first task of a chain attends
    only to itself: `C_1 = V(x_1)`, without Q and K.

    MAN leaves open which query meets the keys. With `current`, the default, the query of both tokens is that of the
    current task, `q_u = Q(x_i)`, as in scaled dot-product attention. With `each`, every token meets its own key,
    `q_u = Q(u)`: the attention of AITM, which section 3.2.3 of MAN follows.

    The two weights, the previous task's first, are recorded in float32 as `task_attention/<name of the layer>` (see
    `tfmtl.introspection`); those of a first task are 0 and 1.

    Args:
        query: Query of the attention, `current` or `each`.
        kernel_initializer: Initializer of the kernels of Q, K and V.
        bias_initializer: Initializer of the biases of Q, K and V.
        kernel_regularizer: Regularizer of the kernels of Q, K and V.
        bias_regularizer: Regularizer of the biases of Q, K and V.

    Call arguments:
        current: x_i, `(batch, d)`.
        previous: x_{i-1}, `(batch, d)`. Left out for the first task of a chain.

    Returns:
        C_i, `(batch, d)`.

    Raises:
        ValueError: If `query` is unknown, or the two tokens differ in width.

    Example:
        >>> import keras
        >>> from tfmtl.layers import TaskAttention
        >>> click, buy = keras.ops.ones((8, 16)), keras.ops.ones((8, 16))
        >>> tuple(TaskAttention()(buy, click).shape)
        (8, 16)

    References:
        - [Luo et al., 2023, Multi-Task Deep Learning with Task Attention for Post-Click Conversion Rate Prediction
          (MAN)](https://doi.org/10.32604/iasc.2023.036622), section 3.2.3
        - [Xi et al., 2021, Modeling the Sequential Dependence among Audience Multi-step Conversions (AITM)]
          (https://arxiv.org/abs/2105.08489), the AIT module
    """

    def __init__(
        self,
        query: Literal["current", "each"] = "current",
        kernel_initializer: Initializer = "glorot_uniform",
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer = None,
        bias_regularizer: Regularizer = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if query not in QUERIES:
            raise ValueError(f"`query` should be one of {', '.join(QUERIES)}. Received: {query!r}")
        self.query = query
        self._arguments = DenseArguments(
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
        )

    def build(self, current_shape: Shape, previous_shape: Shape | None = None) -> None:
        width = current_shape[-1]
        if previous_shape is not None and previous_shape[-1] != width:
            raise ValueError(f"`previous` should be as wide as `current`, {width}. Received: {previous_shape[-1]}")
        self.value = self._projection("value", width)
        if previous_shape is not None:
            self.queries, self.key = self._projection("query", width), self._projection("key", width)

    def _projection(self, name: str, width: int | None) -> keras.layers.Layer:
        layer = keras.layers.Dense(width, dtype=self.dtype_policy, name=name, **self._arguments.dense())
        layer.build((None, width))
        return layer

    def call(self, current: Tensor, previous: Tensor | None = None) -> Tensor:
        if previous is None:
            ones = ops.ones_like(ops.cast(current[:, :1], "float32"))
            introspection.record(f"task_attention/{self.name}", ops.concatenate([0 * ones, ones], axis=1))
            return self.value(current)
        tokens = ops.stack([previous, current], axis=1)
        queries = self.queries(current[:, None] if self.query == "current" else tokens)
        products = ops.sum(ops.cast(queries, "float32") * ops.cast(self.key(tokens), "float32"), axis=-1)
        weights = ops.softmax(products / current.shape[-1] ** 0.5, axis=-1)
        introspection.record(f"task_attention/{self.name}", weights)
        return ops.einsum("bu,bud->bd", ops.cast(weights, self.compute_dtype), self.value(tokens))

    def compute_output_shape(self, current_shape: Shape, previous_shape: Shape | None = None) -> Shape:
        return tuple(current_shape)

    def get_config(self) -> Config:
        return {**super().get_config(), "query": self.query, **self._arguments.get_config()}
