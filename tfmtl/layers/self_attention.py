"""Multi-head self-attention with a residual connection."""

from typing import Any

import keras
from keras import ops

from tfmtl import introspection
from tfmtl.layers._shapes import known
from tfmtl.layers._weights import KernelArguments
from tfmtl.ops.attend import attend, attention_weights
from tfmtl.ops.heads import join_heads, split_heads
from tfmtl.types import Config, Initializer, Regularizer, Shape, Tensor


@keras.saving.register_keras_serializable(package="tfmtl")
class SelfAttention(keras.layers.Layer):
    """Multi-head self-attention with a residual connection and layer normalization.

    `Y = LayerNorm(X + O)`, `O = concat_j softmax(Q_j K_j^T / sqrt(d / m)) V_j W^O`, `Q, K, V = X W^Q, X W^K, X W^V`.

    Each of the m heads has d / m of the columns. There is no feed-forward layer and no position embedding. The weights
    of the heads are recorded in float32 as `self_attention/<name of the layer>`, `(batch, m, n, n)` (see
    `tfmtl.introspection`).

    Args:
        num_heads: Number of heads m; a divisor of the width of the tokens.
        epsilon: Epsilon of the layer normalization.
        kernel_initializer: Initializer of the kernels W^Q, W^K, W^V and W^O.
        kernel_regularizer: Regularizer of the kernels W^Q, W^K, W^V and W^O.

    Call arguments:
        inputs: X, `(batch, n, d)`.

    Returns:
        Y, `(batch, n, d)`.

    Raises:
        ValueError: If `num_heads` is below 1, or does not divide d.

    Example:
        >>> import keras
        >>> from tfmtl.layers import SelfAttention
        >>> tuple(SelfAttention(num_heads=2)(keras.ops.ones((8, 23, 18))).shape)
        (8, 23, 18)

    References:
        - [Vaswani et al., 2017, Attention Is All You Need](https://arxiv.org/abs/1706.03762), section 3.2.2
    """

    def __init__(
        self,
        num_heads: int = 2,
        epsilon: float = 1e-3,
        kernel_initializer: Initializer = "glorot_uniform",
        kernel_regularizer: Regularizer = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if num_heads < 1:
            raise ValueError(f"`num_heads` should be at least 1. Received: {num_heads}")
        self.num_heads = num_heads
        self._arguments = KernelArguments(kernel_initializer, kernel_regularizer)
        self.norm = keras.layers.LayerNormalization(epsilon=epsilon, dtype=self.dtype_policy, name="norm")

    def build(self, input_shape: Shape) -> None:
        dim = known(input_shape[-1])
        if dim % self.num_heads:
            raise ValueError(f"the width of `inputs` should be a multiple of {self.num_heads} heads. Received: {dim}")
        self.query_kernel, self.key_kernel, self.value_kernel, self.output_kernel = (
            self.add_weight(shape=(dim, dim), name=name, **self._arguments.kernel())
            for name in ("query_kernel", "key_kernel", "value_kernel", "output_kernel")
        )
        self.norm.build(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        scale = (inputs.shape[-1] // self.num_heads) ** -0.5
        kernels = (self.query_kernel * scale, self.key_kernel, self.value_kernel)
        queries, keys, values = (split_heads(ops.matmul(inputs, kernel), self.num_heads) for kernel in kernels)
        introspection.record(f"self_attention/{self.name}", attention_weights(queries, keys))
        return self.norm(inputs + ops.matmul(join_heads(attend(queries, keys, values)), self.output_kernel))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "epsilon": self.norm.epsilon,
            **self._arguments.get_config(),
        }
