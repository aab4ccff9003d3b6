"""Logits of the joint probabilities of a chain of events, and logarithms of the expected value at its end."""

import functools
from collections.abc import Collection, Mapping

from keras import ops

from tfmtl.types import Logits, Tensor, TensorLike


def product_logit(previous: TensorLike, conditional: TensorLike) -> Tensor:
    """Computes the logit of the product of two probabilities from their logits.

    With s the sigmoid and P = s(a) s(b), the logit is `log P - log(1 - P) = -log(exp(-a) + exp(-b) + exp(-a - b))`. It
    is computed without P, so that value and gradient are finite and exact for all finite logits. The
    `binary_cross_entropy` of the result is the cross-entropy of the product.

    Args:
        previous: Logit a of P(y=1 | x), `(batch,)`.
        conditional: Logit b of P(z=1 | y=1, x), `(batch,)`.

    Returns:
        The logit of P(y=1, z=1 | x), `(batch,)` float32.

    Example:
        >>> from tfmtl.losses import product_logit
        >>> logit = product_logit(0.0, 0.0)  # P = 1/2 * 1/2, so the logit is log(1/3).
        >>> round(float(logit), 4)
        -1.0986
    """
    a, b = (ops.cast(logit, "float32") for logit in (previous, conditional))
    return -_log_sum_exp(-a, -b, -a - b)


def _log_sum_exp(*terms: Tensor) -> Tensor:
    """Computes `log(sum_i exp(x_i))` elementwise, with exact gradients on all backends.

    PyTorch's own gradient is `exp(x_i - log(sum))`, which amplifies the rounding error of the logarithm for large x.
    """
    largest = ops.stop_gradient(functools.reduce(ops.maximum, terms))
    largest = ops.where(ops.isfinite(largest), largest, 0.0)
    return ops.log(sum(ops.exp(term - largest) for term in terms)) + largest


def entire_logits(follows: Mapping[str, str], logits: Logits, values: Collection[str] = ()) -> dict[str, Tensor]:
    """Computes the logit of each task on the entire space from the conditional logits along its chain.

    The probability of a task on the entire space is the product of the conditional probabilities of the task and of
    all tasks before it in its chain, see `product_logit`. The expected value `E[v]` of a value that follows an event
    with the logit a is `sigmoid(a) exp(z)`, whose logarithm is `z + log sigmoid(a)`.

    Args:
        follows: Name of the previous task of each task that follows one.
        logits: Logits by task, each `(batch,)` and listed after the previous task: the logit of
            P(label = 1 | previous label = 1, x) for a task that follows one, or the logarithm z of its conditional
            mean if it is a value. The logits of other tasks, counts included, are returned unchanged.
        values: Names of the tasks that are values.

    Returns:
        Logits by task, each `(batch,)`, in the order of `logits`; logarithms of the means of values.

    Example:
        >>> from tfmtl.losses import entire_logits
        >>> logits = entire_logits({"buy": "click"}, {"click": 0.0, "buy": 0.0})
        >>> {task: round(float(logit), 4) for task, logit in logits.items()}
        {'click': 0.0, 'buy': -1.0986}
    """
    entire: dict[str, Tensor] = {}
    for task, logit in logits.items():
        if task not in follows:
            entire[task] = logit
        elif task in values:
            previous = ops.cast(entire[follows[task]], "float32")
            entire[task] = ops.cast(logit, "float32") + ops.log_sigmoid(previous)
        else:
            entire[task] = product_logit(entire[follows[task]], logit)
    return entire
