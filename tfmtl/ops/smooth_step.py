"""The cubic smooth-step function."""

from keras import ops

from tfmtl.types import Tensor, TensorLike


def smooth_step(inputs: TensorLike, gamma: TensorLike) -> Tensor:
    """Computes the cubic smooth-step, a differentiable gate that is exactly 0 or 1 outside a range of width gamma.

    `f_D(z) = -2 z^3 / gamma^3 + 3 z / (2 gamma) + 1/2` for `|z| < gamma / 2`; 0 below that range and 1 above it.

    It is computed as `u^2 (3 - 2 u)` with `u = clip(z / gamma + 1/2, 0, 1)`, which is the same cubic without powers of
    gamma: value and slope are exact at `-gamma/2, 0, gamma/2` (0, 1/2, 1 and 0, 3 / (2 gamma), 0), and on JAX exact up
    to rounding.

    Args:
        inputs: z, of any shape.
        gamma: Width of the range in which the step rises, above 0; a scalar.

    Returns:
        float32 in [0, 1], of the shape of `inputs`.

    Example:
        >>> import numpy as np
        >>> from tfmtl.ops import smooth_step
        >>> np.array(smooth_step([-2.0, -0.25, 0.0, 2.0], gamma=1.0)).tolist()
        [0.0, 0.15625, 0.5, 1.0]

    References:
        - APEM, equation 13
        - [Hazimeh et al., 2021, DSelect-k](https://arxiv.org/abs/2106.03760), equation 3
    """
    position = ops.clip(ops.cast(inputs, "float32") / ops.cast(gamma, "float32") + 0.5, 0.0, 1.0)
    return position * position * (3.0 - 2.0 * position)
