"""The dynamic selector: for each example, which inducing points take part."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfmtl import introspection
from tfmtl.layers.mlp import MLP
from tfmtl.ops.smooth_step import smooth_step


@keras.saving.register_keras_serializable(package="tfmtl")
class DynamicSelector(keras.layers.Layer):
    """`z = f_D(MLP(H))` in [0, 1]^K, `gamma = max(gamma_start - gamma_decay * step, gamma_end)`.

    f_D is `tfmtl.ops.smooth_step`. While gamma shrinks the selector turns from a soft gate into one of zeros and
    ones. `step` is a weight that counts training steps: it is saved with the model, and a loaded or an exported model
    selects with the gamma it was trained to.

    Recorded (see `tfmtl.introspection`): `selector/<name of the layer>`, z; `selection_rate/<name of the layer>`, the
    share of the points with `z > 0`, `(batch,)`.

    **Decision**: the MLP's last layer is linear. The paper says "a standard MLP"; with an activation such as ReLU, z
    could never be below 1/2 and nothing would be left out.

    Args:
        num_points: K.
        units: width of each hidden layer of the MLP.
        activation: of the hidden layers.
        gamma_start, gamma_decay, gamma_end: the schedule of gamma.
        advance_in_call: whether each call with `training=True` is a training step, as where `keras.Model.fit` trains.
            With False the owner ends a step with `end_training_step`, once, however often the layer was called in it
            (meta-learning calls it twice); `MultiTaskModel` does.

    Call arguments:
        inputs: H, `(batch, fields, d)` or `(batch, d)`.

    Returns:
        z, `(batch, num_points)`.

    Example:
        >>> DynamicSelector(64)(keras.ops.ones((8, 23, 18))).shape
        TensorShape([8, 64])

    References:
        - APEM, equations 11 to 13
    """

    def __init__(
        self,
        num_points: int,
        units: Sequence[int] = (64,),
        activation: Any = "relu",
        gamma_start: float = 10.0,
        gamma_decay: float = 2e-4,
        gamma_end: float = 1e-3,
        advance_in_call: bool = True,
        **kwargs: Any,
    ):
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
        self.hidden = MLP(units, activation, dtype=self.dtype_policy, name="hidden")
        self.head = keras.layers.Dense(num_points, dtype=self.dtype_policy, name="head")

    def build(self, input_shape):
        flat = (input_shape[0], math.prod(input_shape[1:]))
        self.hidden.build(flat)
        self.head.build(self.hidden.compute_output_shape(flat))
        self.step = self.add_weight(
            shape=(),
            initializer="zeros",
            dtype="int64",
            trainable=False,
            aggregation="only_first_replica",
            name="step",
        )

    @property
    def gamma(self) -> Any:
        """Width of the smooth-step after the training steps so far; a float32 scalar."""
        # In float64: near the end of the schedule, float32's difference of 10 and 9.99 has 3 digits left.
        gamma = self.gamma_start - self.gamma_decay * ops.cast(self.step, "float64")
        return ops.cast(ops.maximum(gamma, self.gamma_end), "float32")

    def call(self, inputs, training=None):
        flat = ops.reshape(inputs, (-1, math.prod(inputs.shape[1:])))
        selection = smooth_step(self.head(self.hidden(flat)), self.gamma)
        introspection.record(f"selector/{self.name}", selection)
        introspection.record(f"selection_rate/{self.name}", ops.mean(ops.cast(selection > 0, "float32"), axis=1))
        if training and self.advance_in_call:
            self.step.assign_add(1)
        return ops.cast(selection, self.compute_dtype)

    def end_training_step(self) -> None:
        """Counts one training step, unless training calls do."""
        if not self.advance_in_call:
            self.step.assign_add(1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.num_points)

    def get_config(self):
        return {
            **super().get_config(),
            "num_points": self.num_points,
            "units": list(self.hidden.units),
            "activation": keras.activations.serialize(self.hidden.activation),
            "gamma_start": self.gamma_start,
            "gamma_decay": self.gamma_decay,
            "gamma_end": self.gamma_end,
            "advance_in_call": self.advance_in_call,
        }
