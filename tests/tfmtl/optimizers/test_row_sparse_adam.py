"""RowSparseAdam, against Adam in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmtl.optimizers import RowSparseAdam

B1, B2, EPSILON = 0.9, 0.999, 1e-7
ROWS, WIDTH = 6, 3
START = np.random.default_rng(0).normal(size=(ROWS, WIDTH))


class NumpyAdam:
    """Adam of Kingma and Ba in float64, which updates only the rows in `rows`."""

    def __init__(self, table):
        self.table, self.m, self.v, self.step = table.copy(), 0 * table, 0 * table, 0

    def update(self, gradient, rows, learning_rate):
        self.step += 1
        for row in set(rows):
            self.m[row] = B1 * self.m[row] + (1 - B1) * gradient[row]
            self.v[row] = B2 * self.v[row] + (1 - B2) * gradient[row] ** 2
            scale = np.sqrt(1 - B2**self.step) / (1 - B1**self.step)
            self.table[row] -= learning_rate * scale * self.m[row] / (np.sqrt(self.v[row]) + EPSILON)


def batches(steps, every_row, seed=1):
    """Yields row ids with repetitions and the gradient of each position."""
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        rows = rng.integers(0, ROWS, 4)
        rows = rng.permutation(np.concatenate([rows, np.arange(ROWS)])) if every_row else rows
        yield rows, rng.normal(size=(len(rows), WIDTH))


def summed(rows, values):
    dense = np.zeros((ROWS, WIDTH))
    np.add.at(dense, rows, values)
    return dense


def slices(variable, rows, values):
    return tf.IndexedSlices(tf.constant(values, variable.dtype), tf.constant(rows), tf.constant([ROWS, WIDTH]))


def apply(optimizer, variable, rows, values):
    optimizer.apply_gradients([(slices(variable, rows, values), variable)])


def test_equals_adam_if_every_batch_looks_up_every_row():
    lazy, dense = keras.Variable(START, dtype="float32"), keras.Variable(START, dtype="float32")
    optimizer, adam = RowSparseAdam(0.01), keras.optimizers.Adam(0.01)
    reference = NumpyAdam(START)
    for rows, values in batches(20, every_row=True):
        apply(optimizer, lazy, rows, values)
        adam.apply_gradients([(tf.constant(summed(rows, values), "float32"), dense)])
        reference.update(summed(rows, values), rows, 0.01)
    np.testing.assert_allclose(lazy, reference.table, atol=1e-6)
    np.testing.assert_allclose(lazy, dense, atol=1e-6)


@pytest.mark.parametrize("schedule", [False, True])
def test_rows_not_looked_up_keep_value_and_moments(schedule):
    variable = keras.Variable(START, dtype="float32")
    rate = keras.optimizers.schedules.ExponentialDecay(0.05, decay_steps=2, decay_rate=0.5) if schedule else 0.05
    optimizer, reference = RowSparseAdam(rate), NumpyAdam(START)
    for step, (rows, values) in enumerate(batches(12, every_row=False)):
        before = np.asarray(variable)
        apply(optimizer, variable, rows, values)
        reference.update(summed(rows, values), rows, 0.05 * 0.5 ** (step / 2) if schedule else 0.05)
        others = np.setdiff1d(np.arange(ROWS), rows)
        np.testing.assert_array_equal(np.asarray(variable)[others], before[others])
        np.testing.assert_allclose(variable, reference.table, atol=2e-6)  # Keras rounds 1 - beta_2^t to float32.
        moments = [np.asarray(one) for one in optimizer.variables if tuple(one.shape) == (ROWS, WIDTH)]
        np.testing.assert_allclose(moments, [reference.m, reference.v], atol=1e-6)
    assert optimizer.iterations == 12


def test_rows_never_looked_up():
    variable = keras.Variable(START, dtype="float32")
    optimizer = RowSparseAdam(0.1)
    for _, values in batches(5, every_row=False):
        apply(optimizer, variable, [2, 2, 4, 2], values)
    untouched = [0, 1, 3, 5]
    np.testing.assert_array_equal(np.asarray(variable)[untouched], START.astype("float32")[untouched])
    for one in optimizer.variables:
        if tuple(one.shape) == (ROWS, WIDTH):
            np.testing.assert_array_equal(np.asarray(one)[untouched], 0)
            assert np.all(np.asarray(one)[[2, 4]] != 0)


def test_batch_without_lookups():
    variable = keras.Variable(START, dtype="float32")
    apply(RowSparseAdam(0.1), variable, np.zeros(0, "int64"), np.zeros((0, WIDTH)))
    np.testing.assert_array_equal(variable, START.astype("float32"))


def test_dense_variables_are_updated_as_by_adam():
    dense, reference = keras.Variable(START, dtype="float32"), keras.Variable(START, dtype="float32")
    optimizer, adam = RowSparseAdam(0.01), keras.optimizers.Adam(0.01)
    for rows, values in batches(5, every_row=False):
        gradient = tf.constant(summed(rows, values), "float32")
        optimizer.apply_gradients([(gradient, dense)])
        adam.apply_gradients([(gradient, reference)])
    np.testing.assert_allclose(dense, reference, atol=1e-6, rtol=0)


def test_rejects_amsgrad():
    with pytest.raises(ValueError, match=r"`amsgrad` should not be set .* are as large as the table. Received: True"):
        RowSparseAdam(amsgrad=True)


def test_clipvalue_clips_the_summed_gradient_of_each_row():
    lazy, dense = keras.Variable(START, dtype="float32"), keras.Variable(START, dtype="float32")
    optimizer, reference, dense_reference = RowSparseAdam(0.01, clipvalue=0.8), NumpyAdam(START), NumpyAdam(START)
    for rows, values in batches(12, every_row=False):
        optimizer.apply_gradients([(slices(lazy, rows, values), lazy), (tf.constant(10 * START, "float32"), dense)])
        assert np.abs(values).max() > 0.8
        assert np.abs(summed(rows, values) - summed(rows, np.clip(values, -0.8, 0.8))).max() > 0.1
        reference.update(np.clip(summed(rows, values), -0.8, 0.8), rows, 0.01)
        dense_reference.update(np.clip(10 * START, -0.8, 0.8), range(ROWS), 0.01)
    np.testing.assert_allclose(lazy, reference.table, atol=1e-6)
    np.testing.assert_allclose(dense, dense_reference.table, atol=3e-6)  # 12 roundings in one direction.


def test_config_round_trip():
    optimizer = RowSparseAdam(0.02, beta_1=0.8, beta_2=0.99, epsilon=1e-5, clipvalue=3.0, name="mine")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert isinstance(copy, RowSparseAdam)
    assert copy.get_config() == optimizer.get_config()
    assert (copy.beta_1, copy.beta_2, copy.epsilon, copy.clipvalue, copy.name) == (0.8, 0.99, 1e-5, 3.0, "mine")
