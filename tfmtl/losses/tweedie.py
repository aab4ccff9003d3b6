"""Tweedie loss of a value, per row and on the logarithm of its mean."""

from keras import ops

from tfmtl.losses.logit_losses import rate
from tfmtl.types import Tensor, TensorLike

MAX_LOG_MEAN = 80.0
"""Logarithm of the largest mean of a value (5.5e34), so that products of means and weights stay finite."""
MAX_EXPONENT = 20.0
"""Exponent above which the exponentials of the loss continue as their tangents."""


def tweedie(labels: TensorLike, logits: TensorLike, power: float = 1.5) -> Tensor:
    """Computes half the unit deviance of values under a Tweedie distribution.

    With the mean `m = exp(z)` and the power `1 < p < 2`, the loss is

    `m^(2 - p) / (2 - p) + y m^(1 - p) / (p - 1) - y^(2 - p) / ((p - 1) (2 - p))`,

    which is 0 where `m = y` and above 0 elsewhere. Up to a factor and terms without z, it is the negative
    log-likelihood of a distribution with a mass at 0 and a density above 0, whose variance is proportional to `m^p`.
    Its gradient in z, `m^(1 - p) (m - y)`, is 0 where m is the mean of y. The loss of amounts in another unit,
    `c y` and `c m`, is `c^(2 - p)` times as large.

    The two exponentials continue as their tangents where their exponent is above `MAX_EXPONENT`. Value and gradient are
    finite for `|z| <= 1e9` and `y <= 1e20`, and the loss is convex in z.

    Args:
        labels: Values y >= 0, `(batch,)`.
        logits: Logarithms z of the means, `(batch,)`.
        power: Power p, above 1 and below 2.

    Returns:
        `(batch,)` float32 losses.

    Raises:
        ValueError: If the power is not above 1 and below 2.

    Example:
        >>> import numpy as np
        >>> from tfmtl.losses import tweedie
        >>> np.asarray(tweedie(labels=[0.0, 4.0, 4.0], logits=[0.0, 0.0, np.log(4.0)])).round(4)
        array([2., 2., 0.], dtype=float32)

    References:
        - [Zhou, Qian and Yang, 2022, Tweedie Gradient Boosting for Extremely Unbalanced Zero-inflated
          Data](https://arxiv.org/abs/1811.10192)
    """
    if not 1 < power < 2:
        raise ValueError(f"`power` should be above 1 and below 2. Received: {power}")
    logits = ops.cast(logits, "float32")
    labels = ops.cast(labels, "float32")
    mean_term = _exponential((2.0 - power) * logits) / (2.0 - power)
    label_term = labels * (_exponential((1.0 - power) * logits) / (power - 1.0))
    constant = ops.power(labels, 2.0 - power) / ((power - 1.0) * (2.0 - power))
    return mean_term + label_term - constant


def mean_value(logits: TensorLike) -> Tensor:
    """Computes the mean of a value, `exp(min(z, MAX_LOG_MEAN))`.

    Args:
        logits: Logarithms z of the means, of any shape.

    Returns:
        Means, float32, of the shape of `logits`.

    Example:
        >>> from tfmtl.losses import mean_value
        >>> float(mean_value(0.0))
        1.0
    """
    return rate(logits, MAX_LOG_MEAN)


def _exponential(exponents: Tensor) -> Tensor:
    """Returns `exp(x)`, above `MAX_EXPONENT` its tangent."""
    return rate(exponents, MAX_EXPONENT) * (1.0 + ops.relu(exponents - MAX_EXPONENT))
