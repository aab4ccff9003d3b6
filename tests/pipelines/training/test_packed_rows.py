"""Rows as two matrices, and back."""

import numpy as np
import tensorflow as tf

from pipelines.training.packed_rows import PackedRows
from tfmtl.model_inputs import TransformedInput

LAYOUT = PackedRows(
    (
        TransformedInput("click", "int64", ()),
        TransformedInput("tags", "int64", (2,)),
        TransformedInput("tags__weights", "float32", (2,)),
        TransformedInput("user", "int64", ()),
        TransformedInput("exposure", "float32", ()),
    ),
    ("buy", "click"),
)
FEATURES = {
    "click": np.array([7, 2**31 - 1, 0]),
    "tags": np.array([[1, 2], [3, 0], [0, 0]]),
    "tags__weights": np.array([[1, 0.5], [0.25, 0], [0, 0]], "float32"),
    "user": np.array([4, 5, 6]),
    "exposure": np.array([0.5, 1.5, 2.5], "float32"),
}
LABELS = {"click": np.array([1, 0, 1], "float32"), "buy": np.array([0, 0, 1], "float32")}
"""A label has the name of a feature."""


def test_rows_are_the_same_after_packing():
    packed = LAYOUT.pack({**FEATURES, "other": np.zeros(3)}, LABELS)
    assert [(matrix.dtype, matrix.shape) for matrix in packed] == [(tf.int32, (3, 4)), (tf.float32, (3, 5))]
    features, labels = LAYOUT.unpack(*packed)
    for found, given in ((features, FEATURES), (labels, LABELS)):
        assert set(found) == set(given)
        for name, values in given.items():
            assert found[name].dtype == values.dtype
            np.testing.assert_array_equal(found[name], values)
