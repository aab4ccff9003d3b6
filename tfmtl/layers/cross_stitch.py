"""Cross-stitch unit."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from tfmtl import introspection
from tfmtl.layers._shapes import known
from tfmtl.task_names import task_names
from tfmtl.types import Config, Shape, Tensor


@keras.saving.register_keras_serializable(package="tfmtl")
class CrossStitch(keras.layers.Layer):
    """Cross-stitch unit: trained linear combinations of the hidden layers of several tasks' networks.

    `x~_k = sum_j a_{kj} x_j`, where x_j is the hidden layer of task j at the same depth. The weights a start near the
    identity, with `a_kk = own` and the rest of 1 in equal parts, which keeps the scale of the layers; training does not
    constrain them. They are recorded as `cross_stitch/<name of the layer>` (see `tfmtl.introspection`), of shape
    `(tasks, tasks, width or 1)` without a batch axis.

    Args:
        tasks: Names of the tasks.
        own: Initial weight of a task's own layer, in [0, 1]; 1 where there is a single task.
        per_channel: Whether every channel of a layer has its own weights.

    Call arguments:
        inputs: A dict of `(batch, width)` by task.

    Returns:
        A dict of `(batch, width)` by task.

    Raises:
        ValueError: If the inputs are not those of the tasks, or differ in width.

    Example:
        >>> import keras
        >>> from tfmtl.layers import CrossStitch
        >>> layer = CrossStitch(["click", "buy"], own=0.75)
        >>> outputs = layer({"click": keras.ops.ones((1, 2)), "buy": keras.ops.zeros((1, 2))})
        >>> keras.ops.convert_to_numpy(outputs["buy"]).tolist()
        [[0.25, 0.25]]

    References:
        - [Misra et al., 2016, Cross-stitch Networks for Multi-task Learning](https://arxiv.org/abs/1604.03539),
          equation 1
    """

    def __init__(self, tasks: Sequence[str], own: float = 0.9, per_channel: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tasks = task_names(tasks)
        if not 0 <= own <= 1:
            raise ValueError(f"`own` should be in [0, 1]. Received: {own}")
        self.own = own
        self.per_channel = per_channel

    def build(self, input_shape: Mapping[str, Shape]) -> None:
        if set(input_shape) != set(self.tasks):
            raise ValueError(f"`inputs` should be of {', '.join(self.tasks)}. Received: {', '.join(input_shape)}")
        widths = {known(shape[-1]) for shape in input_shape.values()}
        if len(widths) > 1:
            raise ValueError(f"`inputs` should be of one width. Received: {sorted(widths)}")
        count, width = len(self.tasks), widths.pop() if self.per_channel else 1
        other = (1 - self.own) / max(count - 1, 1)
        start = np.where(np.eye(count, dtype=bool), self.own if count > 1 else 1.0, other)[:, :, None]

        def initializer(shape: Shape, dtype: str | None = None) -> Tensor:
            return ops.convert_to_tensor(np.broadcast_to(start, [size or 1 for size in shape]).copy(), dtype)

        self.stitch = self.add_weight(shape=(count, count, width), initializer=initializer, name="stitch")

    def call(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        introspection.record(f"cross_stitch/{self.name}", ops.cast(self.stitch, "float32"))
        return {
            task: sum(self.stitch[k, j] * inputs[other] for j, other in enumerate(self.tasks))
            for k, task in enumerate(self.tasks)
        }

    def compute_output_shape(self, input_shape: Mapping[str, Shape]) -> Mapping[str, Shape]:
        return {task: tuple(input_shape[task]) for task in self.tasks}

    def get_config(self) -> Config:
        return {**super().get_config(), "tasks": list(self.tasks), "own": self.own, "per_channel": self.per_channel}
