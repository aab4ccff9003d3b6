"""Alignment of sequences to the right."""

import numpy as np
import pytest
import tensorflow as tf

from tfmtl.alignment import align_right

ROWS = [[1, 2, 3, 4], [], [5], [6, 7]]


@pytest.mark.parametrize("length", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("graph", [False, True])
def test_last_positions_are_moved_to_the_right(length, graph):
    def dense(sparse):
        return tf.sparse.to_dense(align_right(sparse, length))

    signature = [tf.SparseTensorSpec((None, None), tf.int64)]
    function = tf.function(dense, input_signature=signature) if graph else dense
    sparse = tf.ragged.constant(ROWS, dtype=tf.int64).to_sparse()
    expected = [[0] * (length - len(row[-length:])) + row[-length:] for row in ROWS]
    np.testing.assert_array_equal(function(sparse), expected)


def test_empty_batches_and_empty_rows():
    for rows in (0, 3):
        empty = tf.SparseTensor(tf.zeros((0, 2), tf.int64), tf.constant([], tf.string), [rows, 0])
        assert tf.sparse.to_dense(align_right(empty, 2)).shape == (rows, 2)
