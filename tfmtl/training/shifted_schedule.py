"""Schedule of a learning rate that begins at a later step, for an optimizer that continues an earlier training."""

from typing import Any

import keras

from tfmtl.types import Config, Tensor


@keras.saving.register_keras_serializable(package="tfmtl")
class ShiftedSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Schedule that begins at a given step of the optimizer.

    Args:
        schedule: Schedule of the learning rate from that step on.
        first_step: Number of steps that the optimizer has made before. At earlier steps, the learning rate is the first
            one of the schedule.

    Example:
        >>> import keras
        >>> from tfmtl.training.shifted_schedule import ShiftedSchedule
        >>> schedule = ShiftedSchedule(keras.optimizers.schedules.CosineDecay(0.5, 10), first_step=300)
        >>> float(schedule(300)), round(float(schedule(305)), 4)
        (0.5, 0.25)
    """

    def __init__(self, schedule: keras.optimizers.schedules.LearningRateSchedule, first_step: int):
        super().__init__()
        self.schedule, self.first_step = schedule, first_step

    def __call__(self, step: Any) -> Tensor:
        return self.schedule(keras.ops.maximum(keras.ops.cast(step, "int64") - self.first_step, 0))

    def get_config(self) -> Config:
        return {"schedule": keras.saving.serialize_keras_object(self.schedule), "first_step": self.first_step}

    @classmethod
    def from_config(cls, config: Config) -> "ShiftedSchedule":
        return cls(keras.saving.deserialize_keras_object(config["schedule"]), config["first_step"])
