"""Self-attention over the positions of a sequence."""

from typing import Any

import keras
from keras import ops

from tfmtl import introspection
from tfmtl.layers._shapes import known
from tfmtl.layers._weights import KernelArguments, copy, get_initializer
from tfmtl.ops.heads import join_heads, split_heads
from tfmtl.types import Config, Initializer, Regularizer, Shape, Tensor

_MASKED_LOGIT = -1e9


@keras.saving.register_keras_serializable(package="tfmtl")
class SequenceEncoder(keras.layers.Layer):
    """Sequence encoder of M2M: multi-head self-attention over the days of a sequence, without a feed-forward layer.

    `X_t = [x_t || p_t]` with a trained embedding p_t of the position, concatenated;
    `head_i = softmax(X Q_i (X K_i)^T / sqrt(w)) X V_i`, `MH(X) = [head_1 || ... || head_h] O`.

    Only present positions are attended to. The output of an absent position is 0, as is all of an empty sequence. The
    weights are computed in float32 and recorded as `sequence_attention/<name of the layer>`,
    `(batch, heads, positions, positions)` (see `tfmtl.introspection`).

    Deviation from the paper: equation 2 as printed has V inside the softmax; it cites Vaswani et al., who have it
    outside. The paper gives no width of the heads: it is `w = ceil(width of X / heads)` here, and O gives the width of
    X, as in Vaswani et al. The paper writes no residual connection and no normalization; with `residual` the output is
    `MH(X) + X`, as in the transformer layer that the paper cites, so that the numbers of a day need not pass through
    the attention.

    Args:
        num_heads: Number of heads h.
        position_dim: Width of the position embedding p_t.
        attention: Whether the positions attend to each other. False returns X, the paper's ablation "without
            transformer layer".
        residual: Whether X is added to the output of the attention.
        embeddings_initializer: Initializer of the position embeddings.
        embeddings_regularizer: Regularizer of the position embeddings.
        kernel_initializer: Initializer of the kernels Q, K, V and O.
        kernel_regularizer: Regularizer of the kernels Q, K, V and O.

    Call arguments:
        inputs: x, `(batch, positions, d)`; the number of positions is fixed when the layer is built.
        present: 1 for a present position and 0 for an absent one, `(batch, positions)`.

    Returns:
        `(batch, positions, d + position_dim)`.

    Raises:
        ValueError: If `num_heads` or `position_dim` is below 1.

    Example:
        >>> import keras
        >>> from tfmtl.layers import SequenceEncoder
        >>> days, present = keras.ops.ones((8, 14, 24)), keras.ops.ones((8, 14))
        >>> tuple(SequenceEncoder(num_heads=2, position_dim=8)(days, present).shape)
        (8, 14, 32)

    References:
        - [Zhang et al., 2022, Leaving No One Behind: A Multi-Scenario Multi-Task Meta Learning Approach for Advertiser
          Modeling](https://doi.org/10.1145/3488560.3498479), equations 2 to 4
        - [Vaswani et al., 2017, Attention Is All You Need](https://arxiv.org/abs/1706.03762)
    """

    def __init__(
        self,
        num_heads: int = 2,
        position_dim: int = 16,
        attention: bool = True,
        residual: bool = False,
        embeddings_initializer: Initializer = "uniform",
        embeddings_regularizer: Regularizer = None,
        kernel_initializer: Initializer = "glorot_uniform",
        kernel_regularizer: Regularizer = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if num_heads < 1:
            raise ValueError(f"`num_heads` should be at least 1. Received: {num_heads}")
        if position_dim < 1:
            raise ValueError(f"`position_dim` should be at least 1. Received: {position_dim}")
        self.num_heads = num_heads
        self.position_dim = position_dim
        self.attention = attention
        self.residual = residual
        self.embeddings_initializer = get_initializer(embeddings_initializer)
        self.embeddings_regularizer = keras.regularizers.get(embeddings_regularizer)
        self._arguments = KernelArguments(kernel_initializer, kernel_regularizer)

    def build(self, inputs_shape: Shape, present_shape: Shape) -> None:
        width = known(inputs_shape[-1]) + self.position_dim
        self.head_width = -(-width // self.num_heads)
        inner = self.num_heads * self.head_width
        self.positions = self.add_weight(
            shape=(inputs_shape[1], self.position_dim),
            initializer=copy(self.embeddings_initializer),
            regularizer=self.embeddings_regularizer,
            name="positions",
        )
        if self.attention:
            self.projections = [
                self.add_weight(shape=(width, inner), name=name, **self._arguments.kernel())
                for name in ("query", "key", "value")
            ]
            self.output_kernel = self.add_weight(shape=(inner, width), name="output", **self._arguments.kernel())

    def call(self, inputs: Tensor, present: Tensor) -> Tensor:
        rows = ops.shape(inputs)[0]
        positions = ops.broadcast_to(self.positions, (rows, *self.positions.shape))
        tokens = ops.concatenate([inputs, positions], axis=-1)
        mask = ops.cast(present, self.compute_dtype)[:, :, None]
        if self.attention:
            attended = self._attend(tokens, present)
            tokens = attended + tokens if self.residual else attended
        return tokens * mask

    def _attend(self, tokens: Tensor, present: Tensor) -> Tensor:
        query, key, value = (split_heads(ops.matmul(tokens, kernel), self.num_heads) for kernel in self.projections)
        logits = ops.cast(ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))), "float32") / self.head_width**0.5
        logits = ops.where(ops.cast(present, "bool")[:, None, None, :], logits, _MASKED_LOGIT)
        weights = ops.softmax(logits, axis=-1)
        introspection.record(f"sequence_attention/{self.name}", weights)
        return ops.matmul(join_heads(ops.matmul(ops.cast(weights, self.compute_dtype), value)), self.output_kernel)

    def compute_output_shape(self, inputs_shape: Shape, present_shape: Shape) -> Shape:
        return (*inputs_shape[:-1], known(inputs_shape[-1]) + self.position_dim)

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "position_dim": self.position_dim,
            "attention": self.attention,
            "residual": self.residual,
            "embeddings_initializer": keras.initializers.serialize(self.embeddings_initializer),
            "embeddings_regularizer": keras.regularizers.serialize(self.embeddings_regularizer),
            **self._arguments.get_config(),
        }
