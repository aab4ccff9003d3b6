"""Softmax attention."""

from keras import ops

from tfmtl.backend import is_tensorflow
from tfmtl.types import Tensor, TensorLike

if is_tensorflow():
    from tfmtl.backend.tensorflow import attention


def attention_weights(queries: TensorLike, keys: TensorLike) -> Tensor:
    """Computes the weights of softmax attention, `A = softmax(Q K^T)`, in float32.

    Args:
        queries: Q, `(..., queries, d)`, already scaled.
        keys: K, `(..., keys, d)`.

    Returns:
        A, `(..., queries, keys)`; each row sums to 1.

    Example:
        >>> import numpy as np
        >>> from tfmtl.ops import attention_weights
        >>> weights = attention_weights(np.ones((2, 3, 4), "float32"), np.ones((2, 5, 4), "float32"))
        >>> tuple(weights.shape)
        (2, 3, 5)
    """
    return attention.attention_weights(queries, keys) if is_tensorflow() else _attention_weights(queries, keys)


def attend(queries: TensorLike, keys: TensorLike, values: TensorLike) -> Tensor:
    """Computes softmax attention, `P = A V` with `A = softmax(Q K^T)`.

    The softmax is computed in float32 whatever the dtype of the arguments. On TensorFlow the gradient is written by
    hand and takes fewer passes over A than automatic differentiation.

    Args:
        queries: Q, `(..., queries, d)`, already scaled.
        keys: K, `(..., keys, d)`.
        values: V, `(..., keys, e)`.

    Returns:
        P, `(..., queries, e)`, of the dtype of `values`; twice differentiable.

    Example:
        >>> import numpy as np
        >>> from tfmtl.ops import attend
        >>> queries, keys = np.ones((2, 3, 4), "float32"), np.ones((2, 5, 4), "float32")
        >>> tuple(attend(queries, keys, np.ones((2, 5, 6), "float32")).shape)
        (2, 3, 6)

    References:
        - [Vaswani et al., 2017, Attention Is All You Need](https://arxiv.org/abs/1706.03762), equation 1
    """
    return attention.attend(queries, keys, values) if is_tensorflow() else _attend(queries, keys, values)


def _attention_weights(queries: TensorLike, keys: TensorLike) -> Tensor:
    scores = ops.matmul(queries, ops.swapaxes(keys, -1, -2))
    return ops.softmax(ops.cast(scores, "float32"), axis=-1)


def _attend(queries: TensorLike, keys: TensorLike, values: TensorLike) -> Tensor:
    values = ops.convert_to_tensor(values)
    return ops.matmul(ops.cast(_attention_weights(queries, keys), values.dtype), values)
