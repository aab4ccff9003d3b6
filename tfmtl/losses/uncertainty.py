"""Weighing the losses of tasks by their homoscedastic uncertainty."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from tfmtl.losses.logit_losses import MAX_LOG_RATE, rate
from tfmtl.task_names import task_names


@keras.saving.register_keras_serializable(package="tfmtl")
class UncertaintyWeighting(keras.layers.Layer):
    """`sum_k L_k / (2 s_k^2) + log s_k`, with a trainable `v_k = log s_k^2` for each task, 0 at first.

    That is `sum_k exp(-v_k) L_k / 2 + v_k / 2`; for a constant L_k it is least where `s_k^2 = L_k`. The logarithm of
    the variance is trained rather than s_k, as Kendall et al. advise: it has no bound and no division. Where v_k is
    below `-MAX_LOG_RATE` the exponential goes on as its tangent, so that value and gradient stay finite and v_k is
    still pulled back. Computed in float32.

    Args:
        tasks: names of the losses.

    Call arguments:
        losses: a scalar for each task, by name.

    Returns:
        A scalar.

    Raises:
        ValueError: if the losses are not those of the tasks.

    Example:
        >>> UncertaintyWeighting(["click", "buy"])({"click": 0.5, "buy": 0.25})
        <tf.Tensor: shape=(), dtype=float32, numpy=0.375>

    References:
        - MAN, equation 3
        - [Kendall et al., 2018, Multi-Task Learning Using Uncertainty to Weigh Losses]
          (https://arxiv.org/abs/1705.07115), equation 7
    """

    def __init__(self, tasks: Sequence[str], **kwargs: Any):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.tasks = task_names(tasks)

    def build(self, input_shape=None):
        self.log_variances = self.add_weight(shape=(len(self.tasks),), initializer="zeros", name="log_variances")

    def call(self, losses):
        if set(losses) != set(self.tasks):
            raise ValueError(f"`losses` should be those of {', '.join(self.tasks)}. Received: {', '.join(losses)}")
        of_tasks = ops.stack([ops.cast(losses[task], "float32") for task in self.tasks])
        return ops.sum(self._factors() * of_tasks + self.log_variances / 2)

    def factors(self) -> Mapping[str, Any]:
        """`1 / (2 s_k^2)` by task: what each loss is multiplied by now."""
        return dict(zip(self.tasks, ops.unstack(self._factors(), num=len(self.tasks)), strict=True))

    def _factors(self) -> Any:
        logits = -ops.convert_to_tensor(self.log_variances)
        return rate(logits) * (1.0 + ops.relu(logits - MAX_LOG_RATE)) / 2

    def get_config(self):
        return {**super().get_config(), "tasks": list(self.tasks)}
