"""Alignment of sequences to the right."""

import numpy as np
import pytest
import tensorflow as tf

from tfmtl.alignment import align_right, mean_of_last

ROWS = [[1, 2, 3, 4], [], [5], [6, 7]]


@pytest.mark.parametrize("length", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("graph", [False, True])
def test_last_positions_are_moved_to_the_right(length, graph):
    def dense(sparse):
        return tf.sparse.to_dense(align_right(sparse, length))

    signature = [tf.SparseTensorSpec((None, None), tf.int64)]
    function = tf.function(dense, input_signature=signature, autograph=False) if graph else dense
    sparse = tf.ragged.constant(ROWS, dtype=tf.int64).to_sparse()
    expected = [[0] * (length - len(row[-length:])) + row[-length:] for row in ROWS]
    np.testing.assert_array_equal(function(sparse), expected)


def test_empty_batches_and_empty_rows():
    for rows in (0, 3):
        empty = tf.SparseTensor(tf.zeros((0, 2), tf.int64), tf.constant([], tf.string), [rows, 0])
        assert tf.sparse.to_dense(align_right(empty, 2)).shape == (rows, 2)


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_mean_of_the_last_numbers(count):
    nan = float("nan")
    rows = [[1.0, 2.0, 6.0, 4.0], [], [5.0], [6.0, nan], [nan, -3.0, nan], [nan]]
    found = tf.function(mean_of_last, autograph=False)(tf.ragged.constant(rows, dtype=tf.float32).to_sparse(), count)
    numbers = [[value for value in row[-count:] if value == value] for row in rows]
    expected = [sum(values) / len(values) if values else nan for values in numbers]
    np.testing.assert_allclose(found, np.float32(expected), rtol=1e-6)
