"""The pattern selector: an indicator of each task picks from a shared representation."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfmtl import introspection
from tfmtl.task_names import task_names


@keras.saving.register_keras_serializable(package="tfmtl")
class PatternSelector(keras.layers.Layer):
    """Each task's indicator a_i attends to Y: `F_i = softmax(a_i Y^T / sqrt(d)) Y`, `T_i = LayerNorm(T_i' + F_i)`.

    T_i' is what the layer before gave for the task; the first layer has none, and `T_i = LayerNorm(F_i)`. The layer
    reads Y and gives nothing back to it. No weight is shared between tasks, the normalization's neither.

    Recorded (see `tfmtl.introspection`): `pattern/<task>/<name of the layer>`, the attention weights `(batch, K)`.

    **Decision**: one head without projections. Equation 18 is Attention(a_i, Y, Y), where equation 15 writes its
    projected keys and values out.

    Args:
        tasks: their names.
        epsilon: of the layer normalization.

    Call arguments:
        inputs: Y, `(batch, K, d)`.
        previous: T' by task, `(batch, d)` each; None in the first layer.

    Returns:
        T by task, `(batch, d)` each.

    Example:
        >>> PatternSelector(["click", "buy"])(keras.ops.ones((8, 64, 18)))["buy"].shape
        TensorShape([8, 18])

    References:
        - APEM, equations 18 and 19
    """

    def __init__(self, tasks: Sequence[str], epsilon: float = 1e-3, **kwargs: Any):
        super().__init__(**kwargs)
        self.tasks = task_names(tasks)
        # The gain and bias of each task are this layer's own: those of LayerNormalization would be common to all.
        self.norm = keras.layers.LayerNormalization(
            center=False, scale=False, epsilon=epsilon, dtype=self.dtype_policy, name="norm"
        )

    def build(self, inputs_shape, previous_shape=None):
        shape = (len(self.tasks), inputs_shape[-1])
        self.indicators = self.add_weight(shape=shape, initializer="glorot_uniform", name="indicators")
        self.gain = self.add_weight(shape=shape, initializer="ones", name="gain")
        self.bias = self.add_weight(shape=shape, initializer="zeros", name="bias")
        self.norm.build((inputs_shape[0], *shape))

    def call(self, inputs, previous=None):
        scores = ops.matmul(inputs, ops.transpose(self.indicators * inputs.shape[-1] ** -0.5))  # (batch, K, tasks)
        weights = ops.softmax(ops.cast(ops.transpose(scores, (0, 2, 1)), "float32"), axis=-1)
        for i, task in enumerate(self.tasks):
            introspection.record(f"pattern/{task}/{self.name}", weights[:, i])
        selected = ops.matmul(ops.cast(weights, self.compute_dtype), inputs)
        if previous is not None:
            selected = selected + ops.stack([previous[task] for task in self.tasks], axis=1)
        normed = self.norm(selected) * self.gain + self.bias
        return {task: normed[:, i] for i, task in enumerate(self.tasks)}

    def compute_output_shape(self, inputs_shape, previous_shape=None):
        return {task: (inputs_shape[0], inputs_shape[-1]) for task in self.tasks}

    def get_config(self):
        return {**super().get_config(), "tasks": list(self.tasks), "epsilon": self.norm.epsilon}
