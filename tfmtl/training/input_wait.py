"""Callback that measures for how long training waits for its input."""

import time
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

INPUT_WAIT = "input_wait"
"""Name of the metric."""


class InputWait(keras.callbacks.Callback):
    """Callback that adds `input_wait` to the metrics of an epoch: the share of its time spent waiting for batches.

    The waiting time is the time from a request for a batch to its arrival, summed over the batches. It is divided by
    the time from the beginning of the epoch to the end of its last training batch, which excludes validation. The clock
    is a part of the dataset and is read twice per batch. With several replicas nothing is measured and nothing added,
    because TensorFlow fetches their shares of a batch in advance, and its waiting is not that of training.

    Place it before the callbacks that show metrics.

    Example:
        >>> import keras, numpy as np, tensorflow as tf
        >>> from tfmtl.training import InputWait
        >>> model = keras.Sequential([keras.layers.Dense(1)])
        >>> model.compile("sgd", "mse", run_eagerly=True)
        >>> dataset = tf.data.Dataset.from_tensor_slices((np.ones((8, 2)), np.ones(8))).batch(4)
        >>> wait = InputWait()
        >>> history = model.fit(wait.watch(dataset), callbacks=[wait], epochs=2, verbose=0).history
        >>> len(history["input_wait"])
        2
    """

    def __init__(self) -> None:
        super().__init__()
        with tf.device("CPU:0"):  # Datasets run on the CPU.
            self._waited = tf.Variable(0.0, dtype=tf.float64, trainable=False)
        self._watching = False
        self._begin = self._end = 0.0

    @property
    def seconds(self) -> float:
        """Waiting time since the beginning of the epoch, in seconds."""
        return float(self._waited.numpy())

    def watch(self, dataset: Any) -> Any:
        """Adds the clock to a dataset.

        Args:
            dataset: Dataset of training batches.

        Returns:
            A `tf.data.Dataset` of the same batches; a distributed dataset is returned unchanged.
        """
        self._watching = isinstance(dataset, tf.data.Dataset)
        if not self._watching:
            return dataset
        # A zip requests an element of each part in order: the clock first, then the batch.
        request_times = tf.data.Dataset.counter().map(lambda _: tf.timestamp())
        options = tf.data.Options()
        # Otherwise TensorFlow adds a prefetch after the clock, and the waiting time of that would be measured.
        options.experimental_optimization.inject_prefetch = False
        return tf.data.Dataset.zip(request_times, dataset).map(self._measure).with_options(options)

    def _measure(self, request_time: tf.Tensor, batch: Any) -> Any:
        with tf.control_dependencies([self._waited.assign_add(tf.timestamp() - request_time)]):
            return tf.nest.map_structure(tf.identity, batch)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        self._waited.assign(0.0)
        self._begin = self._end = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        self._end = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if self._watching and logs is not None and self._end > self._begin:
            logs[INPUT_WAIT] = min(1.0, self.seconds / (self._end - self._begin))
