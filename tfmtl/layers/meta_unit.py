"""The meta unit: layers whose weights are generated from what is known of the scenario."""

from typing import Any

import keras
from keras import ops

from tfmtl.ops.generated_product import generated_product


@keras.saving.register_keras_serializable(package="tfmtl")
class MetaUnit(keras.layers.Layer):
    """K layers with weights of each example's own: `h_i = act(W_{i-1} h_{i-1} + b_{i-1})`, i = 1 .. K.

    `W = reshape(V_w S + v_w)` and `b = V_b S + v_b` are generated from the scenario knowledge S of the example; what is
    trained are V_w, v_w, V_b and v_b of each layer. With S = 0 this is an ordinary multi-layer perceptron (v_w, v_b).

    Cost: for inputs of width d and knowledge of width s, a layer has `(s + 1)(d * d + d)` parameters and generating an
    example's W takes `s * d * d` multiplications (d = 512, s = 64: 17 million of both), whatever the number of vectors
    that W is applied to. Memory is bounded by `memory_mb` (see `generated_product`). With a `rank` r,
    `W = v_w + L R^T`, where L and R, `(d, r)`, are generated instead of W: `(2 s + 2) r d + d * d` parameters, and
    `(2 s + 2) r d` multiplications. R starts at 0, so that training starts from the ordinary perceptron.

    **D** V_w starts at the scale at which knowledge of unit variance gives `V_w S` the variance of v_w, so that no
    layer shrinks or blows up what passes it. **D** the activation is LeakyReLU, as elsewhere in the paper, after each
    layer.

    Args:
        num_layers: K.
        rank: of the generated part of W; None generates W itself, as the paper does.
        memory_mb: how many MB generated matrices may take at a time.
        generated: False leaves out what is generated: the ordinary perceptron, which does not look at the knowledge.
        activation: after every layer.

    Call arguments:
        inputs: h_0, `(batch, d)`, or `(batch, vectors, d)` to pass several vectors through the same weights.
        knowledge: S, `(batch, s)`.

    Returns:
        h_K, of the shape of the inputs.

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
        activation: Any = "leaky_relu",
        **kwargs: Any,
    ):
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

    def build(self, inputs_shape, knowledge_shape):
        d, s = inputs_shape[-1], knowledge_shape[-1]
        glorot = (6.0 / (2 * d)) ** 0.5
        shapes = {"base": ((d, d), "glorot_uniform"), "bias": ((d,), "zeros")}
        if self.generated:
            shapes["bias_kernel"] = ((s, d), "glorot_uniform")
        if self.generated and self.rank is None:
            shapes["kernel"] = ((s, d, d), keras.initializers.RandomUniform(-glorot / s**0.5, glorot / s**0.5))
        elif self.generated:
            flat = d * self.rank
            shapes |= {"left": ((s, flat), "glorot_uniform"), "left_base": ((flat,), "zeros")}
            shapes |= {"right": ((s, flat), "zeros"), "right_base": ((flat,), "zeros")}
        self.weights_of = [
            {
                name: self.add_weight(shape=shape, initializer=initializer, name=f"{name}_{i}")
                for name, (shape, initializer) in shapes.items()
            }
            for i in range(self.num_layers)
        ]

    def call(self, inputs, knowledge):
        hidden = inputs[:, None] if len(inputs.shape) == 2 else inputs
        for weights in self.weights_of:
            bias = weights["bias"]
            if self.generated:
                bias = (ops.matmul(knowledge, weights["bias_kernel"]) + bias)[:, None]
            hidden = self.activation(self._product(hidden, knowledge, weights) + bias)
        return hidden[:, 0] if len(inputs.shape) == 2 else hidden

    def _product(self, hidden, knowledge, weights):
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

    def compute_output_shape(self, inputs_shape, knowledge_shape):
        return tuple(inputs_shape)

    def get_config(self):
        return {**super().get_config(), **self.get_options()}

    def get_options(self) -> dict[str, Any]:
        """The constructor's arguments that are not those of every layer; a layer that holds a unit has them too."""
        return {
            "num_layers": self.num_layers,
            "rank": self.rank,
            "memory_mb": self.memory_mb,
            "generated": self.generated,
            "activation": keras.activations.serialize(self.activation),
        }
