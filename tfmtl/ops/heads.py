"""Heads of multi-head attention: columns of vectors, and back."""

from keras import ops

from tfmtl.types import Tensor, TensorLike


def split_heads(vectors: TensorLike, num_heads: int) -> Tensor:
    """Splits the columns of vectors into heads, in the order of the columns.

    Args:
        vectors: `(batch, n, d)`.
        num_heads: Number of heads; a divisor of d.

    Returns:
        `(batch, num_heads, n, d / num_heads)`.

    Example:
        >>> import numpy as np
        >>> from tfmtl.ops import split_heads
        >>> tuple(split_heads(np.ones((4, 5, 6)), num_heads=3).shape)
        (4, 3, 5, 2)
    """
    _, count, dim = vectors.shape
    columns = ops.reshape(vectors, (-1, count, num_heads, dim // num_heads))
    return ops.transpose(columns, (0, 2, 1, 3))


def join_heads(heads: TensorLike) -> Tensor:
    """Joins the columns of heads into vectors; the inverse of `split_heads`.

    Args:
        heads: `(batch, num_heads, n, width)`.

    Returns:
        `(batch, n, num_heads * width)`.

    Example:
        >>> import numpy as np
        >>> from tfmtl.ops import join_heads
        >>> tuple(join_heads(np.ones((4, 3, 5, 2))).shape)
        (4, 5, 6)
    """
    _, num_heads, count, width = heads.shape
    return ops.reshape(ops.transpose(heads, (0, 2, 1, 3)), (-1, count, num_heads * width))
