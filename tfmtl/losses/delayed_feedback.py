"""Losses of binary labels whose event comes late: fake-negative weighting, and a model of the delay."""

from keras import ops

from tfmtl.losses.logit_losses import MAX_LOG_RATE, binary_cross_entropy, rate
from tfmtl.types import Tensor, TensorLike

MIN_DELAY = 1e-5
"""Shortest delay in days, 0.9 seconds. With a delay of 0 the likelihood of a rate would have no maximum."""


def fake_negative_cross_entropy(labels: TensorLike, logits: TensorLike) -> Tensor:
    """Computes the cross-entropy of rows that are first negative, and come again as positive when their event comes.

    On these rows the share of positives is `b = p / (1 + p)`, where p is that of the events. With the weights `p / b`
    of positives and `(1 - p) / (1 - b)` of negatives, the mean loss is that of the true labels, and its minimum is at
    p. With s the sigmoid and p = s(z), through which no gradient flows in the weights, the loss is

    `-y (1 + p) log s(z) - (1 - y) (1 - p) (1 + p) log(1 - s(z))`.

    Args:
        labels: Labels y, 0 on the first occurrence of a row and 1 on the second, `(batch,)`.
        logits: Logits z, `(batch,)`.

    Returns:
        `(batch,)` float32 losses, in nats.

    Example:
        >>> import numpy as np
        >>> from tfmtl.losses import fake_negative_cross_entropy
        >>> losses = fake_negative_cross_entropy(labels=[0.0, 1.0], logits=[0.0, 0.0])
        >>> np.asarray(losses).round(4)  # log 2 times 0.75 and 1.5
        array([0.5199, 1.0397], dtype=float32)

    References:
        - [Ktena et al., 2019, Addressing Delayed Feedback for Continuous Training with Neural Networks in CTR
          Prediction](https://arxiv.org/abs/1907.06558), the fake-negative weighted loss
    """
    labels = ops.cast(labels, "float32")
    constant = ops.stop_gradient(ops.cast(logits, "float32"))
    weights = (1.0 + ops.sigmoid(constant)) * (labels + (1.0 - labels) * ops.sigmoid(-constant))
    return weights * binary_cross_entropy(labels, logits)


def delayed_feedback(
    labels: TensorLike, logits: TensorLike, log_rates: TensorLike, elapsed: TensorLike, pending: TensorLike
) -> Tensor:
    """Computes the negative log-likelihood of an event that comes, if it does, after an exponential delay.

    With the probability p = s(z) of the event, the rate l = exp(r) of the delay, and e the days until the event or,
    without one, until the log ended, the loss is

    - `-log p - log l + l e` after the event,
    - `-log(1 - p + p exp(-l e))` while the event may still come,
    - `-log(1 - p)` when its window has ended without it: p is the probability of an event within the window.

    It is computed from the logits: the second is `log(1 + exp(z)) - log(1 + exp(z - l e))`. The exponential of r
    continues as its tangent above `MAX_LOG_RATE`, and a delay is at least `MIN_DELAY`, so that values and gradients
    stay finite.

    Args:
        labels: Labels y, 1 if the event has come by now, `(batch,)`.
        logits: Logits z of the event, `(batch,)`.
        log_rates: Logarithms r of the rates per day, `(batch,)`.
        elapsed: Days e, `(batch,)`.
        pending: 1 if the event may still come, or could if it had not, `(batch,)`.

    Returns:
        `(batch,)` float32 losses, in nats.

    Example:
        >>> import numpy as np
        >>> from tfmtl.losses import delayed_feedback
        >>> losses = delayed_feedback([1.0, 0.0, 0.0], [0.0] * 3, [0.0] * 3, [2.0, 1.0, 7.0], [0.0, 1.0, 0.0])
        >>> np.asarray(losses).round(4)  # log 2 + 2, -log(1 - 0.5 + 0.5 exp(-1)), log 2
        array([2.6931, 0.3799, 0.6931], dtype=float32)

    References:
        - [Chapelle, 2014, Modeling Delayed Feedback in Display Advertising](https://doi.org/10.1145/2623330.2623634),
          equations 11 and 12
    """
    labels, logits, log_rates, elapsed, pending = (
        ops.cast(values, "float32") for values in (labels, logits, log_rates, elapsed, pending)
    )
    tangent = 1.0 + ops.relu(log_rates - MAX_LOG_RATE)
    passed = ops.maximum(elapsed, MIN_DELAY) * rate(log_rates) * tangent
    positive = ops.softplus(-logits) - log_rates + passed
    negative = ops.softplus(logits) - pending * ops.softplus(logits - passed)
    return labels * positive + (1.0 - labels) * negative
