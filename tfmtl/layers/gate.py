"""Softmax gate of a mixture of experts."""

from typing import Any

import keras
from keras import ops

from tfmtl import introspection
from tfmtl.layers._weights import KernelArguments
from tfmtl.types import Config, Initializer, Regularizer, Shape, Tensor


@keras.saving.register_keras_serializable(package="tfmtl")
class Gate(keras.layers.Layer):
    """Softmax gate that mixes experts with weights that depend on the input.

    `g = softmax(x W)`, `y = sum_e g_e h_e`. The weights g are computed in float32 and recorded as
    `gate/<name of the layer>` (see `tfmtl.introspection`).

    Args:
        kernel_initializer: Initializer of the kernel W.
        kernel_regularizer: Regularizer of the kernel W.

    Call arguments:
        inputs: x, `(batch, d)`.
        experts: h, `(batch, num_experts, width)`.

    Returns:
        y, `(batch, width)`.

    Example:
        >>> import keras
        >>> from tfmtl.layers import Gate
        >>> tuple(Gate()(keras.ops.ones((4, 16)), keras.ops.ones((4, 3, 8))).shape)
        (4, 8)

    References:
        - [Ma et al., 2018, Modeling Task Relationships in Multi-task Learning with Multi-gate Mixture-of-Experts]
          (https://dl.acm.org/doi/10.1145/3219819.3220007), equations 6 and 7
    """

    def __init__(
        self,
        kernel_initializer: Initializer = "glorot_uniform",
        kernel_regularizer: Regularizer = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._arguments = KernelArguments(kernel_initializer, kernel_regularizer)

    def build(self, inputs_shape: Shape, experts_shape: Shape) -> None:
        shape = (inputs_shape[-1], experts_shape[-2])
        self.kernel = self.add_weight(shape=shape, name="kernel", **self._arguments.kernel())

    def call(self, inputs: Tensor, experts: Tensor) -> Tensor:
        logits = ops.cast(ops.matmul(inputs, self.kernel), "float32")
        weights = ops.softmax(logits, axis=-1)
        introspection.record(f"gate/{self.name}", weights)
        # The gradient of an einsum over these axes takes four times as long as that of a matrix product.
        return ops.squeeze(ops.matmul(ops.cast(weights, self.compute_dtype)[:, None], experts), axis=1)

    def compute_output_shape(self, inputs_shape: Shape, experts_shape: Shape) -> Shape:
        return (inputs_shape[0], experts_shape[-1])

    def get_config(self) -> Config:
        return {**super().get_config(), **self._arguments.get_config()}
