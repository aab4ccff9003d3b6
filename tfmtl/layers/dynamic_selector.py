"""Dynamic selector of inducing points."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfmtl import introspection
from tfmtl.layers._shapes import known
from tfmtl.layers._weights import DenseArguments, copy, get_initializer
from tfmtl.layers.mlp import MLP
from tfmtl.ops.smooth_step import smooth_step
from tfmtl.types import Activation, Config, Initializer, Regularizer, Shape, Tensor

_MAX_STEP = 2**31 - 1


@keras.saving.register_keras_serializable(package="tfmtl")
class DynamicSelector(keras.layers.Layer):
    """Dynamic selector of APEM: chooses, for each example, the inducing points that take part in set attention.

    `z = f_D(MLP(H))` in [0, 1]^K, with `gamma = max(gamma_start - gamma_decay * step, gamma_end)`.

    f_D is `tfmtl.ops.smooth_step`. While gamma shrinks, the selector turns from a soft gate into a gate of zeros and
    ones. `step` is a weight that counts training steps: it is saved with the model, so that a loaded or exported model
    selects with the gamma it was trained to. The counter is an int64 on TensorFlow, and an int32 on JAX and PyTorch.

    Recorded (see `tfmtl.introspection`): `selector/<name of the layer>`, z; `selection_rate/<name of the layer>`, the
    share of points with `z > 0`, `(batch,)`.

    The paper says "a standard MLP" and leaves the activation of its last layer open. It is linear here: with an
    activation such as ReLU, z could not be below 1/2 and no point would be left out.

    Args:
        num_points: Number of inducing points K.
        units: Width of each hidden layer of the MLP.
        activation: Activation of the hidden layers.
        gamma_start: Gamma before the first training step.
        gamma_decay: Decrease of gamma per training step.
        gamma_end: Lowest gamma, in (0, gamma_start].
        advance_in_call: Whether each call with `training=True` counts as a training step, as under `keras.Model.fit`.
            With False the owner of the layer calls `end_training_step` once per step, however often it calls the layer
            (meta-learning calls it twice); `tfmtl.models` do so.
        kernel_initializer: Initializer of the kernels of the MLP.
        bias_initializer: Initializer of the biases of the MLP.
        head_bias_initializer: Initializer of the biases of the last layer; by default `bias_initializer`. With positive
            biases, most points take part at the beginning.
        kernel_regularizer: Regularizer of the kernels of the MLP.
        bias_regularizer: Regularizer of the biases of the MLP.

    Call arguments:
        inputs: H, `(batch, fields, d)` or `(batch, d)`.

    Returns:
        z, `(batch, num_points)`.

    Raises:
        ValueError: If `num_points` or a width is below 1, or the schedule of gamma is not decreasing to `gamma_end`.

    Example:
        >>> import keras
        >>> from tfmtl.layers import DynamicSelector, SetAttention
        >>> fields = keras.ops.ones((8, 23, 18))
        >>> selection = DynamicSelector(64)(fields)
        >>> tuple(selection.shape)
        (8, 64)
        >>> tuple(SetAttention(64, num_heads=2)(fields, selection).shape)
        (8, 64, 18)

    References:
        - [Tao et al., 2023, Adaptive Pattern Extraction Multi-Task Learning for Multi-Step Conversion Estimations]
          (https://arxiv.org/abs/2301.02494), equations 11 to 13
    """

    def __init__(
        self,
        num_points: int,
        units: Sequence[int] = (64,),
        activation: Activation = "relu",
        gamma_start: float = 10.0,
        gamma_decay: float = 2e-4,
        gamma_end: float = 1e-3,
        advance_in_call: bool = True,
        kernel_initializer: Initializer = "glorot_uniform",
        bias_initializer: Initializer = "zeros",
        head_bias_initializer: Initializer = None,
        kernel_regularizer: Regularizer = None,
        bias_regularizer: Regularizer = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if num_points < 1:
            raise ValueError(f"`num_points` should be at least 1. Received: {num_points}")
        if not 0 < gamma_end <= gamma_start:
            raise ValueError(f"`gamma_end` should be in (0, gamma_start], {gamma_start}. Received: {gamma_end}")
        if gamma_decay < 0:
            raise ValueError(f"`gamma_decay` should be at least 0. Received: {gamma_decay}")
        self.num_points = num_points
        self.gamma_start = gamma_start
        self.gamma_decay = gamma_decay
        self.gamma_end = gamma_end
        self.advance_in_call = advance_in_call
        self._arguments = DenseArguments(
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
        )
        self.hidden = MLP(units, activation, dtype=self.dtype_policy, name="hidden", **self._arguments.shared())
        head_arguments = self._arguments.dense()
        self.head_bias_initializer = get_initializer(head_bias_initializer)
        if self.head_bias_initializer is not None:
            head_arguments["bias_initializer"] = copy(self.head_bias_initializer)
        self.head = keras.layers.Dense(num_points, dtype=self.dtype_policy, name="head", **head_arguments)

    def build(self, input_shape: Shape) -> None:
        flat_shape = (input_shape[0], math.prod(map(known, input_shape[1:])))
        self.hidden.build(flat_shape)
        self.head.build(self.hidden.compute_output_shape(flat_shape))
        self.step = self.add_weight(
            shape=(),
            initializer="zeros",
            dtype="int",
            trainable=False,
            aggregation="only_first_replica",
            name="step",
        )

    @property
    def gamma(self) -> Tensor:
        """Width of the smooth-step after the training steps so far; a float32 scalar."""
        # The steps that are left are an exact integer. A difference of gammas near the end of the schedule would have
        # 3 digits in float32, and JAX has no float64.
        decreasing = self.gamma_start - self.gamma_end
        steps = min(int(decreasing / self.gamma_decay), _MAX_STEP) if self.gamma_decay else 0
        gamma_at_steps = self.gamma_end + max(decreasing - self.gamma_decay * steps, 0.0)
        steps_left = ops.cast(steps - ops.convert_to_tensor(self.step), "float32")
        return ops.maximum(gamma_at_steps + self.gamma_decay * steps_left, self.gamma_end)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        flat = ops.reshape(inputs, (-1, math.prod(inputs.shape[1:])))
        selection = smooth_step(self.head(self.hidden(flat)), self.gamma)
        introspection.record(f"selector/{self.name}", selection)
        introspection.record(f"selection_rate/{self.name}", ops.mean(ops.cast(selection > 0, "float32"), axis=1))
        if training and self.advance_in_call:
            self.step.assign_add(1)
        return ops.cast(selection, self.compute_dtype)

    def end_training_step(self) -> None:
        """Counts one training step, unless `advance_in_call` lets training calls count them."""
        if not self.advance_in_call:
            self.step.assign_add(1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], self.num_points)

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "num_points": self.num_points,
            "units": list(self.hidden.units),
            "activation": keras.activations.serialize(self.hidden.activation),
            "gamma_start": self.gamma_start,
            "gamma_decay": self.gamma_decay,
            "gamma_end": self.gamma_end,
            "advance_in_call": self.advance_in_call,
            "head_bias_initializer": keras.initializers.serialize(self.head_bias_initializer),
            **self._arguments.get_config(),
        }
