"""The share of training in which no batch was ready."""

import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmtl.training import EpochLines, InputWait
from tfmtl.training import input_wait as subject

BATCHES = 8


class Slow(keras.layers.Layer):
    """The identity, after so many seconds a batch."""

    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds

    def call(self, inputs):
        def late(values):
            time.sleep(self.seconds)
            return values

        values = tf.numpy_function(late, [inputs], tf.float32)
        values.set_shape(inputs.shape)
        return tf.stop_gradient(values)


def fit(input_seconds, step_seconds, epochs=2):
    """Training on batches that take so long to make, by a model that takes so long for each; prefetched or not."""

    def late(index):
        time.sleep(input_seconds)
        return index

    def batch(index):
        index = tf.numpy_function(late, [index], tf.int64)
        row = tf.reshape(tf.cast(index, tf.float32), (1, 1))
        return row, row

    model = keras.Sequential([keras.Input((1,)), Slow(step_seconds), keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=False)
    wait, lines = InputWait(), []
    batches = wait.watch(tf.data.Dataset.range(BATCHES).map(batch, num_parallel_calls=1).prefetch(2))
    history = model.fit(batches, epochs=epochs, callbacks=[wait, EpochLines(lines.append)], verbose=0)
    return history.history["input_wait"], lines, wait


def test_the_share_is_of_the_time_to_the_last_batch(monkeypatch):
    """By a clock that stands still but where the input takes 40 ms, the step 10 ms, and what follows the epoch 1 s."""
    now = [100.0]

    def read():  # Stateful, as `tf.timestamp` is: what only reads a variable, TensorFlow may call ahead.
        return tf.ensure_shape(tf.numpy_function(lambda: np.float64(now[0]), [], tf.float64), ())

    def made(index):
        def late(index):
            now[0] += 0.04
            return index

        return tf.ensure_shape(tf.numpy_function(late, [index], tf.int64), ())

    monkeypatch.setattr(subject.tf, "timestamp", read)
    monkeypatch.setattr(subject.time, "monotonic", lambda: now[0])
    wait = InputWait()
    batches = wait.watch(tf.data.Dataset.range(BATCHES).map(made))
    for epoch in range(2):
        logs = {}
        wait.on_epoch_begin(epoch)
        for number, _ in enumerate(batches):
            now[0] += 0.01
            wait.on_train_batch_end(number)
        now[0] += 1.0
        wait.on_epoch_end(epoch, logs)
        assert wait.seconds == pytest.approx(0.04 * BATCHES)
        assert logs == {"input_wait": pytest.approx(0.8)}


def test_training_that_waits():
    """The input takes 0.2 s a batch, and the step next to nothing, side by side."""
    shares, lines, wait = fit(0.2, 0.0)
    assert len(shares) == 2
    assert 0.5 < shares[1] <= 1.0
    assert wait.seconds > 0.5 * 0.2 * BATCHES
    assert f"input wait {shares[1]:.1%}" in lines[1]


def test_training_that_does_not_wait():
    shares, _, _ = fit(0.0, 0.2)
    assert shares[1] < 0.1


def test_the_step_hides_an_input_that_takes_as_long():
    """Were a batch asked for ahead, by a thread that TensorFlow puts behind the clock, its making would be waiting."""
    shares, _, _ = fit(0.1, 0.1)
    assert shares[1] < 0.5


def test_batches_are_left_as_they_are():
    rows = {"a": np.arange(7), "b": np.arange(14.0).reshape(7, 2)}
    dataset = tf.data.Dataset.from_tensor_slices((rows, np.arange(7) % 2)).batch(3)
    watched = InputWait().watch(dataset)
    assert watched.element_spec == dataset.element_spec
    for one, other in zip(dataset, watched, strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, one, other)


def test_a_distributed_dataset_is_not_measured():
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    dataset = strategy.experimental_distribute_dataset(tf.data.Dataset.range(4).batch(2))
    wait = InputWait()
    assert wait.watch(dataset) is dataset
    logs = {}
    wait.on_epoch_begin(0)
    wait.on_train_batch_end(0)
    wait.on_epoch_end(0, logs)
    assert logs == {}


@pytest.mark.parametrize("logs", [{"loss": 1.0}, {"loss": 1.0, "input_wait": 0.123}])
def test_the_line_of_an_epoch(logs):
    lines = []
    callback = EpochLines(lines.append)
    callback.set_params({"epochs": 3})
    callback.on_epoch_begin(0)
    callback.on_epoch_end(0, logs)
    assert ("input wait 12.3%" in lines[0]) == ("input_wait" in logs)
