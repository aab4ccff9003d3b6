"""Bank of expert networks of the same shape."""

import itertools
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfmtl.layers._weights import DenseArguments, copy
from tfmtl.types import Activation, Config, Initializer, Regularizer, Shape, Tensor


@keras.saving.register_keras_serializable(package="tfmtl")
class Experts(keras.layers.Layer):
    """Bank of E multi-layer perceptrons that read the same input: the experts of a mixture.

    `h_{e,l} = act(h_{e,l-1} W_{e,l} + b_{e,l})`, e = 1 .. E. The weights of all experts are one tensor per layer, so
    that a layer costs one batched product. A `Gate` mixes the experts.

    Args:
        num_experts: Number of experts E.
        units: Width of each layer of an expert.
        activation: Activation of every layer.
        dropout: Dropout rate after every layer, in [0, 1).
        kernel_initializer: Initializer of the kernels W, `(num_experts, fan_in, fan_out)`. The variance-scaling
            initializers (Glorot, He, LeCun) use the fans of one expert, so that each expert starts as separate dense
            layers do.
        bias_initializer: Initializer of the biases b, `(num_experts, 1, width)`.
        kernel_regularizer: Regularizer of the kernels W.
        bias_regularizer: Regularizer of the biases b.

    Call arguments:
        inputs: `(batch, d)`.

    Returns:
        `(batch, num_experts, units[-1])`.

    Raises:
        ValueError: If there is no expert or no layer, a width is not positive, or `dropout` is outside [0, 1).

    Example:
        >>> import keras
        >>> from tfmtl.layers import Experts, Gate
        >>> inputs = keras.ops.ones((4, 16))
        >>> experts = Experts(num_experts=3, units=[32, 8])(inputs)
        >>> tuple(experts.shape)
        (4, 3, 8)
        >>> tuple(Gate()(inputs, experts).shape)
        (4, 8)

    References:
        - [Ma et al., 2018, Modeling Task Relationships in Multi-task Learning with Multi-gate Mixture-of-Experts]
          (https://dl.acm.org/doi/10.1145/3219819.3220007), section 4
    """

    def __init__(
        self,
        num_experts: int,
        units: Sequence[int],
        activation: Activation = "relu",
        dropout: float = 0.0,
        kernel_initializer: Initializer = "glorot_uniform",
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer = None,
        bias_regularizer: Regularizer = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if num_experts < 1:
            raise ValueError(f"`num_experts` should be at least 1. Received: {num_experts}")
        if not units or any(width < 1 for width in units):
            raise ValueError(f"`units` should be positive and at least one. Received: {units}")
        if not 0 <= dropout < 1:
            raise ValueError(f"`dropout` should be in [0, 1). Received: {dropout}")
        self.num_experts = num_experts
        self.units = tuple(units)
        self.activation = keras.activations.get(activation)
        self.dropout = dropout
        self._arguments = DenseArguments(
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
        )
        self._drop = keras.layers.Dropout(dropout, dtype=self.dtype_policy) if dropout else None

    def build(self, input_shape: Shape) -> None:
        widths = (input_shape[-1], *self.units)
        self.kernels = []
        for i, (fan_in, fan_out) in enumerate(itertools.pairwise(widths)):
            kernel = {
                "initializer": _PerExpert(self._arguments.kernel_initializer),
                "regularizer": self._arguments.kernel_regularizer,
            }
            self.kernels.append(
                self.add_weight(shape=(self.num_experts, fan_in, fan_out), name=f"kernel_{i}", **kernel)
            )
        self.biases = [
            self.add_weight(shape=(self.num_experts, 1, width), name=f"bias_{i}", **self._arguments.bias())
            for i, width in enumerate(self.units)
        ]

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        hidden = ops.matmul(inputs[None], self.kernels[0])  # (1, b, d) x (E, d, h) -> (E, b, h)
        for i, bias in enumerate(self.biases):
            if i:
                hidden = ops.matmul(hidden, self.kernels[i])
            hidden = self.activation(hidden + bias)
            if self._drop is not None:
                hidden = self._drop(hidden, training=training)
        return ops.transpose(hidden, (1, 0, 2))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], self.num_experts, self.units[-1])

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "num_experts": self.num_experts,
            "units": list(self.units),
            "activation": keras.activations.serialize(self.activation),
            "dropout": self.dropout,
            **self._arguments.get_config(),
        }


class _PerExpert(keras.initializers.Initializer):
    """Initializer whose fans are those of one expert.

    Keras takes the first axis of a kernel of three for a receptive field and multiplies both fans by its size. The seed
    is drawn when the kernel is made, so that symbolic building draws none.

    Args:
        initializer: Initializer of a kernel `(num_experts, fan_in, fan_out)`.
    """

    def __init__(self, initializer: Initializer) -> None:
        self.initializer = initializer

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> Tensor:
        initializer = copy(self.initializer)
        if isinstance(initializer, keras.initializers.VarianceScaling):
            scale = initializer.scale * shape[0]
            seed = initializer.seed
            initializer = keras.initializers.VarianceScaling(scale, initializer.mode, initializer.distribution, seed)
        return initializer(shape, dtype=dtype)

    def get_config(self) -> Config:
        return {"initializer": keras.initializers.serialize(self.initializer)}
