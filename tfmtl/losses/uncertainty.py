"""Weighting of the losses of tasks by their homoscedastic uncertainty."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from tfmtl.losses.logit_losses import MAX_LOG_RATE, rate
from tfmtl.task_names import task_names
from tfmtl.types import Config, Shape, Tensor, TensorLike


@keras.saving.register_keras_serializable(package="tfmtl")
class UncertaintyWeighting(keras.layers.Layer):
    """Sum of the losses of tasks, weighted by trainable uncertainties.

    The sum is `sum_k L_k / (2 s_k^2) + log s_k`. With the trainable log-variance `v_k = log s_k^2` of each task, which
    is initially 0, it is `sum_k exp(-v_k) L_k / 2 + v_k / 2`; for a constant L_k its minimum is at `s_k^2 = L_k`. The
    layer trains the logarithm of the variance rather than s_k, as Kendall et al. recommend: it is unbounded and
    involves no division. For `v_k < -MAX_LOG_RATE` the exponential continues as its tangent, so that value and
    gradient stay finite and the gradient still increases v_k. The layer computes in float32.

    Args:
        tasks: Names of the tasks.
        **kwargs: Arguments of `keras.layers.Layer`, such as `name`.

    Call arguments:
        losses: Losses by task, each a scalar.

    Returns:
        A float32 scalar.

    Raises:
        ValueError: If the names of the losses are not those of the tasks.

    Example:
        >>> from tfmtl.losses import UncertaintyWeighting
        >>> weighting = UncertaintyWeighting(["click", "buy"])
        >>> float(weighting(losses={"click": 0.5, "buy": 0.25}))
        0.375

    References:
        - [Kendall et al., 2018, Multi-Task Learning Using Uncertainty to Weigh Losses]
          (https://arxiv.org/abs/1705.07115), equation 7
        - [Luo et al., 2023, Multi-Task Deep Learning with Task Attention for Post-Click Conversion Rate Prediction]
          (https://doi.org/10.32604/iasc.2023.036622), equation 3
    """

    def __init__(self, tasks: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.tasks = task_names(tasks)

    def build(self, input_shape: Shape | None = None) -> None:
        self.log_variances = self.add_weight(shape=(len(self.tasks),), initializer="zeros", name="log_variances")

    def call(self, losses: Mapping[str, TensorLike]) -> Tensor:
        if set(losses) != set(self.tasks):
            raise ValueError(f"`losses` should be those of {', '.join(self.tasks)}. Received: {', '.join(losses)}")
        task_losses = ops.stack([ops.cast(losses[task], "float32") for task in self.tasks])
        return ops.sum(self._factors() * task_losses + self.log_variances / 2)

    def factors(self) -> dict[str, Tensor]:
        """Returns the current factor `1 / (2 s_k^2)` of each task's loss, by task."""
        return dict(zip(self.tasks, ops.unstack(self._factors(), num=len(self.tasks)), strict=True))

    def _factors(self) -> Tensor:
        logits = -ops.convert_to_tensor(self.log_variances)
        return rate(logits) * (1.0 + ops.relu(logits - MAX_LOG_RATE)) / 2

    def get_config(self) -> Config:
        return {**super().get_config(), "tasks": list(self.tasks)}
