"""Importance weights: from rows where the previous event happened to all rows."""

from typing import Any

from keras import ops

_TINY = 1e-7


def label_importance(labels: Any, previous: Any, current: Any, max_weight: float = 100.0) -> Any:
    """`P(t|x) / P(t, t'=1|x) = 1 / P(t'=1|x, t)` of a row on the local space, where t' = 1; Theorem 2.1 of APEM.

    With f' = P(t'=1|x), f = P(t=1|x) and a t that cannot be 1 without t' it is 1 where t = 1 and
    `(1 - f) / (f' - f)` where t = 0: the negative rows of the local space also stand for those that never had t'. A
    mean over local rows, each times `P(t'=1)` and this weight, is in expectation the mean over all rows.

    The densities are not known: f' and f are a model's estimates, through which no gradient flows. The weight is held
    at `max_weight`, which bounds the variance and biases the mean where f comes close to f'.

    Args:
        labels: t, `(batch,)`, 0 or 1.
        previous: f', `(batch,)`, in [0, 1].
        current: f, `(batch,)`, in [0, 1].
        max_weight: upper bound of a weight.

    Returns:
        `(batch,)` float32 in [1, max_weight].
    """
    labels, previous, current = _constants(labels, previous, current)
    return _chosen(labels, (1.0 - current) / ops.maximum(previous - current, _TINY), max_weight)


def difference_importance(labels: Any, previous: Any, current: Any, max_weight: float = 100.0) -> Any:
    """`P(t'-t|x) / P(t'-t, t'=1|x) = 1 / P(t'=1|x, t'-t)` of a row where t' = 1; Theorem 3.1 of APEM.

    It is 1 where t = 0, for then t' - t = 1 and t' had to be 1; where t = 1 it is `(1 - (f' - f)) / f`: t' - t = 0 also
    holds for all rows that never had t'. For the rest see `label_importance`, whose arguments these are.

    Returns:
        `(batch,)` float32 in [1, max_weight].
    """
    labels, previous, current = _constants(labels, previous, current)
    return _chosen(1.0 - labels, (1.0 - previous + current) / ops.maximum(current, _TINY), max_weight)


def _constants(*values: Any) -> list[Any]:
    return [ops.stop_gradient(ops.cast(value, "float32")) for value in values]


def _chosen(certain: Any, ratio: Any, max_weight: float) -> Any:
    """1 where `certain` is 1 (the previous event must have happened), the ratio within its bounds where it is 0."""
    return certain + (1.0 - certain) * ops.clip(ratio, 1.0, max_weight)
