"""Callback that writes the metrics of each epoch for TensorBoard."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import keras
import tensorflow as tf

_VALIDATION = "val_"
_SCALAR = tf.compat.v1.SummaryMetadata(plugin_data={"plugin_name": "scalars"})
"""Kind of summary that `tf.summary.scalar` writes, which needs a package that TensorFlow 2.21 does not require."""


@runtime_checkable
class KeepsHistory(Protocol):
    """Interface of a callback that shows all epochs of a training, also those before a checkpoint."""

    def restore_history(self, history: Mapping[str, Sequence[float]]) -> None:
        """Shows the epochs that were trained before this process began.

        Args:
            history: Values of each metric by its name, one for each epoch.
        """


class TensorBoardLog(keras.callbacks.Callback):
    """Callback that writes the metrics of each epoch to `train` and `validation` below a folder.

    `tensorboard --logdir <folder>` shows both in one plot for each metric. The epochs of a second stage follow those of
    the first one. Unlike `keras.callbacks.TensorBoard`, it writes nothing after a batch, and a training that continues
    from a checkpoint writes its earlier epochs too.

    Args:
        folder: Folder to write to, on any file system that TensorFlow writes.

    Example:
        >>> import os, tempfile
        >>> from tfmtl.training.tensorboard import TensorBoardLog
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     log = TensorBoardLog(folder)
        ...     log.on_epoch_end(0, {"loss": 0.5, "val_loss": 0.6})
        ...     sorted(os.listdir(folder))
        ['train', 'validation']
    """

    def __init__(self, folder: str):
        super().__init__()
        self._folder = folder
        self._writers: dict[str, Any] = {}
        self._epochs = 0

    def restore_history(self, history: Mapping[str, Sequence[float]]) -> None:
        """Writes the epochs that were trained before this process began.

        Args:
            history: Values of each metric by its name, one for each epoch.
        """
        for values in zip(*history.values(), strict=True):
            self.on_epoch_end(self._epochs, dict(zip(history, values, strict=True)))

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        for name, value in (logs or {}).items():
            run = "validation" if name.startswith(_VALIDATION) else "train"
            if run not in self._writers:
                self._writers[run] = tf.summary.create_file_writer(os.path.join(self._folder, run))
            with self._writers[run].as_default():
                tag = f"epoch_{name.removeprefix(_VALIDATION)}"
                tf.summary.write(tag, tf.cast(value, tf.float32), self._epochs, _SCALAR)
        for writer in self._writers.values():
            writer.flush()
        self._epochs += 1
