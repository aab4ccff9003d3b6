"""Temperature of a contrastive loss by the relatedness of two tasks."""

from tfmtl.types import Tensor, TensorLike


def adaptive_temperature(relatedness: TensorLike, lower: float, upper: float) -> Tensor:
    """Computes temperatures that fall with the relatedness of two tasks, `t = (upper - lower) (1 - y_rel) + lower`.

    A lower temperature makes a contrastive loss stricter.

    Args:
        relatedness: y_rel in [0, 1], of any shape.
        lower: Temperature where `relatedness` is 1.
        upper: Temperature where `relatedness` is 0.

    Returns:
        Temperatures, of the shape of `relatedness`.

    Example:
        >>> import numpy as np
        >>> from tfmtl.ops import adaptive_temperature
        >>> adaptive_temperature(np.array([0.0, 0.5, 1.0]), lower=0.5, upper=1.0).tolist()
        [1.0, 0.75, 0.5]

    References:
        - [Lin et al., 2023, Modeling Adaptive Fine-grained Task Relatedness for Joint CTR-CVR Estimation]
          (https://arxiv.org/abs/2208.13442), equation 12
    """
    return (upper - lower) * (1.0 - relatedness) + lower
