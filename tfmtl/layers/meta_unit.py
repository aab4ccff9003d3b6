"""Meta unit: layers whose weights are generated from knowledge of the scenario."""

from typing import Any

import keras
from keras import ops

from tfmtl.layers._shapes import known
from tfmtl.layers._weights import DenseArguments
from tfmtl.ops.generated_product import generated_product
from tfmtl.types import Activation, Config, Initializer, Regularizer, Shape, Tensor


@keras.saving.register_keras_serializable(package="tfmtl")
class MetaUnit(keras.layers.Layer):
    """Meta unit of M2M: K layers whose weights are generated for each example from knowledge of its scenario.

    `h_i = act(W_{i-1} h_{i-1} + b_{i-1})`, i = 1 .. K, with `W = reshape(V_w S + v_w)` and `b = V_b S + v_b` for the
    scenario knowledge S of the example. V_w, v_w, V_b and v_b of each layer are trained. With S = 0 the unit is an
    ordinary multi-layer perceptron with weights v_w and v_b.

    Cost: for inputs of width d and knowledge of width s, a layer has `(s + 1)(d * d + d)` parameters, and generating W
    for an example takes `s * d * d` multiplications (17 million of each for d = 512 and s = 64), whatever the number of
    vectors that W is applied to. On TensorFlow `memory_mb` bounds the memory of the generated matrices (see
    `tfmtl.ops.generated_product`). With a `rank` r, `W = v_w + L R^T`, where L and R, `(d, r)`, are generated instead
    of W: `(2 s + 2) r d + d * d` parameters and `(2 s + 2) r d` multiplications. R starts at 0, so that training starts
    from the ordinary perceptron.

    Deviation from the paper: V_w starts at the scale at which knowledge of unit variance gives `V_w S` the variance of
    v_w, so that layers keep the scale of their inputs. The paper does not name the activation of the unit; it is the
    LeakyReLU of the rest of the model, after each layer.

    Args:
        num_layers: Number of layers K.
        rank: Rank r of the generated part of W. None generates W itself, as the paper does.
        memory_mb: Memory, in MB, that generated matrices may take at a time.
        generated: Whether weights are generated. False makes the unit an ordinary perceptron that does not read the
            knowledge.
        activation: Activation of every layer.
        kernel_initializer: Initializer of v_w.
        bias_initializer: Initializer of v_b.
        kernel_regularizer: Regularizer of v_w and of all that generates W and b.
        bias_regularizer: Regularizer of v_b.

    Call arguments:
        inputs: h_0, `(batch, d)`, or `(batch, vectors, d)` for several vectors with the same weights.
        knowledge: S, `(batch, s)`.

    Returns:
        h_K, of the shape of `inputs`.

    Raises:
        ValueError: If `num_layers` or `rank` is below 1, or `memory_mb` is not positive.

    Example:
        >>> import keras
        >>> from tfmtl.layers import MetaUnit
        >>> views, knowledge = keras.ops.ones((8, 5, 16)), keras.ops.ones((8, 4))
        >>> tuple(MetaUnit(num_layers=2, rank=2)(views, knowledge).shape)
        (8, 5, 16)

    References:
        - [Zhang et al., 2022, Leaving No One Behind: A Multi-Scenario Multi-Task Meta Learning Approach for Advertiser
          Modeling](https://doi.org/10.1145/3488560.3498479), equations 9 to 13
    """

    def __init__(
        self,
        num_layers: int = 3,
        rank: int | None = None,
        memory_mb: float = 64.0,
        generated: bool = True,
        activation: Activation = "leaky_relu",
        kernel_initializer: Initializer = "glorot_uniform",
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer = None,
        bias_regularizer: Regularizer = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if num_layers < 1:
            raise ValueError(f"`num_layers` should be at least 1. Received: {num_layers}")
        if rank is not None and rank < 1:
            raise ValueError(f"`rank` should be at least 1, or None. Received: {rank}")
        if not memory_mb > 0:
            raise ValueError(f"`memory_mb` should be above 0. Received: {memory_mb}")
        self.num_layers = num_layers
        self.rank = rank
        self.memory_mb = memory_mb
        self.generated = generated
        self.activation = keras.activations.get(activation)
        self.arguments = DenseArguments(
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
        )

    def build(self, inputs_shape: Shape, knowledge_shape: Shape) -> None:
        d, s = known(inputs_shape[-1]), known(knowledge_shape[-1])
        glorot = (6.0 / (2 * d)) ** 0.5
        generators: dict[str, tuple[Shape, Initializer]] = {}
        if self.generated:
            generators["bias_kernel"] = ((s, d), "glorot_uniform")
        if self.generated and self.rank is None:
            limit = glorot / s**0.5
            generators["kernel"] = ((s, d, d), keras.initializers.RandomUniform(-limit, limit))
        elif self.generated and self.rank is not None:
            flat = d * self.rank
            generators |= {"left": ((s, flat), "glorot_uniform"), "left_base": ((flat,), "zeros")}
            generators |= {"right": ((s, flat), "zeros"), "right_base": ((flat,), "zeros")}
        self.layer_weights = [self._add_layer(i, d, generators) for i in range(self.num_layers)]

    def _add_layer(self, index: int, d: int, generators: dict[str, tuple[Shape, Initializer]]) -> dict[str, Any]:
        """Adds the weights of a layer: v_w and v_b, and what generates the rest."""
        weights = {
            "base": self.add_weight(shape=(d, d), name=f"base_{index}", **self.arguments.kernel()),
            "bias": self.add_weight(shape=(d,), name=f"bias_{index}", **self.arguments.bias()),
        }
        for name, (shape, initializer) in generators.items():
            weights[name] = self.add_weight(
                shape=shape,
                initializer=initializer,
                regularizer=self.arguments.kernel_regularizer,
                name=f"{name}_{index}",
            )
        return weights

    def call(self, inputs: Tensor, knowledge: Tensor) -> Tensor:
        hidden = inputs[:, None] if len(inputs.shape) == 2 else inputs
        for weights in self.layer_weights:
            bias = weights["bias"]
            if self.generated:
                bias = (ops.matmul(knowledge, weights["bias_kernel"]) + bias)[:, None]
            hidden = self.activation(self._product(hidden, knowledge, weights) + bias)
        return hidden[:, 0] if len(inputs.shape) == 2 else hidden

    def _product(self, hidden: Tensor, knowledge: Tensor, weights: dict[str, Any]) -> Tensor:
        if not self.generated:
            return ops.matmul(hidden, weights["base"])
        if self.rank is None:
            kernel, base = (ops.convert_to_tensor(weights[name]) for name in ("kernel", "base"))
            return generated_product(hidden, knowledge, kernel, base, self.memory_mb)
        shape = (-1, hidden.shape[-1], self.rank)
        left = ops.reshape(ops.matmul(knowledge, weights["left"]) + weights["left_base"], shape)
        right = ops.reshape(ops.matmul(knowledge, weights["right"]) + weights["right_base"], shape)
        generated = ops.matmul(ops.matmul(hidden, right), ops.transpose(left, (0, 2, 1)))
        return ops.matmul(hidden, weights["base"]) + generated

    def compute_output_shape(self, inputs_shape: Shape, knowledge_shape: Shape) -> Shape:
        return tuple(inputs_shape)

    def get_config(self) -> Config:
        return {**super().get_config(), **self.get_options()}

    def get_options(self) -> Config:
        """Returns the arguments of the constructor without those of every layer (name, dtype, trainable)."""
        return {
            "num_layers": self.num_layers,
            "rank": self.rank,
            "memory_mb": self.memory_mb,
            "generated": self.generated,
            "activation": keras.activations.serialize(self.activation),
            **self.arguments.get_config(),
        }
