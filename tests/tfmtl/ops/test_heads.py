"""split_heads and join_heads."""

import numpy as np

from tfmtl.ops import join_heads, split_heads

X = np.random.default_rng(0).normal(size=(4, 5, 6)).astype("float32")


def test_heads_there_and_back():
    heads = np.asarray(split_heads(X, 3))
    assert heads.shape == (4, 3, 5, 2)
    np.testing.assert_array_equal(heads[:, 1], X[:, :, 2:4])
    np.testing.assert_array_equal(join_heads(heads), X)
