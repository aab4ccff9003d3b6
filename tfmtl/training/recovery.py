"""Recovery of a training that was killed: it continues from a checkpoint as if it had not been."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import keras

from tfmtl.training.best_epoch import BestEpoch, Divergence
from tfmtl.training.checkpoint_folder import Checkpoint, CheckpointFolder
from tfmtl.training.data_position import DataPosition
from tfmtl.training.distribution import ONE_DEVICE, optimizer_steps
from tfmtl.training.stage_recovery import StageRecovery, restore

_LARGEST_SHARE = 0.02
"""Largest share of the time of training in which checkpoints are written."""


@dataclasses.dataclass(frozen=True)
class Interval:
    """Time or number of steps between checkpoints.

    Attributes:
        minutes: Minutes from one checkpoint to the next. Where writing one takes longer than 2 % of that, the interval
            is 50 times as long as writing.
        steps: Number of training steps between checkpoints, in place of minutes; None for minutes.

    Example:
        >>> from tfmtl.training.recovery import Interval
        >>> Interval(minutes=10).is_due(seconds=500, steps=7, writing_seconds=1)
        False
        >>> Interval(steps=7).is_due(seconds=500, steps=7, writing_seconds=1)
        True
    """

    minutes: float = 10.0
    steps: int | None = None

    def is_due(self, seconds: float, steps: int, writing_seconds: float) -> bool:
        """Returns whether to write a checkpoint.

        Args:
            seconds: Seconds since the last checkpoint.
            steps: Steps since the last checkpoint.
            writing_seconds: Seconds that writing the last one took.
        """
        if self.steps is not None:
            return steps >= self.steps
        return seconds >= max(60 * self.minutes, writing_seconds / _LARGEST_SHARE)


class Recovery:
    """Recovery of a training of one or several stages, for the argument `recovery` of `fit_stage` and `TwoStage.fit`.

    A checkpoint holds what determines the rest of the training: weights, seeds of dropout and other variables of the
    model, the slots and counters of the optimizers, the metrics of the epoch that has begun, early stopping with the
    weights of the best epoch, the history, finished stages, the random states of Python and NumPy, and the position in
    the data. A training that is killed at any time and called again with equal arguments continues after its newest
    checkpoint. If operations are deterministic, it ends with the same weights to the last bit as one that is not
    killed.

    The training data have to call `DataPosition.begin_pass`, and training and validation data have to depend on nothing
    but their arguments and that position. Of several workers, which call the training together, the first one writes
    the checkpoints, and all of them have to see its folder.

    Args:
        folder: Folder of the checkpoints. It should be another one for each training that differs in anything.
        position: Position of the training data.
        interval: Time or steps between checkpoints.
        planned_steps: Number of steps of all epochs of all stages, which a line shows; None if it is not known.
        write: Function to call with the line that is shown when training continues.
        strategy: Strategy of the training.

    Example:
        >>> import tempfile
        >>> import numpy as np, tensorflow as tf
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.models import SharedBottom
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> from tfmtl.training import Stage, fit_stage
        >>> from tfmtl.training.data_position import DataPosition
        >>> from tfmtl.training.recovery import Interval, Recovery
        >>> spec = DatasetSpec("shop", (CategoricalFeature("user"),), (Task("click", "clicked"),))
        >>> rows = tf.data.Dataset.from_tensor_slices(({"user": np.arange(8)}, {"click": np.arange(8) % 2})).batch(4)
        >>> position = DataPosition()
        >>> train = tf.data.Dataset.range(1).flat_map(lambda _: rows.skip(position.begin_pass()[1]))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     recovery = Recovery(folder, position, Interval(steps=1))
        ...     model = SharedBottom(spec, {"user": 100})
        ...     history = fit_stage(model, Stage(max_epochs=2), train, recovery=recovery, verbose=0)
        ...     recovery = Recovery(folder, position)  # As after a kill in the last step.
        ...     model = SharedBottom(spec, {"user": 100})
        ...     history = fit_stage(model, Stage(max_epochs=2), train, recovery=recovery, verbose=0)
            resumed at step 4 from a checkpoint
    """

    def __init__(
        self,
        folder: str,
        position: DataPosition,
        interval: Interval = Interval(),
        planned_steps: int | None = None,
        write: Callable[[str], object] = print,
        strategy: Any = ONE_DEVICE,
    ):
        self.folder = CheckpointFolder(folder)
        self.position, self.interval, self.planned_steps, self.write = position, interval, planned_steps, write
        self.strategy = strategy
        self.checkpoint: Checkpoint | None = self.folder.newest()
        self.resumed_step: int | None = None
        self._finished: dict[str, Any] = {}
        self._optimizers: dict[str, Any] = {}
        self._first_steps: dict[str, int] = {}

    @property
    def finished(self) -> Mapping[str, Any]:
        """History and divergence of each finished stage, as plain data."""
        return self._finished

    @property
    def optimizers(self) -> Mapping[str, Any]:
        """Optimizer of each stage that has begun."""
        return self._optimizers

    @property
    def steps(self) -> int:
        """Number of training steps of all stages so far, without those that an optimizer made before."""
        return sum(optimizer_steps(one) - self._first_steps[stage] for stage, one in self._optimizers.items())

    def begin(self, stage: str, model: Any, best: BestEpoch, history: keras.callbacks.History) -> StageRecovery:
        """Begins a stage, or restores it from the checkpoint.

        Args:
            stage: Name of the stage.
            model: Compiled model.
            best: Early stopping of the stage.
            history: History of the stage.

        Returns:
            The callback of the stage.
        """
        self._optimizers[stage] = model.optimizer
        self._first_steps[stage] = optimizer_steps(model.optimizer)
        found = None if self.checkpoint is None else self.checkpoint.state
        if self.checkpoint is not None and found is not None:
            if stage in found["finished"]:
                self._finished[stage] = found["finished"][stage]
                restore(model.optimizer.variables, self.checkpoint, f"{stage}/optimizer")
            elif stage != found["stage"]:
                self.checkpoint = None
        return StageRecovery(self, stage, best, history)

    def finish(self, stage: str, history: Mapping[str, Any], divergence: Divergence | None) -> None:
        """Notes that a stage is finished.

        Args:
            stage: Name of the stage.
            history: History of the stage.
            divergence: Description of a loss that was not finite; None if all were.
        """
        plain = None if divergence is None else dataclasses.asdict(divergence)
        self._finished[stage] = {"history": dict(history), "divergence": plain}
        self.checkpoint = None

    def remove(self) -> None:
        """Removes the checkpoints, which a training that has ended does not need."""
        self.folder.remove()
