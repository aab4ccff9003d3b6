"""Inverse propensity scoring: the risk over all rows, from those rows whose outcome was observed."""

from typing import Any

from keras import ops

from tfmtl.losses.batch_mean import batch_mean


def inverse_propensity(logits: Any, max_weight: float = 100.0) -> Any:
    """`min(1 / s(z), max_weight) = min(1 + exp(-z), max_weight)`, with value and gradient finite for every finite z.

    Args:
        logits: z, `(batch,)`: of the probability that a row's outcome is observed (the click of its conversion).
        max_weight: upper bound. It bounds the variance of what is weighed, and biases it where the propensity is below
            `1 / max_weight`.

    Returns:
        `(batch,)` float32 in [1, max_weight].
    """
    logits = ops.cast(logits, "float32")
    # The exponent's own bound keeps an infinite slope, times 0, out of the gradient.
    exponent = ops.minimum(-logits, ops.log(ops.cast(max_weight, "float32")))
    return ops.minimum(1.0 + ops.exp(exponent), max_weight)


def inverse_propensity_risk(errors: Any, observed: Any, inverse: Any, sample_weight: Any = None) -> Any:
    """`mean_r(o_r w_r e_r)`: the mean of all rows' errors, in expectation, from those of the observed ones.

    It is unbiased where `w = 1 / P(o = 1 | x)`. The mean is over *all* rows, observed or not, as in the paper: its sum
    of weights is that number in expectation only, which makes it noisier than a mean over weights, and unbiased.

    Args:
        errors: e, `(batch,)` losses; those of rows that are not observed do not count.
        observed: o, `(batch,)`, 0 or 1.
        inverse: w, `(batch,)`, see `inverse_propensity`.
        sample_weight: `(batch,)`; all rows weigh 1 without it.

    Returns:
        A float32 scalar, 0 where no row is observed.

    Example:
        >>> float(inverse_propensity_risk([0.5, 3.0], [1.0, 0.0], [4.0, 2.0]))
        1.0

    References:
        - [Wang et al., 2022, ESCM^2: Entire Space Counterfactual Multi-Task Model](https://arxiv.org/abs/2204.05125),
          the IPS regularizer
    """
    errors, observed, inverse = (ops.cast(values, "float32") for values in (errors, observed, inverse))
    return batch_mean(observed * inverse * errors, sample_weight)
