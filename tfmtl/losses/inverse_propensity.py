"""Inverse propensity scoring: estimates of the risk over all rows from the observed rows."""

from keras import ops

from tfmtl.losses.batch_mean import batch_mean, mask_values
from tfmtl.types import Tensor, TensorLike


def inverse_propensity(logits: TensorLike, max_weight: float = 100.0) -> Tensor:
    """Computes bounded inverse propensities from the logits of the propensities.

    The result is `min(1 / s(z), max_weight) = min(1 + exp(-z), max_weight)` with s the sigmoid. Value and gradient are
    finite for every finite z.

    Args:
        logits: Logits z of the probability that the outcome of a row is observed, `(batch,)`, for example of the
            click that precedes a conversion.
        max_weight: Upper bound. It limits the variance of a weighted mean and biases it where the propensity is below
            `1 / max_weight`.

    Returns:
        `(batch,)` float32 in [1, max_weight].

    Example:
        >>> import numpy as np
        >>> from tfmtl.losses import inverse_propensity
        >>> np.asarray(inverse_propensity([0.0, -20.0], max_weight=30.0))
        array([ 2., 30.], dtype=float32)
    """
    logits = ops.cast(logits, "float32")
    # The bound on the exponent prevents the product of an infinite derivative and 0 in the gradient.
    max_exponent = ops.log(ops.cast(max_weight, "float32"))
    weights = 1.0 + ops.exp(ops.where(-logits > max_exponent, max_exponent, -logits))
    return ops.where(weights > max_weight, max_weight, weights)


def inverse_propensity_risk(
    errors: TensorLike, observed: TensorLike, inverse: TensorLike, sample_weight: TensorLike | None = None
) -> Tensor:
    """Estimates the mean error of all rows from the errors of the observed rows.

    The estimate is `mean_r(o_r w_r e_r)`, which is unbiased if `w = 1 / P(o = 1 | x)`. As in the paper, the mean is
    over all rows, observed or not. The weights `o w` sum to the number of rows in expectation only, so the estimate is
    unbiased but has a larger variance than a mean that is divided by their sum.

    Args:
        errors: Losses e of the rows, `(batch,)`. The losses of unobserved rows are ignored and may be NaN.
        observed: Indicator o of observed rows, 0 or 1, `(batch,)`.
        inverse: Inverse propensities w, `(batch,)`, see `inverse_propensity`.
        sample_weight: Weights of the rows, `(batch,)`; 1 by default.

    Returns:
        A float32 scalar; 0 if no row is observed.

    Example:
        >>> from tfmtl.losses import inverse_propensity_risk
        >>> float(inverse_propensity_risk(errors=[0.5, 3.0], observed=[1.0, 0.0], inverse=[4.0, 2.0]))
        1.0

    References:
        - [Wang et al., 2022, ESCM^2: Entire Space Counterfactual Multi-Task Model](https://arxiv.org/abs/2204.05125),
          the IPS regularizer
    """
    errors, observed, inverse = (ops.cast(values, "float32") for values in (errors, observed, inverse))
    return batch_mean(observed * inverse * mask_values(errors, observed), sample_weight)
