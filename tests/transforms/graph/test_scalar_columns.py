"""Matrix of the first values of raw columns, against a loop over rows."""

import doctest

import numpy as np
import pytest
import tensorflow as tf

from transforms.graph import scalar_columns as module
from transforms.graph.scalar_columns import scalar_columns

ROWS = [[["a", "x"], [], ["c"]], [[], [], []], [["d"], ["e"], ["f", "g", "h"]]]
"""Values by column and row."""


def sparse(rows):
    ragged = tf.ragged.constant(rows, dtype=tf.string, ragged_rank=1)
    return ragged.to_sparse()


@pytest.mark.parametrize("order", [[0, 1, 2], [2, None, 0], ["dense", 1, None, 0], [None]], ids=str)
def test_first_value_of_each_row(order):
    columns, expected = [], []
    for one in order:
        if one is None:
            columns.append(None)
            expected.append(["?"] * 3)
        elif one == "dense":
            columns.append(tf.constant([["p"], ["q"], [""]]))
            expected.append(["p", "q", ""])
        else:
            columns.append(sparse(ROWS[one]))
            expected.append([row[0] if row else "?" for row in ROWS[one]])
    found = scalar_columns(columns, tf.constant(3, tf.int64), "?", tf.string)
    assert np.char.decode(found.numpy().astype("S")).tolist() == expected


def test_batch_without_rows():
    empty = tf.SparseTensor(tf.zeros((0, 2), tf.int64), tf.constant([], tf.float32), [0, 0])
    assert scalar_columns([empty, empty], tf.constant(0, tf.int64), 0.0, tf.float32).shape == (2, 0)


def test_example_of_docstring():
    assert doctest.testmod(module).failed == 0
