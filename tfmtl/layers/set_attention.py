"""Set attention with inducing points."""

from typing import Any

import keras
from keras import ops

from tfmtl import introspection
from tfmtl.layers._shapes import known
from tfmtl.layers._weights import KernelArguments, copy, get_initializer
from tfmtl.ops.attend import attend, attention_weights
from tfmtl.ops.heads import join_heads, split_heads
from tfmtl.types import Config, Initializer, Regularizer, Shape, Tensor


@keras.saving.register_keras_serializable(package="tfmtl")
class SetAttention(keras.layers.Layer):
    """Set attention of APEM: trained inducing points, weighted by a selection, attend to any number of tokens.

    `Q = I (.) z`, `K = (s H + P) W^K`, `V = H W^V`, `O = concat_j softmax(Q_j K_j^T / sqrt(d / m)) V_j W^O` over m
    heads, each with d / m of the columns, and `Y = LayerNorm(r Q + O)`. The cost is O(K F) for F tokens and K points,
    not O(F^2).

    By default `s = r = 1` and `P = 0`, the equations of the paper. With them, tokens that are small at the beginning of
    training, as embeddings are, give attention weights that are equal for all tokens, and points that are larger than O
    hide it in Y. `key_scale` is s; with `position_keys`, P is trained; with `residual_gain`, r is trained. Values are
    not scaled, so that the tokens of rare ids stay small in Y.

    Recorded (see `tfmtl.introspection`): `attention/<name of the layer>`, the attention weights `(batch, m, K, F)`.

    Deviation from the paper: the residual connection adds the queries. Equation 17 reads LayerNorm(O, H), but O in
    R^{K x d} cannot be added to H in R^{F x d}; the Set Transformer, on which the paper builds, adds the queries (its
    equation 6).

    Args:
        num_points: Number of inducing points K.
        num_heads: Number of heads m; a divisor of the width of the tokens.
        epsilon: Epsilon of the layer normalization.
        normalize: Whether Y is normalized; False gives `Y = r Q + O`.
        key_scale: Factor s of the tokens in the keys.
        position_keys: Whether the keys have a trained part P for each position of the tokens, `(F, d)`, initially
            standard normal. The number of tokens is then fixed.
        residual_gain: Initial value of the trained factor r of the queries in Y. None is a constant 1.
        points_initializer: Initializer of the points I, `(num_points, d)`.
        kernel_initializer: Initializer of the kernels W^K, W^V and W^O.
        kernel_regularizer: Regularizer of the kernels W^K, W^V and W^O.

    Call arguments:
        inputs: H, `(batch, F, d)`.
        selection: z, `(batch, num_points)`. Left out, all points take part.

    Returns:
        Y, `(batch, num_points, d)`.

    Raises:
        ValueError: If `num_points` or `num_heads` is below 1, `key_scale` is not above 0, or `num_heads` does not
            divide d.

    Example:
        >>> import keras
        >>> from tfmtl.layers import SetAttention
        >>> tuple(SetAttention(64, num_heads=2)(keras.ops.ones((8, 23, 18))).shape)
        (8, 64, 18)

    References:
        - [Tao et al., 2023, Adaptive Pattern Extraction Multi-Task Learning for Multi-Step Conversion Estimations]
          (https://arxiv.org/abs/2301.02494), equations 14 to 17
        - [Lee et al., 2019, Set Transformer](https://arxiv.org/abs/1810.00825), equations 6, 7 and 9
    """

    def __init__(
        self,
        num_points: int = 64,
        num_heads: int = 2,
        epsilon: float = 1e-3,
        normalize: bool = True,
        key_scale: float = 1.0,
        position_keys: bool = False,
        residual_gain: float | None = None,
        points_initializer: Initializer = "glorot_uniform",
        kernel_initializer: Initializer = "glorot_uniform",
        kernel_regularizer: Regularizer = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if num_points < 1:
            raise ValueError(f"`num_points` should be at least 1. Received: {num_points}")
        if num_heads < 1:
            raise ValueError(f"`num_heads` should be at least 1. Received: {num_heads}")
        if not key_scale > 0:
            raise ValueError(f"`key_scale` should be above 0. Received: {key_scale}")
        self.num_points = num_points
        self.num_heads = num_heads
        self.epsilon = epsilon
        self.key_scale = key_scale
        self.position_keys = position_keys
        self.residual_gain = residual_gain
        self.points_initializer = get_initializer(points_initializer)
        self._arguments = KernelArguments(kernel_initializer, kernel_regularizer)
        self.norm = None
        if normalize:
            self.norm = keras.layers.LayerNormalization(epsilon=epsilon, dtype=self.dtype_policy, name="norm")

    def build(self, inputs_shape: Shape, selection_shape: Shape | None = None) -> None:
        dim = known(inputs_shape[-1])
        if dim % self.num_heads:
            raise ValueError(f"the width of `inputs` should be a multiple of {self.num_heads} heads. Received: {dim}")
        shape = (self.num_points, dim)
        self.points = self.add_weight(shape=shape, initializer=copy(self.points_initializer), name="points")
        self.key_kernel, self.value_kernel, self.output_kernel = (
            self.add_weight(shape=(dim, dim), name=name, **self._arguments.kernel())
            for name in ("key_kernel", "value_kernel", "output_kernel")
        )
        if self.position_keys:
            positions = (known(inputs_shape[1]), dim)
            initializer = keras.initializers.RandomNormal(stddev=1.0)
            self.positions = self.add_weight(shape=positions, initializer=initializer, name="positions")
        if self.residual_gain is not None:
            initializer = keras.initializers.Constant(self.residual_gain)
            self.gain = self.add_weight(shape=(), initializer=initializer, name="residual_gain")
        if self.norm is not None:
            self.norm.build((inputs_shape[0], *shape))

    def call(self, inputs: Tensor, selection: Tensor | None = None) -> Tensor:
        scale = ops.ones_like(inputs[:, :1, 0]) if selection is None else ops.cast(selection, self.compute_dtype)
        queries = self.points[None] * scale[:, :, None]
        residual = queries if self.residual_gain is None else queries * self.gain
        outputs = residual + self._attention(queries, inputs)
        return outputs if self.norm is None else self.norm(outputs)

    def _attention(self, queries: Tensor, tokens: Tensor) -> Tensor:
        head_dim = tokens.shape[-1] // self.num_heads
        key_tokens = tokens if self.key_scale == 1 else tokens * self.key_scale
        if self.position_keys:
            key_tokens = key_tokens + self.positions
        keys = ops.matmul(key_tokens, self.key_kernel * head_dim**-0.5)
        values = ops.matmul(tokens, self.value_kernel)
        queries, keys, values = (split_heads(tensor, self.num_heads) for tensor in (queries, keys, values))
        if introspection.is_collecting():
            introspection.record(f"attention/{self.name}", attention_weights(queries, keys))
        return ops.matmul(join_heads(attend(queries, keys, values)), self.output_kernel)

    def compute_output_shape(self, inputs_shape: Shape, selection_shape: Shape | None = None) -> Shape:
        return (inputs_shape[0], self.num_points, inputs_shape[-1])

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "num_points": self.num_points,
            "num_heads": self.num_heads,
            "epsilon": self.epsilon,
            "normalize": self.norm is not None,
            "key_scale": self.key_scale,
            "position_keys": self.position_keys,
            "residual_gain": self.residual_gain,
            "points_initializer": keras.initializers.serialize(self.points_initializer),
            **self._arguments.get_config(),
        }
