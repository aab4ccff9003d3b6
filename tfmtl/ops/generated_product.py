"""A product with matrices that are generated for each example, in bounded memory."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

_BYTES_PER_MB = 1 << 20


def generated_product(inputs: Any, knowledge: Any, kernel: Any, base: Any, memory_mb: float = 64.0) -> Any:
    """`y_n = h_n W_n` with a matrix of each example's own, `W_n = sum_s S_ns V_s + v`.

    Generating the matrices costs `batch * s * d * e` multiplications and applying them `batch * vectors * d * e`; all
    of them together would take `batch * d * e` numbers, and as much again for their gradients. So rows of the matrices
    are generated, a block of them for all examples at a time, that fit into `memory_mb`: V is read once, in large
    products. Backpropagation generates each block once more instead of keeping it. With one vector an example there is
    no matrix at all, `y_n = sum_s sum_i (S_ns h_ni) V_si`: of as many multiplications, one product with a matrix
    `batch x s d`. The result does not depend on the blocks.

    Args:
        inputs: h, `(batch, vectors, d)`.
        knowledge: S, `(batch, s)`.
        kernel: V, `(s, d, e)`.
        base: v, `(d, e)`.
        memory_mb: how many MB the numbers generated at a time may take; one row of each matrix at least.

    Returns:
        y, `(batch, vectors, e)`; differentiable, twice too.
    """
    inputs, knowledge = tf.convert_to_tensor(inputs), tf.convert_to_tensor(knowledge)
    kernel, base = tf.convert_to_tensor(kernel), tf.convert_to_tensor(base)
    forward, backward, numbers_per_row = _one_vector if inputs.shape[1] == 1 else _several_vectors

    @tf.custom_gradient
    def generated(inputs, knowledge, kernel):
        numbers = tf.shape(inputs)[0] * numbers_per_row(kernel.shape)
        rows = _rows_of_a_block(kernel.shape[1], numbers * inputs.dtype.size, memory_mb)
        summed = _sum_of_blocks(forward, inputs, knowledge, kernel, rows)

        def gradient(upstream):
            return _gradients_of_blocks(backward, inputs, knowledge, kernel, rows, upstream)

        return summed, gradient

    # Flat: the gradient of a product that repeats `base` by example would be a matrix for each.
    common = tf.reshape(tf.matmul(tf.reshape(inputs, [-1, base.shape[0]]), base), [-1, inputs.shape[1], base.shape[1]])
    return common + generated(inputs, knowledge, kernel)


def _rows_of_a_block(rows: int, bytes_per_row: Any, memory_mb: float) -> Any:
    """The most rows that fit, of the numbers that divide `rows`; at least 1."""
    divisors = [count for count in range(1, rows + 1) if rows % count == 0]
    fitting = tf.cast(memory_mb * _BYTES_PER_MB / tf.cast(tf.maximum(bytes_per_row, 1), "float64"), "int64")
    place = tf.searchsorted(tf.constant([divisors], "int64"), fitting[None, None], side="right")[0, 0]
    return tf.gather(divisors, tf.maximum(place - 1, 0))


def _sum_of_blocks(forward: Callable, inputs: Any, knowledge: Any, kernel: Any, rows: Any) -> Any:
    def step(block, total):
        part = forward(_columns(inputs, block, rows), knowledge, _rows(kernel, block, rows))
        return block + 1, total + tf.cast(part, "float32")

    zeros = tf.zeros([tf.shape(inputs)[0], inputs.shape[1], kernel.shape[2]])
    _, total = _loop(kernel.shape[1] // rows, step, zeros)
    return tf.ensure_shape(tf.cast(total, inputs.dtype), (None, inputs.shape[1], kernel.shape[2]))


def _gradients_of_blocks(
    backward: Callable, inputs: Any, knowledge: Any, kernel: Any, rows: Any, upstream: Any
) -> tuple:
    """Those of inputs, knowledge and kernel."""
    blocks = kernel.shape[1] // rows

    def step(block, to_knowledge, to_inputs, to_kernel):
        of_inputs, of_kernel = _columns(inputs, block, rows), _rows(kernel, block, rows)
        for_inputs, for_knowledge, for_kernel = backward(of_inputs, knowledge, of_kernel, upstream)
        to_knowledge += tf.cast(for_knowledge, "float32")
        return block + 1, to_knowledge, to_inputs.write(block, for_inputs), to_kernel.write(block, for_kernel)

    parts = [tf.TensorArray(inputs.dtype, size=blocks), tf.TensorArray(kernel.dtype, size=blocks)]
    _, to_knowledge, to_inputs, to_kernel = _loop(blocks, step, tf.zeros(tf.shape(knowledge)), *parts)
    joined = tf.reshape(tf.transpose(to_inputs.stack(), (1, 2, 0, 3)), tf.shape(inputs))
    to_kernel = tf.reshape(tf.transpose(to_kernel.stack(), (1, 0, 2, 3)), kernel.shape)
    return joined, tf.cast(to_knowledge, knowledge.dtype), to_kernel


def _loop(blocks: Any, step: Callable, *state: Any) -> tuple:
    return tf.while_loop(lambda block, *_: block < blocks, step, (tf.constant(0), *state), parallel_iterations=1)


def _columns(inputs: Any, block: Any, rows: Any) -> Any:
    """`(batch, vectors, rows)`."""
    return inputs[:, :, block * rows : (block + 1) * rows]


def _rows(kernel: Any, block: Any, rows: Any) -> Any:
    """`(s, rows, e)`."""
    return kernel[:, block * rows : (block + 1) * rows]


def _matrices(knowledge: Any, kernel: Any) -> Any:
    """`(batch, rows, e)`."""
    s, _, width = kernel.shape
    return tf.reshape(knowledge @ tf.reshape(kernel, [s, -1]), [tf.shape(knowledge)[0], -1, width])


def _apply_matrices(inputs: Any, knowledge: Any, kernel: Any) -> Any:
    return inputs @ _matrices(knowledge, kernel)


def _matrices_gradients(inputs: Any, knowledge: Any, kernel: Any, upstream: Any) -> tuple:
    of_matrices = tf.matmul(inputs, upstream, transpose_a=True)
    of_matrices = tf.reshape(of_matrices, [tf.shape(inputs)[0], tf.shape(inputs)[2] * kernel.shape[2]])
    to_inputs = tf.matmul(upstream, _matrices(knowledge, kernel), transpose_b=True)
    to_knowledge = tf.matmul(of_matrices, tf.reshape(kernel, [kernel.shape[0], -1]), transpose_b=True)
    return to_inputs, to_knowledge, tf.reshape(tf.matmul(knowledge, of_matrices, transpose_a=True), tf.shape(kernel))


def _outer(inputs: Any, knowledge: Any) -> Any:
    """`S_ns h_ni` as `(batch, s * rows)`."""
    return tf.reshape(knowledge[:, :, None] * inputs, [tf.shape(inputs)[0], knowledge.shape[1] * tf.shape(inputs)[2]])


def _apply_outer(inputs: Any, knowledge: Any, kernel: Any) -> Any:
    return (_outer(inputs, knowledge) @ tf.reshape(kernel, [-1, kernel.shape[2]]))[:, None]


def _outer_gradients(inputs: Any, knowledge: Any, kernel: Any, upstream: Any) -> tuple:
    slope, flat = upstream[:, 0], tf.reshape(kernel, [-1, kernel.shape[2]])
    to_kernel = tf.reshape(tf.matmul(_outer(inputs, knowledge), slope, transpose_a=True), tf.shape(kernel))
    of_outer = tf.reshape(tf.matmul(slope, flat, transpose_b=True), [-1, knowledge.shape[1], tf.shape(inputs)[2]])
    to_knowledge = tf.matmul(of_outer, inputs, transpose_b=True)[:, :, 0]
    return tf.matmul(knowledge[:, None], of_outer), to_knowledge, to_kernel


# The value and the gradients of a block, and how many numbers an example generates for one of its rows.
_several_vectors = (_apply_matrices, _matrices_gradients, lambda shape: shape[2])
_one_vector = (_apply_outer, _outer_gradients, lambda shape: shape[0])
