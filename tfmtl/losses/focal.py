"""Focal loss: cross-entropy in which rows that are already predicted well count less."""

from typing import Any

from keras import ops


def focal_cross_entropy(labels: Any, logits: Any, gamma: float) -> Any:
    """`-y s(-z)^gamma log s(z) - (1 - y) s(z)^gamma log s(-z)`, s the sigmoid; the cross-entropy where gamma is 0.

    The factor is `(1 - p_t)^gamma` with p_t the probability of the label, taken as `exp(-gamma log(1 + exp(z)))` so
    that value and gradient are finite for every finite z.

    Args:
        labels: y in [0, 1], `(batch,)`.
        logits: z, `(batch,)`.
        gamma: at least 0.

    Returns:
        `(batch,)` losses, in nats.

    References:
        - [Lin et al., 2017, Focal Loss for Dense Object Detection](https://arxiv.org/abs/1708.02002), equation 4
    """
    logits = ops.cast(logits, "float32")
    labels = ops.cast(labels, "float32")
    minus_log_p, minus_log_not_p = ops.softplus(-logits), ops.softplus(logits)
    positive = ops.exp(-gamma * minus_log_not_p) * minus_log_p
    negative = ops.exp(-gamma * minus_log_p) * minus_log_not_p
    return labels * positive + (1.0 - labels) * negative
