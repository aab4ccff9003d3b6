"""The likelihood losses of the two kinds of task, per example, on the logit."""

from typing import Any

from keras import ops

MAX_LOG_RATE = 20.0
"""Above this log-rate (4.9e8 events) the exponential is continued by its tangent, so that nothing overflows."""


def binary_cross_entropy(labels: Any, logits: Any) -> Any:
    """`-y log s(z) - (1 - y) log(1 - s(z)) = max(z, 0) - y z + log(1 + exp(-|z|))`, finite for every finite z.

    The gradient is `s(z) - y` everywhere, also at z = 0, where the terms of the sum have none of their own.

    Args:
        labels: y in [0, 1], `(batch,)`.
        logits: z, `(batch,)`.

    Returns:
        `(batch,)` losses, in nats.
    """
    logits = ops.cast(logits, "float32")
    labels = ops.cast(labels, "float32")
    return ops.binary_crossentropy(labels, logits, from_logits=True)


def poisson(labels: Any, logits: Any) -> Any:
    """`exp(z) - y z`: the negative log-likelihood of a count y at rate `exp(z)`, less the constant `log y!`.

    For `z > MAX_LOG_RATE` the exponential goes on as its tangent: value and gradient stay finite and z is still
    pulled back.

    Args:
        labels: y >= 0, `(batch,)`.
        logits: z, the logarithm of the rate, `(batch,)`.

    Returns:
        `(batch,)` losses, in nats.

    References:
        - M2M, equation 19
    """
    logits = ops.cast(logits, "float32")
    labels = ops.cast(labels, "float32")
    above = ops.relu(logits - MAX_LOG_RATE)
    return rate(logits) * (1.0 + above) - labels * logits


def rate(logits: Any) -> Any:
    """The rate of a count: `exp(min(z, MAX_LOG_RATE))`."""
    return ops.exp(ops.minimum(ops.cast(logits, "float32"), MAX_LOG_RATE))


BY_KIND = {"binary": binary_cross_entropy, "count": poisson}
"""The loss of a task by its kind (`tfmtl.spec.Task.kind`)."""
