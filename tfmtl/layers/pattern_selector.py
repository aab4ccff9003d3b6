"""Pattern selector of tasks."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from tfmtl import introspection
from tfmtl.layers._weights import copy, get_initializer
from tfmtl.task_names import task_names
from tfmtl.types import Config, Initializer, Shape, Tensor


@keras.saving.register_keras_serializable(package="tfmtl")
class PatternSelector(keras.layers.Layer):
    """Pattern selector of APEM: a trained indicator of each task attends to a shared representation.

    `F_i = softmax(s a_i Y^T / sqrt(d)) Y`, `T_i = LayerNorm(T_i' + F_i)` for the indicator a_i of task i.
    `key_scale` is s, which is 1 in the paper.

    T_i' is the task's representation from the layer before; the first layer has none, and `T_i = LayerNorm(F_i)`. The
    layer reads Y and does not change it. Tasks share no weights, including those of the normalization.

    Recorded (see `tfmtl.introspection`): `pattern/<task>/<name of the layer>`, the attention weights `(batch, K)`.

    The attention has one head and no projections: equation 18 is Attention(a_i, Y, Y), where equation 15 writes
    projected keys and values.

    Args:
        tasks: Names of the tasks.
        epsilon: Epsilon of the layer normalization.
        normalize: Whether T is normalized; False gives `T_i = T_i' + F_i`.
        key_scale: Factor s of Y where the attention weights are computed.
        indicators_initializer: Initializer of the indicators, `(tasks, d)`.

    Call arguments:
        inputs: Y, `(batch, K, d)`.
        previous: T', a dict of `(batch, d)` by task; None in the first layer.

    Returns:
        T, a dict of `(batch, d)` by task.

    Raises:
        ValueError: If `tasks` is empty or repeats a name, or `key_scale` is not above 0.

    Example:
        >>> import keras
        >>> from tfmtl.layers import PatternSelector
        >>> patterns = keras.ops.ones((8, 64, 18))
        >>> first = PatternSelector(["click", "buy"])(patterns)
        >>> second = PatternSelector(["click", "buy"])(patterns, first)
        >>> tuple(second["buy"].shape)
        (8, 18)

    References:
        - [Tao et al., 2023, Adaptive Pattern Extraction Multi-Task Learning for Multi-Step Conversion Estimations]
          (https://arxiv.org/abs/2301.02494), equations 18 and 19
    """

    def __init__(
        self,
        tasks: Sequence[str],
        epsilon: float = 1e-3,
        normalize: bool = True,
        key_scale: float = 1.0,
        indicators_initializer: Initializer = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not key_scale > 0:
            raise ValueError(f"`key_scale` should be above 0. Received: {key_scale}")
        self.tasks = task_names(tasks)
        self.epsilon = epsilon
        self.key_scale = key_scale
        self.indicators_initializer = get_initializer(indicators_initializer)
        self.norm = None
        if normalize:  # Gain and bias are weights of this layer, a row per task; LayerNormalization would share them.
            self.norm = keras.layers.LayerNormalization(
                center=False, scale=False, epsilon=epsilon, dtype=self.dtype_policy, name="norm"
            )

    def build(self, inputs_shape: Shape, previous_shape: Mapping[str, Shape] | None = None) -> None:
        shape = (len(self.tasks), inputs_shape[-1])
        initializer = copy(self.indicators_initializer)
        self.indicators = self.add_weight(shape=shape, initializer=initializer, name="indicators")
        if self.norm is not None:
            self.gain = self.add_weight(shape=shape, initializer="ones", name="gain")
            self.bias = self.add_weight(shape=shape, initializer="zeros", name="bias")
            self.norm.build((inputs_shape[0], *shape))

    def call(self, inputs: Tensor, previous: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        factor = self.key_scale * inputs.shape[-1] ** -0.5
        scores = ops.matmul(inputs, ops.transpose(self.indicators * factor))  # (batch, K, tasks)
        weights = ops.softmax(ops.cast(ops.transpose(scores, (0, 2, 1)), "float32"), axis=-1)
        for i, task in enumerate(self.tasks):
            introspection.record(f"pattern/{task}/{self.name}", weights[:, i])
        selected = ops.matmul(ops.cast(weights, self.compute_dtype), inputs)
        if previous is not None:
            selected = selected + ops.stack([previous[task] for task in self.tasks], axis=1)
        if self.norm is not None:
            selected = self.norm(selected) * self.gain + self.bias
        return {task: selected[:, i] for i, task in enumerate(self.tasks)}

    def compute_output_shape(
        self, inputs_shape: Shape, previous_shape: Mapping[str, Shape] | None = None
    ) -> Mapping[str, Shape]:
        return {task: (inputs_shape[0], inputs_shape[-1]) for task in self.tasks}

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "tasks": list(self.tasks),
            "epsilon": self.epsilon,
            "normalize": self.norm is not None,
            "key_scale": self.key_scale,
            "indicators_initializer": keras.initializers.serialize(self.indicators_initializer),
        }
