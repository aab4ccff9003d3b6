"""The cross-stitch unit: what the networks of several tasks learn to lend one another."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from tfmtl import introspection
from tfmtl.task_names import task_names


@keras.saving.register_keras_serializable(package="tfmtl")
class CrossStitch(keras.layers.Layer):
    """`x~_k = sum_j a_{kj} x_j`: of each task a trained linear combination of all tasks' layers x of one place.

    It begins near the identity, `a_kk = own` and the rest of 1 in equal parts, which keeps the scale of the layers, and
    is not constrained later. The weights are recorded as `cross_stitch/<name of the layer>` (see
    `tfmtl.introspection`): `(tasks, tasks, width or 1)`, without a batch axis.

    Args:
        tasks: their names.
        own: share of a task's own layer in the beginning; a single task keeps all of it.
        per_channel: whether every channel of a layer has weights of its own, instead of one weight for all.

    Call arguments:
        inputs: a dict of `(batch, width)` by task.

    Returns:
        A dict of `(batch, width)` by task.

    Raises:
        ValueError: if the inputs are not those of the tasks, or are of different widths.

    Example:
        >>> x = {"click": keras.ops.ones((1, 2)), "buy": keras.ops.zeros((1, 2))}
        >>> CrossStitch(["click", "buy"])(x)["buy"].numpy().round(2)
        array([[0.1, 0.1]], dtype=float32)

    References:
        - [Misra et al., 2016, Cross-stitch Networks for Multi-task Learning](https://arxiv.org/abs/1604.03539),
          equation 1
    """

    def __init__(self, tasks: Sequence[str], own: float = 0.9, per_channel: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.tasks = task_names(tasks)
        if not 0 <= own <= 1:
            raise ValueError(f"`own` should be in [0, 1]. Received: {own}")
        self.own = own
        self.per_channel = per_channel

    def build(self, input_shape):
        if set(input_shape) != set(self.tasks):
            raise ValueError(f"`inputs` should be of {', '.join(self.tasks)}. Received: {', '.join(input_shape)}")
        widths = {shape[-1] for shape in input_shape.values()}
        if len(widths) > 1:
            raise ValueError(f"`inputs` should be of one width. Received: {sorted(widths)}")
        count, width = len(self.tasks), widths.pop() if self.per_channel else 1
        other = (1 - self.own) / max(count - 1, 1)
        start = np.where(np.eye(count, dtype=bool), self.own if count > 1 else 1.0, other)[:, :, None]
        self.stitch = self.add_weight(
            shape=(count, count, width),
            initializer=lambda shape, dtype=None: ops.broadcast_to(ops.cast(start, dtype), shape),
            name="stitch",
        )

    def call(self, inputs):
        introspection.record(f"cross_stitch/{self.name}", ops.cast(self.stitch, "float32"))
        return {
            task: sum(self.stitch[k, j] * inputs[other] for j, other in enumerate(self.tasks))
            for k, task in enumerate(self.tasks)
        }

    def compute_output_shape(self, input_shape):
        return {task: tuple(input_shape[task]) for task in self.tasks}

    def get_config(self):
        return {**super().get_config(), "tasks": list(self.tasks), "own": self.own, "per_channel": self.per_channel}
