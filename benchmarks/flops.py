"""Floating-point operations of the matrix products that TensorFlow executes in a block of code."""

import contextlib
import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf

# A private interface, but the only hook with the shapes of an operation at run time: in a graph, the shapes are unknown
# where the batch is split into chunks, and so is the number of iterations of a loop.
from tensorflow.python.framework import op_callbacks

_PRODUCTS = ("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3")


@dataclasses.dataclass
class Flops:
    """Number of operations.

    Attributes:
        total: Number of multiplications and additions of all matrix products.
        products: Number of matrix products.
    """

    total: int = 0
    products: int = 0


@contextlib.contextmanager
def count_flops() -> Iterator[Flops]:
    """Context manager that counts the matrix products of its block: `MatMul`, `BatchMatMul`, `Einsum` of two tensors.

    A product of an `(m, k)` and a `(k, n)` matrix counts `2 m k n`, in gradients as well. Element-wise operations,
    lookups and reductions do not count: they keep a step below the limit of matrix products. Functions in the block run
    eagerly, so that every iteration of a loop is counted.

    Yields:
        The counts, which are complete at the end of the block.
    """
    counted = Flops()

    def callback(
        op_type: str,
        inputs: Sequence[Any],
        attrs: Sequence[Any],
        outputs: Sequence[Any],
        op_name: Any = None,
        graph: Any = None,
    ) -> None:
        if graph is not None:
            return
        if op_type in _PRODUCTS:
            counted.total += product_flops(inputs[0].shape, outputs[0].shape)
            counted.products += 1
        elif op_type == "Einsum" and len(inputs) == 2:
            counted.total += einsum_flops(_equation(attrs), [one.shape for one in inputs])
            counted.products += 1

    eager = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    op_callbacks.add_op_callback(callback)
    try:
        yield counted
    finally:
        op_callbacks.remove_op_callback(callback)
        tf.config.run_functions_eagerly(eager)


def product_flops(left: Sequence[int], output: Sequence[int]) -> int:
    """Returns the operations of a matrix product: `2 k` for each number of the output `(..., m, n)`.

    Args:
        left: Shape of the left factor, `(..., m, k)` or transposed.
        output: Shape of the output, `(..., m, n)`.
    """
    rows = output[-2]
    contracted = left[-1] * left[-2] // rows if rows else 0
    return 2 * contracted * math.prod(output)


def einsum_flops(equation: str, shapes: Sequence[Sequence[int]]) -> int:
    """Returns the operations of an Einstein sum of two operands: twice the product of the sizes of all indices.

    Args:
        equation: Equation, such as `bij,jk->bik`; `...` stands for any number of indices.
        shapes: Shapes of the operands.
    """
    operands = equation.replace(" ", "").split("->")[0].split(",")
    sizes: dict[Any, int] = {}
    for operand, shape in zip(operands, shapes, strict=True):
        before, dots, after = operand.partition("...")
        hidden = len(shape) - len(before) - len(after) if dots else 0
        names = [*before, *(("...", place - hidden) for place in range(hidden)), *after]
        for name, size in zip(names, shape, strict=True):
            sizes[name] = max(sizes.get(name, 1), size)
    return 2 * math.prod(sizes.values())


def _equation(attrs: Sequence[Any]) -> str:
    named = dict(zip(attrs[::2], attrs[1::2], strict=True))
    equation = named["equation"]
    return equation.decode() if isinstance(equation, bytes) else str(equation)
