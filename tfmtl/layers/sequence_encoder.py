"""Self-attention over the places of a sequence."""

from typing import Any

import keras
from keras import ops

from tfmtl import introspection
from tfmtl.ops.heads import join_heads, split_heads

_NEVER = -1e9


@keras.saving.register_keras_serializable(package="tfmtl")
class SequenceEncoder(keras.layers.Layer):
    """Multi-head self-attention over days, without a feed-forward layer.

    `X_t = [x_t || p_t]` with a trainable embedding p_t of the position, concatenated;
    `head_i = softmax(X Q_i (X K_i)^T / sqrt(w)) X V_i`, `MH(X) = [head_1 || ... || head_h] O`.

    Only present places are attended to, and an absent place's output is 0; so is all of an empty sequence. The weights
    are recorded as `sequence_attention/<name of the layer>`, `(batch, heads, places, places)`, and computed in float32.

    **D** equation 2 as printed has V inside the softmax; it cites Vaswani et al., who have it outside. **D** the paper
    gives no width for the heads: `w = ceil(width of X / heads)`, and O gives the width of X, as Vaswani et al. have it.
    The paper writes no residual connection and no normalization; with `residual` the output is `MH(X) + X`, as in the
    transformer layer that it cites, so that a day's own numbers need not pass through the attention.

    Args:
        num_heads: h.
        position_dim: width of p_t.
        attention: False leaves the attention out and gives X (the paper's ablation "without transformer layer").
        residual: adds X to what the attention gives.

    Call arguments:
        inputs: x, `(batch, places, d)`; the number of places is fixed.
        present: 1 where a place is present, else 0, `(batch, places)`.

    Returns:
        `(batch, places, d + position_dim)`.

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
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if num_heads < 1:
            raise ValueError(f"`num_heads` should be at least 1. Received: {num_heads}")
        if position_dim < 1:
            raise ValueError(f"`position_dim` should be at least 1. Received: {position_dim}")
        self.num_heads = num_heads
        self.position_dim = position_dim
        self.attention = attention
        self.residual = residual

    def build(self, inputs_shape, present_shape):
        width = inputs_shape[-1] + self.position_dim
        self.head_width = -(-width // self.num_heads)
        inner = self.num_heads * self.head_width
        self.positions = self.add_weight(
            shape=(inputs_shape[1], self.position_dim), initializer="uniform", name="positions"
        )
        if self.attention:
            self.projections = [
                self.add_weight(shape=(width, inner), initializer="glorot_uniform", name=name)
                for name in ("query", "key", "value")
            ]
            self.output_kernel = self.add_weight(shape=(inner, width), initializer="glorot_uniform", name="output")

    def call(self, inputs, present):
        rows = ops.shape(inputs)[0]
        positions = ops.broadcast_to(self.positions, (rows, *self.positions.shape))
        places = ops.concatenate([inputs, positions], axis=-1)
        kept = ops.cast(present, self.compute_dtype)[:, :, None]
        if self.attention:
            attended = self._attend(places, present)
            places = attended + places if self.residual else attended
        return places * kept

    def _attend(self, places, present):
        query, key, value = (split_heads(ops.matmul(places, kernel), self.num_heads) for kernel in self.projections)
        logits = ops.cast(ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))), "float32") / self.head_width**0.5
        logits = ops.where(ops.cast(present, "bool")[:, None, None, :], logits, _NEVER)
        weights = ops.softmax(logits, axis=-1)
        introspection.record(f"sequence_attention/{self.name}", weights)
        return ops.matmul(join_heads(ops.matmul(ops.cast(weights, self.compute_dtype), value)), self.output_kernel)

    def compute_output_shape(self, inputs_shape, present_shape):
        return (*inputs_shape[:-1], inputs_shape[-1] + self.position_dim)

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "position_dim": self.position_dim,
            "attention": self.attention,
            "residual": self.residual,
        }
