"""Importance weights that turn a mean over the conditional space into a mean over the entire space."""

from keras import ops

from tfmtl.types import Tensor, TensorLike

_SMALLEST_DIVISOR = 1e-7


def label_importance(
    labels: TensorLike, previous: TensorLike, current: TensorLike, max_weight: float = 100.0
) -> Tensor:
    """Computes the importance weight of a label on the conditional space.

    The weight of a row with previous label t' = 1 is `P(t|x) / P(t, t'=1|x) = 1 / P(t'=1|x, t)` (Theorem 2.1 of APEM).
    With f' = P(t'=1|x), f = P(t=1|x) and a label t that cannot be 1 unless t' is, it is 1 for t = 1 and
    `(1 - f) / (f' - f)` for t = 0: the negative rows of the conditional space also represent all rows with t' = 0. The
    mean over the conditional space of a loss, multiplied by `P(t'=1)` and this weight, is in expectation the mean over
    the entire space.

    The probabilities f' and f are a model's estimates, and no gradient flows through them. The upper bound limits the
    variance of the mean and biases it where f is close to f'.

    Args:
        labels: Labels t, 0 or 1, `(batch,)`.
        previous: Predicted probabilities f' of the previous task, `(batch,)`.
        current: Predicted probabilities f of the task on the entire space, `(batch,)`.
        max_weight: Upper bound of the weights.

    Returns:
        `(batch,)` float32 in [1, max_weight].

    Example:
        >>> import numpy as np
        >>> from tfmtl.losses import label_importance
        >>> weights = label_importance(labels=[0.0, 1.0], previous=[0.5, 0.5], current=[0.1, 0.1])
        >>> np.asarray(weights).round(4)
        array([2.25, 1.  ], dtype=float32)

    References:
        - [Tao et al., 2023, Adaptive Pattern Extraction Multi-Task Learning for Multi-Step Conversion Estimations]
          (https://arxiv.org/abs/2301.02494), Theorem 2.1
    """
    labels, previous, current = _to_constants(labels, previous, current)
    return _bounded_weights(labels, (1.0 - current) / ops.maximum(previous - current, _SMALLEST_DIVISOR), max_weight)


def difference_importance(
    labels: TensorLike, previous: TensorLike, current: TensorLike, max_weight: float = 100.0
) -> Tensor:
    """Computes the importance weight of the difference between two labels on the conditional space.

    The weight of a row with previous label t' = 1 is `P(t'-t|x) / P(t'-t, t'=1|x) = 1 / P(t'=1|x, t'-t)` (Theorem 3.1
    of APEM). It is 1 for t = 0, because t' - t = 1 implies t' = 1. For t = 1 it is `(1 - (f' - f)) / f`, because
    t' - t = 0 also holds for all rows with t' = 0.

    The probabilities f' and f are a model's estimates, and no gradient flows through them. The upper bound limits the
    variance of the mean and biases it where f is close to 0.

    Args:
        labels: Labels t, 0 or 1, `(batch,)`.
        previous: Predicted probabilities f' of the previous task, `(batch,)`.
        current: Predicted probabilities f of the task on the entire space, `(batch,)`.
        max_weight: Upper bound of the weights.

    Returns:
        `(batch,)` float32 in [1, max_weight].

    Example:
        >>> import numpy as np
        >>> from tfmtl.losses import difference_importance
        >>> weights = difference_importance(labels=[0.0, 1.0], previous=[0.5, 0.5], current=[0.1, 0.1])
        >>> np.asarray(weights).round(4)
        array([1., 6.], dtype=float32)

    References:
        - [Tao et al., 2023, Adaptive Pattern Extraction Multi-Task Learning for Multi-Step Conversion Estimations]
          (https://arxiv.org/abs/2301.02494), Theorem 3.1
    """
    labels, previous, current = _to_constants(labels, previous, current)
    ratios = (1.0 - previous + current) / ops.maximum(current, _SMALLEST_DIVISOR)
    return _bounded_weights(1.0 - labels, ratios, max_weight)


def _to_constants(*values: TensorLike) -> list[Tensor]:
    return [ops.stop_gradient(ops.cast(value, "float32")) for value in values]


def _bounded_weights(certain: Tensor, ratios: Tensor, max_weight: float) -> Tensor:
    """Returns 1 where `certain` is 1, as the previous event must have happened, and the bounded ratio elsewhere."""
    return certain + (1.0 - certain) * ops.clip(ratios, 1.0, max_weight)
