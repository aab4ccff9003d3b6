"""Columns of vectors as heads, and back."""

from typing import Any

from keras import ops


def split_heads(vectors: Any, num_heads: int) -> Any:
    """`(batch, n, d)` as `(batch, heads, n, d / heads)`: each head has columns of its own, in their order."""
    _, count, dim = vectors.shape
    apart = ops.reshape(vectors, (-1, count, num_heads, dim // num_heads))
    return ops.transpose(apart, (0, 2, 1, 3))


def join_heads(heads: Any) -> Any:
    """The inverse of `split_heads`."""
    _, num_heads, count, width = heads.shape
    return ops.reshape(ops.transpose(heads, (0, 2, 1, 3)), (-1, count, num_heads * width))
