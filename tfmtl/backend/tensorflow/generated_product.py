"""Products with matrices that are generated for each example, in bounded memory."""

import functools
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import tensorflow as tf

from tfmtl.types import Tensor, TensorLike

_BYTES_PER_MB = 1 << 20
_CACHED_MB = 4.0
"""Size of the blocks on a CPU, whose caches hold them. With 256 columns, blocks of 64 MB take three times as long."""
_Function = TypeVar("_Function", bound=Callable)
_Forward: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]
_Backward: TypeAlias = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]


def _traced_once(function: _Function) -> _Function:
    """Traces the loops of a graph once for all products of the same shapes: a model has dozens of them."""
    traced = tf.function(function, autograph=False)

    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        return (function if tf.executing_eagerly() else traced)(*arguments)

    return call  # type: ignore[return-value]


def generated_product(
    inputs: TensorLike, knowledge: TensorLike, kernel: TensorLike, base: TensorLike, memory_mb: float
) -> Tensor:
    """Computes `tfmtl.ops.generated_product` over blocks of rows of the generated matrices.

    A block holds the same rows of the matrices of all examples. V is read once, in large products, and backpropagation
    generates each block a second time instead of storing it.
    """
    if not tf.config.list_physical_devices("GPU"):
        memory_mb = min(memory_mb, _CACHED_MB)
    inputs, knowledge = tf.convert_to_tensor(inputs), tf.convert_to_tensor(knowledge)
    kernel, base = tf.convert_to_tensor(kernel), tf.convert_to_tensor(base)
    forward, backward, axis = _ONE_VECTOR if inputs.shape[1] == 1 else _SEVERAL_VECTORS

    @tf.custom_gradient
    def generated(
        inputs: Tensor, knowledge: Tensor, kernel: Tensor
    ) -> tuple[Tensor, Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]]:
        numbers = tf.shape(inputs)[0] * kernel.shape[axis]
        rows = _block_size(kernel.shape[1], numbers * inputs.dtype.size, memory_mb)
        product = _product(forward, inputs, knowledge, kernel, rows)

        def gradient(upstream: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            return _gradients(backward, inputs, knowledge, kernel, rows, upstream)

        return product, gradient

    # Flat: the gradient of a batched product with `base` would hold a matrix for each example.
    flat = tf.matmul(tf.reshape(inputs, [-1, base.shape[0]]), base)
    return tf.reshape(flat, [-1, inputs.shape[1], base.shape[1]]) + generated(inputs, knowledge, kernel)


def _block_size(rows: int, bytes_per_row: Tensor, memory_mb: float) -> Tensor:
    """Returns the largest divisor of `rows` for which a block fits into `memory_mb`, at least 1."""
    divisors = [count for count in range(1, rows + 1) if rows % count == 0]
    fitting = tf.cast(memory_mb * _BYTES_PER_MB / tf.cast(tf.maximum(bytes_per_row, 1), "float64"), "int64")
    position = tf.searchsorted(tf.constant([divisors], "int64"), fitting[None, None], side="right")[0, 0]
    return tf.gather(divisors, tf.maximum(position - 1, 0))


@_traced_once
def _product(forward: _Forward, inputs: Tensor, knowledge: Tensor, kernel: Tensor, rows: Tensor) -> Tensor:
    """Sums the products of all blocks, in float32."""

    def step(block: Tensor, total: Tensor) -> tuple[Tensor, Tensor]:
        part = forward(_input_columns(inputs, block, rows), knowledge, _kernel_rows(kernel, block, rows))
        return block + 1, total + tf.cast(part, "float32")

    zeros = tf.zeros([tf.shape(inputs)[0], inputs.shape[1], kernel.shape[2]])
    _, total = _loop(kernel.shape[1] // rows, step, zeros)
    return tf.ensure_shape(tf.cast(total, inputs.dtype), (None, inputs.shape[1], kernel.shape[2]))


@_traced_once
def _gradients(
    backward: _Backward, inputs: Tensor, knowledge: Tensor, kernel: Tensor, rows: Tensor, upstream: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the gradients of inputs, knowledge and kernel."""
    blocks = kernel.shape[1] // rows

    def step(
        block: Tensor, knowledge_total: Tensor, input_parts: Tensor, kernel_parts: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        block_inputs, block_kernel = _input_columns(inputs, block, rows), _kernel_rows(kernel, block, rows)
        input_part, knowledge_part, kernel_part = backward(block_inputs, knowledge, block_kernel, upstream)
        return (
            block + 1,
            knowledge_total + tf.cast(knowledge_part, "float32"),
            input_parts.write(block, input_part),
            kernel_parts.write(block, kernel_part),
        )

    parts = [tf.TensorArray(inputs.dtype, size=blocks), tf.TensorArray(kernel.dtype, size=blocks)]
    _, knowledge_total, input_parts, kernel_parts = _loop(blocks, step, tf.zeros(tf.shape(knowledge)), *parts)
    input_gradient = tf.reshape(tf.transpose(input_parts.stack(), (1, 2, 0, 3)), tf.shape(inputs))
    kernel_gradient = tf.reshape(tf.transpose(kernel_parts.stack(), (1, 0, 2, 3)), kernel.shape)
    return input_gradient, tf.cast(knowledge_total, knowledge.dtype), kernel_gradient


def _loop(blocks: Tensor, step: Callable, *state: Tensor) -> tuple[Tensor, ...]:
    final: tuple[Tensor, ...] = tf.while_loop(
        lambda block, *_: block < blocks, step, (tf.constant(0), *state), parallel_iterations=1
    )
    return final


def _input_columns(inputs: Tensor, block: Tensor, rows: Tensor) -> Tensor:
    """Returns the columns of the inputs that a block reads, `(batch, vectors, rows)`."""
    return inputs[:, :, block * rows : (block + 1) * rows]


def _kernel_rows(kernel: Tensor, block: Tensor, rows: Tensor) -> Tensor:
    """Returns the part of the kernel that generates a block, `(s, rows, e)`."""
    return kernel[:, block * rows : (block + 1) * rows]


def _matrices(knowledge: Tensor, kernel: Tensor) -> Tensor:
    """Generates a block of the matrices, `(batch, rows, e)`."""
    s, _, width = kernel.shape
    return tf.reshape(knowledge @ tf.reshape(kernel, [s, -1]), [tf.shape(knowledge)[0], -1, width])


def _apply_matrices(inputs: Tensor, knowledge: Tensor, kernel: Tensor) -> Tensor:
    return inputs @ _matrices(knowledge, kernel)


def _matrices_gradients(
    inputs: Tensor, knowledge: Tensor, kernel: Tensor, upstream: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    matrix_gradient = tf.matmul(inputs, upstream, transpose_a=True)
    matrix_gradient = tf.reshape(matrix_gradient, [tf.shape(inputs)[0], tf.shape(inputs)[2] * kernel.shape[2]])
    input_gradient = tf.matmul(upstream, _matrices(knowledge, kernel), transpose_b=True)
    knowledge_gradient = tf.matmul(matrix_gradient, tf.reshape(kernel, [kernel.shape[0], -1]), transpose_b=True)
    kernel_gradient = tf.matmul(knowledge, matrix_gradient, transpose_a=True)
    return input_gradient, knowledge_gradient, tf.reshape(kernel_gradient, tf.shape(kernel))


def _outer(inputs: Tensor, knowledge: Tensor) -> Tensor:
    """Returns `S_ns h_ni` as `(batch, s * rows)`."""
    return tf.reshape(knowledge[:, :, None] * inputs, [tf.shape(inputs)[0], knowledge.shape[1] * tf.shape(inputs)[2]])


def _apply_outer(inputs: Tensor, knowledge: Tensor, kernel: Tensor) -> Tensor:
    return (_outer(inputs, knowledge) @ tf.reshape(kernel, [-1, kernel.shape[2]]))[:, None]


def _outer_gradients(
    inputs: Tensor, knowledge: Tensor, kernel: Tensor, upstream: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    upstream, flat_kernel = upstream[:, 0], tf.reshape(kernel, [-1, kernel.shape[2]])
    kernel_gradient = tf.reshape(tf.matmul(_outer(inputs, knowledge), upstream, transpose_a=True), tf.shape(kernel))
    outer_gradient = tf.matmul(upstream, flat_kernel, transpose_b=True)
    outer_gradient = tf.reshape(outer_gradient, [-1, knowledge.shape[1], tf.shape(inputs)[2]])
    knowledge_gradient = tf.matmul(outer_gradient, inputs, transpose_b=True)[:, :, 0]
    return tf.matmul(knowledge[:, None], outer_gradient), knowledge_gradient, kernel_gradient


# Product and gradients of a block, and the axis of the kernel that an example generates for each row of a block.
_SEVERAL_VECTORS = (_apply_matrices, _matrices_gradients, 2)
_ONE_VECTOR = (_apply_outer, _outer_gradients, 0)
