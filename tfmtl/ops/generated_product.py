"""Products with matrices that are generated for each example."""

from keras import ops

from tfmtl.backend import is_tensorflow
from tfmtl.types import Tensor, TensorLike

if is_tensorflow():
    from tfmtl.backend.tensorflow import generated_product as blockwise


def generated_product(
    inputs: TensorLike, knowledge: TensorLike, kernel: TensorLike, base: TensorLike, memory_mb: float = 64.0
) -> Tensor:
    """Multiplies vectors by a matrix that is generated for each example.

    `y_n = h_n W_n` with `W_n = sum_s S_ns V_s + v` for example n.

    Generating the matrices takes `batch * s * d * e` multiplications, and applying them `batch * vectors * d * e`. With
    one vector per example no matrix is generated: `y_n = sum_s sum_i (S_ns h_ni) V_si` takes as many multiplications in
    one product with a matrix `(batch, s * d)`.

    All matrices together hold `batch * d * e` numbers, and as many again for their gradients. On TensorFlow they are
    generated in blocks of rows that fit into `memory_mb`, on a CPU into its caches, and once more for backpropagation
    instead of being stored; the result does not depend on the size of the blocks. JAX and PyTorch generate all matrices
    at once.

    Args:
        inputs: h, `(batch, vectors, d)`.
        knowledge: S, `(batch, s)`.
        kernel: V, `(s, d, e)`.
        base: v, `(d, e)`.
        memory_mb: Memory, in MB, that the numbers generated at a time may take; at least one row of each matrix is
            generated at a time. Has no effect on JAX and PyTorch.

    Returns:
        y, `(batch, vectors, e)`; twice differentiable.

    Example:
        >>> import numpy as np
        >>> from tfmtl.ops import generated_product
        >>> inputs, knowledge = np.ones((4, 3, 5), "float32"), np.ones((4, 2), "float32")
        >>> kernel, base = np.ones((2, 5, 6), "float32"), np.ones((5, 6), "float32")
        >>> tuple(generated_product(inputs, knowledge, kernel, base).shape)
        (4, 3, 6)

    References:
        - [Zhang et al., 2022, Leaving No One Behind: A Multi-Scenario Multi-Task Meta Learning Approach for Advertiser
          Modeling](https://doi.org/10.1145/3488560.3498479), equations 10 and 11
    """
    if is_tensorflow():
        return blockwise.generated_product(inputs, knowledge, kernel, base, memory_mb)
    return _generated_product(inputs, knowledge, kernel, base)


def _generated_product(inputs: TensorLike, knowledge: TensorLike, kernel: TensorLike, base: TensorLike) -> Tensor:
    inputs, knowledge, kernel = (ops.convert_to_tensor(tensor) for tensor in (inputs, knowledge, kernel))
    s, d, width = kernel.shape
    if inputs.shape[1] == 1:
        outer = ops.reshape(knowledge[:, :, None] * inputs, (-1, s * d))
        generated = ops.matmul(outer, ops.reshape(kernel, (s * d, width)))[:, None]
    else:
        matrices = ops.reshape(ops.matmul(knowledge, ops.reshape(kernel, (s, d * width))), (-1, d, width))
        generated = ops.matmul(inputs, matrices)
    return generated + ops.matmul(inputs, base)
