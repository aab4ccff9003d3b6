"""Likelihood losses of binary and count tasks, per row and on the logit."""

from keras import ops

from tfmtl.backend import is_tensorflow
from tfmtl.types import Tensor, TensorLike

MAX_LOG_RATE = 20.0
"""Log-rate (4.9e8 events) above which the exponential continues as its tangent, so that it does not overflow."""


def binary_cross_entropy(labels: TensorLike, logits: TensorLike) -> Tensor:
    """Computes the cross-entropy of binary labels.

    With s the sigmoid, the loss is `-y log s(z) - (1 - y) log(1 - s(z)) = max(z, 0) - y z + log(1 + exp(-|z|))`, which
    is finite for every finite z. Its gradient is `s(z) - y` everywhere, including z = 0, where the terms of the sum are
    not differentiable.

    Args:
        labels: Labels y in [0, 1], `(batch,)`.
        logits: Logits z, `(batch,)`.

    Returns:
        `(batch,)` float32 losses, in nats.

    Example:
        >>> import numpy as np
        >>> from tfmtl.losses import binary_cross_entropy
        >>> np.asarray(binary_cross_entropy(labels=[1.0, 0.0], logits=[0.0, 2.0])).round(4)
        array([0.6931, 2.1269], dtype=float32)
    """
    logits = ops.cast(logits, "float32")
    labels = ops.cast(labels, "float32")
    if is_tensorflow():
        return ops.binary_crossentropy(labels, logits, from_logits=True)
    # PyTorch's cross-entropy rounds losses below 1e-7 to 0.
    return labels * ops.softplus(-logits) + (1.0 - labels) * ops.softplus(logits)


def poisson(labels: TensorLike, logits: TensorLike) -> Tensor:
    """Computes the negative log-likelihood of counts under a Poisson distribution.

    The loss is `exp(z) - y z`, which leaves out the constant `log y!`. For `z > MAX_LOG_RATE` the exponential continues
    as its tangent, so that value and gradient stay finite and the gradient still reduces z.

    Args:
        labels: Counts y >= 0, `(batch,)`.
        logits: Logarithms z of the rates, `(batch,)`.

    Returns:
        `(batch,)` float32 losses, in nats.

    Example:
        >>> import numpy as np
        >>> from tfmtl.losses import poisson
        >>> np.asarray(poisson(labels=[0.0, 3.0], logits=[0.0, 1.0])).round(4)
        array([ 1.    , -0.2817], dtype=float32)

    References:
        - [Zhang et al., 2022, Leaving No One Behind: A Multi-Scenario Multi-Task Meta Learning Approach for Advertiser
          Modeling](https://doi.org/10.1145/3488560.3498479), equation 19
    """
    logits = ops.cast(logits, "float32")
    labels = ops.cast(labels, "float32")
    excess = ops.relu(logits - MAX_LOG_RATE)
    return rate(logits) * (1.0 + excess) - labels * logits


def rate(logits: TensorLike, largest: float = MAX_LOG_RATE) -> Tensor:
    """Computes the rate of a count, `exp(min(z, largest))`.

    Args:
        logits: Logarithms z of the rates, of any shape.
        largest: Logarithm of the largest rate.

    Returns:
        Rates, float32, of the shape of `logits`.

    Example:
        >>> from tfmtl.losses import rate
        >>> float(rate(0.0))
        1.0
    """
    logits = ops.cast(logits, "float32")
    # At equality, the gradient of `ops.minimum` differs between backends.
    return ops.exp(ops.where(logits > largest, largest, logits))
