"""Callback that writes the checkpoints of a stage of training, and continues the stage from one."""

import random
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from tfmtl.training.best_epoch import BestEpoch
from tfmtl.training.checkpoint_folder import Checkpoint
from tfmtl.training.distribution import count_workers, first_worker_says, is_chief

if TYPE_CHECKING:
    from tfmtl.training.recovery import Recovery

_STEPS_BETWEEN_QUESTIONS = 20
"""Steps after which several workers ask the first one whether a checkpoint is due."""


class StageRecovery(keras.callbacks.Callback):
    """Callback that writes the checkpoints of a stage, and continues it from one. `Recovery.begin` creates it.

    It comes after all callbacks whose state it keeps.

    Args:
        recovery: Recovery of the whole training.
        stage: Name of the stage.
        best: Early stopping of the stage.
        history: History of the stage.
    """

    def __init__(self, recovery: "Recovery", stage: str, best: BestEpoch, history: keras.callbacks.History):
        super().__init__()
        self._recovery, self._stage, self._best, self._history = recovery, stage, best, history
        self._from = None if stage in recovery.finished else recovery.checkpoint
        self._skipped = 0
        self._epoch = self.initial_epoch
        self._steps = self._writing = 0.0
        self._last = time.monotonic()

    @property
    def finished(self) -> Mapping[str, Any] | None:
        """History and divergence of the stage if the checkpoint was written after it; None if it has to be trained."""
        found: Mapping[str, Any] | None = self._recovery.finished.get(self._stage)
        return found

    @property
    def initial_epoch(self) -> int:
        """Index of the epoch with which training begins."""
        return 0 if self._from is None else int(self._from.state["epoch"])

    @property
    def past(self) -> Mapping[str, Sequence[float]]:
        """History of the epochs before the checkpoint."""
        return {} if self._from is None else self._from.state["history"]

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        if self._from is not None:
            self._restore(self._from)
        self._last = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._epoch, self._skipped = epoch, 0
        if self._from is None:
            self._write_if_due(0)
            return
        # Keras has just reset the metrics, to which the batches before the checkpoint belong.
        restore(metric_variables(self.model), self._from, "metrics")
        self._skip_steps(int(self._from.state["batch"]))
        self._from = None

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        if batch < self._skipped:
            return
        self._steps += 1
        if not self.model.stop_training:
            self._write_if_due(batch + 1)

    def _restore(self, checkpoint: Checkpoint) -> None:
        recovery, state = self._recovery, checkpoint.state
        restore(self.model.variables, checkpoint, "model")
        restore(self.model.optimizer.variables, checkpoint, f"{self._stage}/optimizer")
        count = sum(name.startswith("best/") for name in checkpoint.names)
        weights = [checkpoint.tensor(f"best/{index}") for index in range(count)]
        self._best.set_state(state["early_stopping"], weights or None)
        self._history.history.update({name: list(values) for name, values in state["history"].items()})
        recovery.position.set(state["passes"], state["batch"])
        _set_random_state(state["random"])
        recovery.resumed_step = state["step"]
        total = "" if recovery.planned_steps is None else f" of {recovery.planned_steps}"
        recovery.write(f"    resumed at step {state['step']}{total} from a checkpoint")

    def _skip_steps(self, count: int) -> None:
        """Makes the first steps of the epoch do nothing: the data begin after them, and Keras counts all of them."""
        if count == 0:
            return
        self._skipped = count
        step, logs, skipped = self.model.train_function, self.model.get_metrics_result(), 0

        def skip(iterator: Any) -> Any:
            nonlocal skipped
            skipped += 1
            if skipped == count:
                self.model.train_function = step
            return logs

        self.model.train_function = skip

    def _write_if_due(self, batch: int) -> None:
        if self._is_due():
            start = time.monotonic()
            self._write(batch)
            self._last = time.monotonic()
            self._writing, self._steps = self._last - start, 0

    def _is_due(self) -> bool:
        """Returns whether to write a checkpoint; of several workers, the clock of the first one decides for all."""
        recovery, steps = self._recovery, int(self._steps)
        seconds = time.monotonic() - self._last
        if recovery.interval.steps is not None or count_workers(recovery.strategy) == 1:
            return recovery.interval.is_due(seconds, steps, self._writing)
        if steps % _STEPS_BETWEEN_QUESTIONS:
            return False
        return first_worker_says(recovery.strategy, recovery.interval.is_due(seconds, steps, self._writing))

    def _write(self, batch: int) -> None:
        recovery, model = self._recovery, self.model
        tensors = {f"model/{index}": variable for index, variable in enumerate(model.variables)}
        for name, optimizer in recovery.optimizers.items():
            tensors |= {f"{name}/optimizer/{index}": one for index, one in enumerate(optimizer.variables)}
        tensors |= {f"metrics/{index}": one for index, one in enumerate(metric_variables(model))}
        tensors |= {f"best/{index}": one for index, one in enumerate(self._best.best_weights or ())}
        state = {
            "stage": self._stage,
            "finished": recovery.finished,
            "epoch": self._epoch,
            # The pass from which batches have been taken has been counted.
            "passes": recovery.position.passes - (batch > 0),
            "batch": batch,
            "step": recovery.steps,
            "early_stopping": self._best.state(),
            "history": {name: [float(one) for one in values] for name, values in self._history.history.items()},
            "random": _random_state(),
        }
        if count_workers(recovery.strategy) > 1:  # Metrics are summed over the workers when they are read.
            tensors = {name: tf.convert_to_tensor(one) for name, one in tensors.items()}
        if is_chief(recovery.strategy):
            recovery.folder.write(tensors, state)


def metric_variables(model: Any) -> list[Any]:
    """Returns the variables of the metrics of a model.

    Args:
        model: A compiled model.
    """
    return [variable for metric in model.metrics for variable in metric.variables]


def restore(variables: Sequence[Any], checkpoint: Checkpoint, prefix: str) -> None:
    """Assigns the values of a checkpoint to variables.

    Args:
        variables: Variables in the order in which they were saved.
        checkpoint: The checkpoint.
        prefix: Beginning of the names of the values.
    """
    for index, variable in enumerate(variables):
        variable.assign(checkpoint.tensor(f"{prefix}/{index}"))


def _random_state() -> dict[str, Any]:
    """Returns the states of the generators of Python and NumPy, as plain data."""
    state: Any = np.random.get_state()
    name, keys, *rest = state
    return {"python": random.getstate(), "numpy": [name, keys.tolist(), *rest]}


def _set_random_state(state: Mapping[str, Any]) -> None:
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    np.random.set_state(tuple(state["numpy"]))
