"""Progress of a training as a callback of Keras."""

from collections.abc import Mapping
from typing import Any

import keras

from pipelines.progress.task import Task


class TrainingProgress(keras.callbacks.Callback):
    """Callback that reports epochs, steps and the last validation loss. It reads no value of a step, which would wait.

    Args:
        batch_size: Number of rows of a step.
    """

    async_safe = True

    def __init__(self, batch_size: int):
        super().__init__()
        self._batch_size = batch_size
        self._task = Task("training", "epochs")
        self._epoch, self._metric = 0, ""

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        self._task = Task("training", "epochs", self.params.get("epochs") or 0)
        self._epoch, self._metric = 0, ""

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        if self._task.is_due:
            step = f"step {batch + 1:,}{self._metric}"
            self._task.update(self._epoch, part=(batch + 1) * self._batch_size, note=step)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        name = next((name for name in ("val_loss", "loss") if name in (logs or {})), None)
        self._metric = f", {name} {float((logs or {})[name]):.4f}" if name else ""

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        self._task.end()
