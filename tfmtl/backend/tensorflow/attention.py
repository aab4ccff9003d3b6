"""Attention in TensorFlow, with a gradient that reads the attention weights as few times as possible."""

from collections.abc import Callable

import tensorflow as tf

from tfmtl.types import Tensor, TensorLike


def attention_weights(queries: TensorLike, keys: TensorLike) -> Tensor:
    """Computes `tfmtl.ops.attention_weights`."""
    return tf.nn.softmax(tf.cast(tf.matmul(queries, keys, transpose_b=True), "float32"))


def attend(queries: TensorLike, keys: TensorLike, values: TensorLike) -> Tensor:
    """Computes `tfmtl.ops.attend`.

    With G the gradient of P, the gradient of the scores is `A (.) (G V^T - rowsum(G (.) P))`. `G (.) P` has the width
    of a value, where the `A (.) dA` of automatic differentiation has one column for each key. With few columns per
    head, passes over A take most of the time of attention.
    """

    @tf.custom_gradient
    def attended(queries: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Callable]:
        weights = tf.cast(attention_weights(queries, keys), values.dtype)
        mixed = tf.matmul(weights, values)

        def gradient(upstream: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            row_sums = tf.reduce_sum(upstream * mixed, axis=-1, keepdims=True)
            score_gradient = weights * (tf.matmul(upstream, values, transpose_b=True) - row_sums)
            return (
                tf.matmul(score_gradient, keys),
                tf.matmul(score_gradient, queries, transpose_a=True),
                tf.matmul(weights, upstream, transpose_a=True),
            )

        return mixed, gradient

    return attended(*(tf.convert_to_tensor(tensor) for tensor in (queries, keys, values)))
