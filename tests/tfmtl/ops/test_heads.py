"""split_heads and join_heads."""

import numpy as np

from tests.tfmtl.backends import assert_same, to_numpy
from tfmtl.ops import join_heads, split_heads

X = np.random.default_rng(0).normal(size=(4, 5, 6)).astype("float32")


def test_heads_have_consecutive_columns_and_join_to_the_input():
    heads = to_numpy(split_heads(X, 3))
    assert heads.shape == (4, 3, 5, 2)
    assert_same(heads[:, 1], X[:, :, 2:4])
    assert_same(join_heads(heads), X)
