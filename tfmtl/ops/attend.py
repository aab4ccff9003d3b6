"""Attention with a gradient that passes over its weights as few times as it can."""

from typing import Any

import tensorflow as tf


def attention_weights(queries: Any, keys: Any) -> Any:
    """`softmax(Q K^T)` over the keys, `(..., queries, keys)` in float32; `queries` and `keys` are those of `attend`."""
    return tf.nn.softmax(tf.cast(tf.matmul(queries, keys, transpose_b=True), "float32"))


def attend(queries: Any, keys: Any, values: Any) -> Any:
    """`P = A V`, `A = softmax(Q K^T)`, the softmax over the keys and in float32.

    With G the gradient of P, that of the scores is `A (.) (G V^T - rowsum(G (.) P))`. `G (.) P` is as wide as a value,
    where autodiff's `A (.) dA` is as wide as there are keys: with few columns a head, passes over A are what attention
    spends its time on.

    Args:
        queries: Q, `(..., queries, d)`; scaled by the caller.
        keys: K, `(..., keys, d)`.
        values: V, `(..., keys, e)`.

    Returns:
        P, `(..., queries, e)`; differentiable, twice too.
    """

    @tf.custom_gradient
    def attended(queries, keys, values):
        weights = tf.cast(attention_weights(queries, keys), values.dtype)
        mixed = tf.matmul(weights, values)

        def gradient(upstream):
            along = tf.reduce_sum(upstream * mixed, axis=-1, keepdims=True)
            of_scores = weights * (tf.matmul(upstream, values, transpose_b=True) - along)
            of_keys = tf.matmul(of_scores, queries, transpose_a=True)
            return tf.matmul(of_scores, keys), of_keys, tf.matmul(weights, upstream, transpose_a=True)

        return mixed, gradient

    return attended(*(tf.convert_to_tensor(tensor) for tensor in (queries, keys, values)))
