"""Group AUC (GAUC): the AUC within each group of rows, usually a user's rows, averaged over the groups."""

import dataclasses
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from tfmtl.metrics.columns import as_floats, check_lengths
from tfmtl.types import Config, Tensor, TensorLike

GroupWeight = Literal["impressions", "positives", "equal"]


@dataclasses.dataclass(frozen=True)
class GroupAUC:
    """Sums over groups from which GAUC is computed.

    The sums of parts of a log that share no group can be added, in any order.

    Attributes:
        weighted_sum: Sum over the groups u of weight times AUC, `sum_u w_u AUC_u`.
        weight: Sum of the weights of the groups, `sum_u w_u`.
        groups: Number of groups with rows of both labels. Other groups have no AUC and are not counted.

    Example:
        >>> from tfmtl.metrics import GroupAUC
        >>> total = GroupAUC(weighted_sum=3.0, weight=4.0, groups=2) + GroupAUC(weighted_sum=1.0, weight=4.0, groups=1)
        >>> total.value
        0.5
    """

    weighted_sum: float = 0.0
    weight: float = 0.0
    groups: int = 0

    def __add__(self, other: "GroupAUC") -> "GroupAUC":
        return GroupAUC(self.weighted_sum + other.weighted_sum, self.weight + other.weight, self.groups + other.groups)

    @property
    def value(self) -> float:
        """GAUC, `sum_u w_u AUC_u / sum_u w_u`; NaN if no group has rows of both labels."""
        return self.weighted_sum / self.weight if self.weight else float("nan")


def group_auc(
    labels: TensorLike,
    scores: TensorLike,
    groups: TensorLike,
    weights: TensorLike | None = None,
    group_weight: GroupWeight = "impressions",
) -> GroupAUC:
    """Computes the sums of GAUC over all rows of a log, or over a part of it that contains whole groups.

    A log that does not fit into memory can be divided by a hash of the group; the sums of its parts are then added.

    Args:
        labels: Labels, 0 or 1, `(rows,)`.
        scores: Finite scores of any range, `(rows,)`.
        groups: Group of each row, numbers or strings, `(rows,)`.
        weights: Nonnegative weights of the rows, `(rows,)`; 1 by default. Rows of weight 0 are ignored.
        group_weight: Weight of a group: the weight of its rows ("impressions"), the weight of its positive rows
            ("positives"), or 1 ("equal").

    Returns:
        The sums, whose property `value` is GAUC.

    Raises:
        ValueError: If the lengths differ, a label is neither 0 nor 1, or `group_weight` is unknown.

    Example:
        >>> from tfmtl.metrics import group_auc
        >>> sums = group_auc(labels=[1, 0, 1, 0], scores=[3, 1, 2, 2], groups=["a", "a", "b", "b"])
        >>> sums
        GroupAUC(weighted_sum=3.0, weight=4.0, groups=2)
        >>> sums.value
        0.75
    """
    _check_group_weight(group_weight)
    labels, scores, groups, weights = _columns(labels, scores, groups, weights)
    names, group_index = np.unique(groups, return_inverse=True)
    positives, negatives, tie_group = _ties(labels, scores, group_index, weights)
    count = len(names)
    group_positives = np.bincount(tie_group, positives, count)
    group_negatives = np.bincount(tie_group, negatives, count)
    # Negatives of the same group with a lower score: all negatives before this tie except those of earlier groups.
    earlier_negatives = np.cumsum(group_negatives) - group_negatives
    below = np.cumsum(negatives) - negatives - earlier_negatives[tie_group]
    pairs = group_positives * group_negatives
    concordant = np.bincount(tie_group, positives * (below + negatives / 2), count)
    has_both_classes = pairs > 0
    group_weights = {
        "impressions": group_positives + group_negatives,
        "positives": group_positives,
        "equal": np.ones(count),
    }[group_weight][has_both_classes]
    aucs = concordant[has_both_classes] / pairs[has_both_classes]
    return GroupAUC(float(np.sum(group_weights * aucs)), float(np.sum(group_weights)), int(has_both_classes.sum()))


def gauc(
    labels: TensorLike,
    scores: TensorLike,
    groups: TensorLike,
    weights: TensorLike | None = None,
    group_weight: GroupWeight = "impressions",
) -> float:
    """Computes the exact group AUC (GAUC), `sum_u w_u AUC_u / sum_u w_u`.

    The sums are over the groups u that have rows of both labels. AUC_u is the area under the ROC curve of the group's
    rows, in which a pair of equal scores counts half.

    Args:
        labels: Labels, 0 or 1, `(rows,)`.
        scores: Finite scores of any range, `(rows,)`.
        groups: Group of each row, numbers or strings, `(rows,)`.
        weights: Nonnegative weights of the rows, `(rows,)`; 1 by default. Rows of weight 0 are ignored, so the label of
            the previous task as a weight gives GAUC on the conditional space.
        group_weight: Weight w_u of a group: the weight of its rows ("impressions"), the weight of its positive rows
            ("positives"), or 1 ("equal", as reported by AdaFTR).

    Returns:
        GAUC; NaN if no group has rows of both labels.

    Raises:
        ValueError: If the lengths differ, a label is neither 0 nor 1, or `group_weight` is unknown.

    Example:
        >>> from tfmtl.metrics import gauc
        >>> gauc(labels=[1, 0, 1, 0], scores=[3, 1, 2, 2], groups=["a", "a", "b", "b"])
        0.75

    References:
        - [Zhu et al., 2017, Optimized Cost per Click in Taobao Display Advertising]
          (https://arxiv.org/abs/1703.02091)
        - [Lin et al., 2023, Modeling Adaptive Fine-grained Task Relatedness for Joint CTR-CVR Estimation]
          (https://arxiv.org/abs/2208.13442), equation 15
    """
    return group_auc(labels, scores, groups, weights, group_weight).value


