"""FusedEmbedding with a tensor of some rows in place of its table."""

import threading

import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl import cases
from tfmtl.layers import FusedEmbedding

FEATURES = cases.features(9)


def layer_of():
    layer = FusedEmbedding(cases.ROWS, output_dim=3, multivalent=["tags", "history"])
    layer(FEATURES)
    return layer


def expected_rows():
    """The rows that the features look up, from the sizes of the fields."""
    rows, first = set(), 0
    for name, size in cases.ROWS.items():
        rows |= {first + int(one) for one in FEATURES[name].ravel()}
        first += size
    return sorted(rows)


def test_looked_up():
    rows = layer_of().unique_rows(FEATURES)
    assert rows.dtype == tf.int64
    assert list(np.asarray(rows)) == expected_rows()


def test_the_rows_of_the_table_in_place_of_it():
    layer = layer_of()
    before, rows = layer(FEATURES), layer.unique_rows(FEATURES)
    values = tf.gather(layer.table.value, rows)
    layer.table.assign(np.full(layer.table.shape, np.nan))
    with layer.override_rows(rows, values):
        np.testing.assert_array_equal(layer(FEATURES), before)
        part = {name: array[2:4] for name, array in FEATURES.items()}
        np.testing.assert_array_equal(layer(part), before[2:4])
    assert np.isnan(layer(FEATURES)).any()


def test_the_gradient_is_that_of_the_rows():
    layer = layer_of()
    rows = layer.unique_rows(FEATURES)
    values = tf.gather(layer.table.value, rows)

    def total():
        return tf.reduce_sum(tf.square(layer(FEATURES)))

    with tf.GradientTape() as tape:
        tape.watch(values)
        with layer.override_rows(rows, values):
            loss = total()
    of_values = np.zeros(layer.table.shape)
    of_values[expected_rows()] = tf.convert_to_tensor(tape.gradient(loss, values))
    with tf.GradientTape() as tape:
        loss = total()
    np.testing.assert_allclose(of_values, tf.convert_to_tensor(tape.gradient(loss, layer.table.value)), atol=1e-6)


@pytest.mark.parametrize("removed", [0, -1])
def test_a_row_that_is_not_there(removed):
    layer = layer_of()
    rows = np.delete(np.asarray(layer.unique_rows(FEATURES)), removed)
    values = tf.gather(layer.table.value, rows)
    message = "should look up rows that its stand-in holds"
    with layer.override_rows(rows, values), pytest.raises(tf.errors.InvalidArgumentError, match=message):
        layer(FEATURES)


def test_blocks_end_and_nest():
    layer, other = layer_of(), layer_of()
    before, of_other = layer(FEATURES), other(FEATURES)
    rows = layer.unique_rows(FEATURES)
    ones, twos = (tf.fill((len(expected_rows()), 3), value) for value in (1.0, 2.0))
    filled = np.asarray(tf.reduce_max(before) * 0 + 1)
    with layer.override_rows(rows, ones):
        with layer.override_rows(rows, twos):
            np.testing.assert_allclose(tf.reduce_max(layer(FEATURES)), 2 * filled, rtol=1e-6)
        np.testing.assert_allclose(tf.reduce_max(layer(FEATURES)), filled, rtol=1e-6)
        np.testing.assert_array_equal(other(FEATURES), of_other)
    np.testing.assert_array_equal(layer(FEATURES), before)
    with pytest.raises(KeyError), layer.override_rows(rows, ones):
        raise KeyError
    np.testing.assert_array_equal(layer(FEATURES), before)


def test_another_thread_sees_the_table():
    layer, seen = layer_of(), []
    before, rows = layer(FEATURES), layer.unique_rows(FEATURES)
    with layer.override_rows(rows, tf.zeros((len(expected_rows()), 3))):
        thread = threading.Thread(target=lambda: seen.append(np.asarray(layer(FEATURES))))
        thread.start()
        thread.join()
    np.testing.assert_array_equal(seen[0], before)
