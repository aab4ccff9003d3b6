"""A product with matrices that are generated for each example, in bounded memory."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

_BYTES_PER_MB = 1 << 20


def generated_product(inputs: Any, knowledge: Any, kernel: Any, base: Any, memory_mb: float = 64.0) -> Any:
    """`y_n = h_n W_n` with a matrix of each example's own, `W_n = sum_s S_ns V_s + v`.

    Generating the matrices costs `batch * s * d * e` multiplications and applying them `batch * vectors * d * e`; all
    of them together would take `batch * d * e` numbers, and as much again for their gradients. So the batch is cut into
    chunks whose matrices fit into `memory_mb`, and backpropagation generates each chunk's matrices once more instead of
    keeping them: what they take does not grow with the batch. The result does not depend on the chunks.

    Args:
        inputs: h, `(batch, vectors, d)`.
        knowledge: S, `(batch, s)`.
        kernel: V, `(s, d, e)`.
        base: v, `(d, e)`.
        memory_mb: how many MB the matrices of a chunk may take; a chunk has at least one example.

    Returns:
        y, `(batch, vectors, e)`; differentiable, twice too.
    """
    kernel, base = tf.convert_to_tensor(kernel), tf.convert_to_tensor(base)
    chunk = max(1, int(memory_mb * _BYTES_PER_MB / (base.shape[0] * base.shape[1] * base.dtype.size)))

    @tf.custom_gradient
    def product(inputs, knowledge, kernel, base):
        def outputs_of(part):
            return [part[0] @ _matrices(part[1], kernel, base)]

        like = tf.TensorSpec((None, inputs.shape[1], base.shape[1]), inputs.dtype)
        (outputs,) = _by_chunks(outputs_of, (inputs, knowledge), chunk, [like])

        def gradients(upstream):
            return _gradients(upstream, inputs, knowledge, kernel, base, chunk)

        return outputs, gradients

    return product(tf.convert_to_tensor(inputs), tf.convert_to_tensor(knowledge), kernel, base)


def _matrices(knowledge: Any, kernel: Any, base: Any) -> Any:
    """W, `(examples, d, e)`."""
    flat = knowledge @ tf.reshape(kernel, [tf.shape(kernel)[0], -1])
    return tf.reshape(flat, [-1, *base.shape]) + base


def _gradients(upstream: Any, inputs: Any, knowledge: Any, kernel: Any, base: Any, chunk: int) -> tuple:
    """Those of inputs, knowledge, kernel and base; `dL/dW_n = h_n^T g_n` of one chunk at a time."""
    flat_kernel = tf.reshape(kernel, [tf.shape(kernel)[0], -1])

    def of_chunk(part, sums):
        hidden, of_knowledge, slope = part
        of_matrices = tf.reshape(tf.matmul(hidden, slope, transpose_a=True), [-1, base.shape[0] * base.shape[1]])
        to_inputs = tf.matmul(slope, _matrices(of_knowledge, kernel, base), transpose_b=True)
        to_knowledge = tf.matmul(of_matrices, flat_kernel, transpose_b=True)
        to_kernel = sums[0] + tf.matmul(of_knowledge, of_matrices, transpose_a=True)
        return [to_inputs, to_knowledge], [to_kernel, sums[1] + tf.reduce_sum(of_matrices, axis=0)]

    zeros = [tf.zeros_like(flat_kernel), tf.zeros([base.shape[0] * base.shape[1]], base.dtype)]
    like = [tf.TensorSpec((None, *one.shape[1:]), one.dtype) for one in (inputs, knowledge)]
    rows, sums = _accumulate(of_chunk, (inputs, knowledge, upstream), chunk, like, zeros)
    return (*rows, tf.reshape(sums[0], kernel.shape), tf.reshape(sums[1], base.shape))


def _by_chunks(function: Callable, batches: Sequence[Any], chunk: int, like: Sequence[tf.TensorSpec]) -> list:
    rows, _ = _accumulate(lambda part, sums: (function(part), sums), batches, chunk, like, [])
    return rows


def _accumulate(
    function: Callable, batches: Sequence[Any], chunk: int, like: Sequence[tf.TensorSpec], sums: list
) -> tuple:
    """`function` of each chunk of the rows of `batches` and of the sums so far: its rows put together, and the sums."""
    size = batches[0].shape[0]
    if size is not None and size <= chunk:
        return function(batches, sums)
    rows = tf.shape(batches[0])[0]
    count = tf.maximum(1, (rows + chunk - 1) // chunk)  # One chunk of an empty batch, which gives the shapes.
    arrays = [tf.TensorArray(one.dtype, size=count, infer_shape=False, element_shape=one.shape) for one in like]

    def step(i, arrays, sums):
        part = [batch[i * chunk : (i + 1) * chunk] for batch in batches]
        results, sums = function(part, sums)
        return i + 1, [array.write(i, result) for array, result in zip(arrays, results, strict=True)], sums

    _, arrays, sums = tf.while_loop(
        lambda i, *_: i < count, step, (tf.constant(0), arrays, sums), parallel_iterations=1
    )
    return [array.concat() for array in arrays], sums
