"""How long training waits for its input."""

import time
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

INPUT_WAIT = "input_wait"


class InputWait(keras.callbacks.Callback):
    """Adds `input_wait` to the metrics of an epoch: the share of its training time in which no batch was ready.

    The time from asking for a batch to having it is summed over the batches, and divided by the time from the epoch's
    begin to the end of its last training batch (validation is not in it). The clock is part of the data set: a batch
    costs two readings of it. Nothing is measured, and nothing added, where several replicas get their share of a batch:
    their shares are fetched ahead by TensorFlow, whose waiting is not the training's.

    Place it before the callbacks that show the metrics.

    Example:
        >>> wait = InputWait()
        >>> history = model.fit(wait.watch(dataset), callbacks=[wait]).history
        >>> len(history["input_wait"])
        1
    """

    def __init__(self):
        super().__init__()
        with tf.device("CPU:0"):  # Where data sets run.
            self._waited = tf.Variable(0.0, dtype=tf.float64, trainable=False)
        self._watching = False
        self._begin = self._end = 0.0

    @property
    def seconds(self) -> float:
        """How long the batches since the epoch began were waited for."""
        return float(self._waited.numpy())

    def watch(self, dataset: Any) -> Any:
        """The same batches, with the waiting for each measured; a distributed data set as it is."""
        self._watching = isinstance(dataset, tf.data.Dataset)
        if not self._watching:
            return dataset
        # A zip asks its parts in their order: the clock first, then the batch.
        asked = tf.data.Dataset.counter().map(lambda _: tf.timestamp())
        options = tf.data.Options()
        # Else TensorFlow puts a thread behind the clock that asks ahead, and the waiting is that one's.
        options.experimental_optimization.inject_prefetch = False
        return tf.data.Dataset.zip(asked, dataset).map(self._measure).with_options(options)

    def _measure(self, asked: tf.Tensor, batch: Any) -> Any:
        with tf.control_dependencies([self._waited.assign_add(tf.timestamp() - asked)]):
            return tf.nest.map_structure(tf.identity, batch)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        self._waited.assign(0.0)
        self._begin = self._end = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        self._end = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if self._watching and logs is not None and self._end > self._begin:
            logs[INPUT_WAIT] = min(1.0, self.seconds / (self._end - self._begin))
