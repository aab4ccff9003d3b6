"""Share of the training time in which a model waits for batches."""

import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmtl.training import EpochLines, InputWait
from tfmtl.training import input_wait as subject

BATCHES = 8


class Slow(keras.layers.Layer):
    """Identity that takes a given number of seconds per batch."""

    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds

    def call(self, inputs):
        def delay(values):
            time.sleep(self.seconds)
            return values

        values = tf.numpy_function(delay, [inputs], tf.float32)
        values.set_shape(inputs.shape)
        return tf.stop_gradient(values)


def fit(input_seconds, step_seconds, epochs=2):
    """Trains with an input and a step that take given numbers of seconds per batch.

    Returns:
        The values of `input_wait`, the printed lines and the callback.
    """

    def delay(index):
        time.sleep(input_seconds)
        return index

    def make_batch(index):
        index = tf.numpy_function(delay, [index], tf.int64)
        row = tf.reshape(tf.cast(index, tf.float32), (1, 1))
        return row, row

    model = keras.Sequential([keras.Input((1,)), Slow(step_seconds), keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=False)
    wait, lines = InputWait(), []
    batches = wait.watch(tf.data.Dataset.range(BATCHES).map(make_batch, num_parallel_calls=1).prefetch(2))
    history = model.fit(batches, epochs=epochs, callbacks=[wait, EpochLines(lines.append)], verbose=0)
    return history.history["input_wait"], lines, wait


def test_share_is_relative_to_the_time_until_the_last_batch(monkeypatch):
    """A simulated clock advances by 40 ms per input, 10 ms per step, and 1 s after the last step of an epoch."""
    now = [100.0]

    def read():  # Stateful as `tf.timestamp`, because TensorFlow may execute a stateless operation in advance.
        return tf.ensure_shape(tf.numpy_function(lambda: np.float64(now[0]), [], tf.float64), ())

    def make_input(index):
        def advance(index):
            now[0] += 0.04
            return index

        return tf.ensure_shape(tf.numpy_function(advance, [index], tf.int64), ())

    monkeypatch.setattr(subject.tf, "timestamp", read)
    monkeypatch.setattr(subject.time, "monotonic", lambda: now[0])
    wait = InputWait()
    batches = wait.watch(tf.data.Dataset.range(BATCHES).map(make_input))
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


def test_share_is_large_if_the_input_is_slow():
    """The input takes 0.2 s per batch, and the step almost no time."""
    shares, lines, wait = fit(0.2, 0.0)
    assert len(shares) == 2
    assert 0.5 < shares[1] <= 1.0
    assert wait.seconds > 0.5 * 0.2 * BATCHES
    assert f"input wait {shares[1]:.1%}" in lines[1]


def test_share_is_small_if_the_step_is_slow():
    shares, _, _ = fit(0.0, 0.2)
    assert shares[1] < 0.1


def test_share_is_small_if_input_and_step_take_equally_long():
    """With a prefetch after the clock, the whole time of making a batch would be counted as waiting."""
    shares, _, _ = fit(0.1, 0.1)
    assert shares[1] < 0.5


def test_watched_batches_are_unchanged():
    rows = {"a": np.arange(7), "b": np.arange(14.0).reshape(7, 2)}
    dataset = tf.data.Dataset.from_tensor_slices((rows, np.arange(7) % 2)).batch(3)
    watched = InputWait().watch(dataset)
    assert watched.element_spec == dataset.element_spec
    for batch, watched_batch in zip(dataset, watched, strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, batch, watched_batch)


def test_distributed_data_set_is_not_measured():
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
def test_line_of_an_epoch_shows_the_input_wait(logs):
    lines = []
    callback = EpochLines(lines.append)
    callback.set_params({"epochs": 3})
    callback.on_epoch_begin(0)
    callback.on_epoch_end(0, logs)
    assert ("input wait 12.3%" in lines[0]) == ("input_wait" in logs)
