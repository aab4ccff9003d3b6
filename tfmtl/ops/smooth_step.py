"""The cubic smooth-step: a gate that is 0 on one side, 1 on the other and a cubic between."""

from typing import Any

from keras import ops


def smooth_step(inputs: Any, gamma: Any) -> Any:
    """`f_D(z) = -2 z^3 / gamma^3 + 3 z / (2 gamma) + 1/2` for `|z| < gamma / 2`; 0 below that range and 1 above it.

    It is computed as `u^2 (3 - 2 u)` with `u = clip(z / gamma + 1/2, 0, 1)`, which is the same cubic, but takes no
    power of gamma: value and slope are exact at `-gamma/2, 0, gamma/2` (0, 1/2, 1 and 0, 3 / (2 gamma), 0).

    Args:
        inputs: z, of any shape.
        gamma: width of the range in which the step rises, above 0; a scalar.

    Returns:
        float32 in [0, 1], of the shape of `inputs`.

    References:
        - APEM, equation 13
        - [Hazimeh et al., 2021, DSelect-k](https://arxiv.org/abs/2106.03760), equation 3
    """
    risen = ops.clip(ops.cast(inputs, "float32") / ops.cast(gamma, "float32") + 0.5, 0.0, 1.0)
    return risen * risen * (3.0 - 2.0 * risen)
