"""Focal loss: a cross-entropy that gives well-predicted rows less weight."""

from keras import ops

from tfmtl.types import Tensor, TensorLike


def focal_cross_entropy(labels: TensorLike, logits: TensorLike, gamma: float) -> Tensor:
    """Computes the focal cross-entropy of binary labels.

    The loss is `-y s(-z)^gamma log s(z) - (1 - y) s(z)^gamma log s(-z)` with s the sigmoid; with `gamma=0` it is the
    cross-entropy. The factor is `(1 - p)^gamma` with p the predicted probability of the label. It is computed as
    `exp(-gamma log(1 + exp(z)))`, so that value and gradient are finite for every finite z.

    Args:
        labels: Labels y in [0, 1], `(batch,)`.
        logits: Logits z, `(batch,)`.
        gamma: Focusing parameter, at least 0; a larger value gives well-predicted rows less weight.

    Returns:
        `(batch,)` float32 losses, in nats.

    Example:
        >>> import numpy as np
        >>> from tfmtl.losses import focal_cross_entropy
        >>> losses = focal_cross_entropy(labels=[1.0, 1.0], logits=[0.0, 1.0], gamma=2.0)
        >>> np.asarray(losses).round(4)  # The cross-entropies are 0.6931 and 0.3133.
        array([0.1733, 0.0227], dtype=float32)

    References:
        - [Lin et al., 2017, Focal Loss for Dense Object Detection](https://arxiv.org/abs/1708.02002), equation 4
    """
    logits = ops.cast(logits, "float32")
    labels = ops.cast(labels, "float32")
    positive_entropy, negative_entropy = ops.softplus(-logits), ops.softplus(logits)
    positive = ops.exp(-gamma * negative_entropy) * positive_entropy
    negative = ops.exp(-gamma * positive_entropy) * negative_entropy
    return labels * positive + (1.0 - labels) * negative
