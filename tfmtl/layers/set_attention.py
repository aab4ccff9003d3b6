"""Set attention: a fixed number of inducing points look at any number of tokens."""

from typing import Any

import keras
from keras import ops

from tfmtl.ops.attend import attend
from tfmtl.ops.heads import join_heads, split_heads


@keras.saving.register_keras_serializable(package="tfmtl")
class SetAttention(keras.layers.Layer):
    """Inducing points I, weighed per example by a selection z, attend to tokens H (APEM's ASRG layer).

    `Q = I (.) z`, `K = H W^K`, `V = H W^V`, `O = concat_j softmax(Q_j K_j^T / sqrt(d / m)) V_j W^O` over m heads, each
    with d / m of the columns, and `Y = LayerNorm(Q + O)`. The cost is O(K F) for F tokens and K points, not O(F^2).

    **Decision**: the residual is on the query's side. Equation 17 reads LayerNorm(O, H), but O in R^{K x d} cannot be
    added to H in R^{F x d}; the Set Transformer, which the paper builds on, adds the queries (its equation 6).

    Args:
        num_points: K, how many inducing points.
        num_heads: m; it should divide the width of the tokens.
        epsilon: of the layer normalization.

    Call arguments:
        inputs: H, `(batch, F, d)`.
        selection: z, `(batch, num_points)`; all points take part without it.

    Returns:
        Y, `(batch, num_points, d)`.

    Raises:
        ValueError: if d is not a multiple of `num_heads`, when the layer is built.

    Example:
        >>> SetAttention(64, num_heads=2)(keras.ops.ones((8, 23, 18))).shape
        TensorShape([8, 64, 18])

    References:
        - APEM, equations 14 to 17
        - [Lee et al., 2019, Set Transformer](https://arxiv.org/abs/1810.00825), equations 6, 7 and 9
    """

    def __init__(self, num_points: int = 64, num_heads: int = 2, epsilon: float = 1e-3, **kwargs: Any):
        super().__init__(**kwargs)
        if num_points < 1:
            raise ValueError(f"`num_points` should be at least 1. Received: {num_points}")
        if num_heads < 1:
            raise ValueError(f"`num_heads` should be at least 1. Received: {num_heads}")
        self.num_points = num_points
        self.num_heads = num_heads
        self.norm = keras.layers.LayerNormalization(epsilon=epsilon, dtype=self.dtype_policy, name="norm")

    def build(self, inputs_shape, selection_shape=None):
        dim = inputs_shape[-1]
        if dim % self.num_heads:
            raise ValueError(f"the width of `inputs` should be a multiple of {self.num_heads} heads. Received: {dim}")
        self.points = self.add_weight(shape=(self.num_points, dim), initializer="glorot_uniform", name="points")
        self.key_kernel, self.value_kernel, self.output_kernel = (
            self.add_weight(shape=(dim, dim), initializer="glorot_uniform", name=name)
            for name in ("key_kernel", "value_kernel", "output_kernel")
        )
        self.norm.build((inputs_shape[0], self.num_points, dim))

    def call(self, inputs, selection=None):
        scale = ops.ones_like(inputs[:, :1, 0]) if selection is None else ops.cast(selection, self.compute_dtype)
        queries = self.points[None] * scale[:, :, None]
        return self.norm(queries + self._attention(queries, inputs))

    def _attention(self, queries, tokens):
        head_dim = tokens.shape[-1] // self.num_heads
        keys = ops.matmul(tokens, self.key_kernel * head_dim**-0.5)
        values = ops.matmul(tokens, self.value_kernel)
        heads = attend(*(split_heads(of, self.num_heads) for of in (queries, keys, values)))
        return ops.matmul(join_heads(heads), self.output_kernel)

    def compute_output_shape(self, inputs_shape, selection_shape=None):
        return (inputs_shape[0], self.num_points, inputs_shape[-1])

    def get_config(self):
        return {
            **super().get_config(),
            "num_points": self.num_points,
            "num_heads": self.num_heads,
            "epsilon": self.norm.epsilon,
        }
