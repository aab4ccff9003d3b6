"""FusedEmbedding that looks rows up in a tensor instead of its table."""

import threading

import numpy as np
import pytest

from tests.tfmtl import cases
from tests.tfmtl.backends import assert_close, assert_same, import_tensorflow, to_numpy
from tfmtl.layers import FusedEmbedding

tf = import_tensorflow("`override_rows`")

FEATURES = cases.features(9)


def make_layer():
    layer = FusedEmbedding(cases.ROWS, output_dim=3, multivalent=["tags", "history"])
    layer(FEATURES)
    return layer


def expected_rows():
    """The rows that the features look up, by the sizes of the fields."""
    rows, first = set(), 0
    for name, size in cases.ROWS.items():
        rows |= {first + int(one) for one in FEATURES[name].ravel()}
        first += size
    return sorted(rows)


def test_unique_rows():
    rows = make_layer().unique_rows(FEATURES)
    assert rows.dtype == tf.int64
    assert list(to_numpy(rows)) == expected_rows()


def test_overridden_rows_replace_those_of_the_table():
    layer = make_layer()
    before, rows = layer(FEATURES), layer.unique_rows(FEATURES)
    values = tf.gather(layer.table.value, rows)
    layer.table.assign(np.full(layer.table.shape, np.nan))
    with layer.override_rows(rows, values):
        assert_same(layer(FEATURES), before)
        part = {name: array[2:4] for name, array in FEATURES.items()}
        assert_same(layer(part), before[2:4])
    assert np.isnan(layer(FEATURES)).any()


def test_gradient_of_overridden_rows_is_that_of_the_table():
    layer = make_layer()
    rows = layer.unique_rows(FEATURES)
    values = tf.gather(layer.table.value, rows)

    def total():
        return tf.reduce_sum(tf.square(layer(FEATURES)))

    with tf.GradientTape() as tape:
        tape.watch(values)
        with layer.override_rows(rows, values):
            loss = total()
    value_gradient = np.zeros(layer.table.shape)
    value_gradient[expected_rows()] = tf.convert_to_tensor(tape.gradient(loss, values))
    with tf.GradientTape() as tape:
        loss = total()
    assert_close(value_gradient, tape.gradient(loss, layer.table.value), atol=1e-6)


@pytest.mark.parametrize("removed", [0, -1])
def test_looked_up_row_that_is_not_overridden_is_an_error(removed):
    layer = make_layer()
    rows = np.delete(to_numpy(layer.unique_rows(FEATURES)), removed)
    values = tf.gather(layer.table.value, rows)
    message = rf"`rows` of `{layer.name}\.override_rows` should hold every row that is looked up in the block"
    with layer.override_rows(rows, values), pytest.raises(tf.errors.InvalidArgumentError, match=message):
        layer(FEATURES)


def test_id_outside_its_field_is_an_error():
    layer = make_layer()
    wrong = {**FEATURES, "user": np.full(9, cases.ROWS["user"])}
    message = r"ids of 'user' should be in \[0, 21\)\. Received: 21"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        layer.unique_rows(wrong)
    with (
        layer.override_rows(np.arange(layer.total_rows), layer.table.value),
        pytest.raises(tf.errors.InvalidArgumentError, match=message),
    ):
        layer(wrong)


def test_blocks_end_and_nest():
    layer, other = make_layer(), make_layer()
    before, other_before = layer(FEATURES), other(FEATURES)
    rows = layer.unique_rows(FEATURES)
    ones, twos = (tf.fill((len(expected_rows()), 3), value) for value in (1.0, 2.0))
    one = to_numpy(tf.reduce_max(before) * 0 + 1)
    with layer.override_rows(rows, ones):
        with layer.override_rows(rows, twos):
            assert_close(tf.reduce_max(layer(FEATURES)), 2 * one, rtol=1e-6)
        assert_close(tf.reduce_max(layer(FEATURES)), one, rtol=1e-6)
        assert_same(other(FEATURES), other_before)
    assert_same(layer(FEATURES), before)
    with pytest.raises(KeyError), layer.override_rows(rows, ones):
        raise KeyError
    assert_same(layer(FEATURES), before)


def test_other_threads_read_the_table():
    layer, seen = make_layer(), []
    before, rows = layer(FEATURES), layer.unique_rows(FEATURES)
    with layer.override_rows(rows, tf.zeros((len(expected_rows()), 3))):
        thread = threading.Thread(target=lambda: seen.append(to_numpy(layer(FEATURES))))
        thread.start()
        thread.join()
    assert_same(seen[0], before)