def _check_group_weight(group_weight: str) -> None:
    if group_weight not in ("impressions", "positives", "equal"):
        raise ValueError(f"`group_weight` should be impressions, positives or equal. Received: {group_weight!r}")


def _columns(
    labels: TensorLike, scores: TensorLike, groups: TensorLike, weights: TensorLike | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Returns the columns as arrays, without the rows of weight 0."""
    labels, scores, groups = as_floats(labels), as_floats(scores), np.asarray(groups).ravel()
    weights = np.ones_like(scores) if weights is None else as_floats(weights)
    check_lengths(labels=labels, scores=scores, groups=groups, weights=weights)
    kept = weights > 0
    labels, scores, groups, weights = labels[kept], scores[kept], groups[kept], weights[kept]
    wrong = labels[(labels != 0) & (labels != 1)]
    if wrong.size:
        raise ValueError(f"`labels` should be 0 or 1. Received: {wrong[0]:g}")
    return labels, scores, groups, weights


def _ties(
    labels: np.ndarray, scores: np.ndarray, group_index: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the weights of positives and negatives and the group of each tie, ordered by group and score.

    A tie consists of the rows of a group that have the same score.
    """
    order = np.lexsort((scores, group_index))
    scores, group_index = scores[order], group_index[order]
    first = np.ones(len(scores), dtype=bool)
    first[1:] = (scores[1:] != scores[:-1]) | (group_index[1:] != group_index[:-1])
    tie = np.cumsum(first) - 1
    positives = np.bincount(tie, (weights * labels)[order])
    negatives = np.bincount(tie, (weights * (1 - labels))[order])
    return positives, negatives, group_index[first]


@keras.saving.register_keras_serializable(package="tfmtl")
class GAUC(keras.metrics.Metric):
    """Streaming group AUC (GAUC), updated eagerly.

    The result equals `gauc` of all rows. The rows of a group may be spread over batches, so the metric keeps all rows
    of positive weight: **its state grows with the number of rows**, by about 32 bytes per row with integer groups, and
    by the length of the groups' names with strings. For a log that does not fit into memory, add the sums of
    `group_auc` over parts with separate groups.

    The metric is updated eagerly, for example with the results of `predict_on_batch`. It cannot be passed to
    `model.compile`, which does not pass `groups` to metrics, and cannot be updated inside `tf.function` or `jax.jit`.

    Args:
        group_weight: Weight of a group: the weight of its rows ("impressions"), the weight of its positive rows
            ("positives"), or 1 ("equal").
        name: Name of the metric.
        **kwargs: Arguments of `keras.metrics.Metric`.

    Call arguments:
        y_true: Labels, 0 or 1, `(batch,)`.
        y_pred: Scores of any range, `(batch,)`.
        sample_weight: Nonnegative weights of the rows, `(batch,)`; 1 by default. Rows of weight 0 are ignored.
        groups: Group of each row, numbers or strings, `(batch,)`. Required.

    Returns:
        GAUC, a float32 scalar; NaN if no group has rows of both labels.

    Raises:
        ValueError: If `group_weight` is unknown or, in `update_state`, `groups` is missing, the lengths differ or a
            label is neither 0 nor 1.
        RuntimeError: If `update_state` is called inside `tf.function` or `jax.jit`.

    Example:
        >>> from tfmtl.metrics import GAUC
        >>> metric = GAUC()
        >>> metric.update_state([1, 0], [3.0, 2.0], groups=["a", "b"])
        >>> metric.update_state([0, 1], [1.0, 2.0], groups=["a", "b"])
        >>> float(metric.result())
        0.75

    References:
        - [Zhu et al., 2017, Optimized Cost per Click in Taobao Display Advertising]
          (https://arxiv.org/abs/1703.02091)
    """

    def __init__(self, group_weight: GroupWeight = "impressions", name: str = "gauc", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        _check_group_weight(group_weight)
        self.group_weight = group_weight
        self._batches: list[tuple[np.ndarray, ...]] = []

    def update_state(
        self,
        y_true: TensorLike,
        y_pred: TensorLike,
        sample_weight: TensorLike | None = None,
        groups: TensorLike | None = None,
    ) -> None:
        if groups is None:
            raise ValueError("`groups` should be the group of each row, `(batch,)`. Received: None")
        labels, scores, weights, group_values = (_to_array(one) for one in (y_true, y_pred, sample_weight, groups))
        self._batches.append(_columns(labels, scores, group_values, weights))

    def result(self) -> Tensor:
        value = float("nan")
        if self._batches:
            labels, scores, groups, weights = (np.concatenate(parts) for parts in zip(*self._batches, strict=True))
            value = gauc(labels, scores, groups, weights, self.group_weight)
        return ops.convert_to_tensor(value, "float32")

    def reset_state(self) -> None:
        super().reset_state()
        self._batches.clear()

    def get_config(self) -> Config:
        return {**super().get_config(), "group_weight": self.group_weight}


def _to_array(column: TensorLike | None) -> np.ndarray | None:
    """Returns the values of a column; raises an error for a column of a graph, which has no values yet."""
    if column is None:
        return None
    try:
        # In a TensorFlow graph, a NumPy column would be read once, when the graph is traced: so is this constant.
        ops.convert_to_numpy(ops.convert_to_tensor(0.0))
        return np.asarray(ops.convert_to_numpy(column) if ops.is_tensor(column) else column)
    except (NotImplementedError, TypeError) as error:
        raise RuntimeError(
            "`GAUC.update_state` should be called eagerly, outside of `tf.function` and `jax.jit`. "
            f"Received: {type(column).__name__} without a value"
        ) from error
