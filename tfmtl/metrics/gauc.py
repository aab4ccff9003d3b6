"""GAUC: the AUC within a group of rows, usually those of a user, averaged over groups."""

import dataclasses
from typing import Any, Literal

import numpy as np

from tfmtl.metrics.columns import as_floats, check_lengths

GroupWeight = Literal["impressions", "positives", "equal"]


@dataclasses.dataclass(frozen=True)
class GroupAUC:
    """Sums over groups, from which GAUC follows. Those of parts that share no group add up, in any order.

    Attributes:
        weighted_sum: `sum_u w_u AUC_u`.
        weight: `sum_u w_u`.
        groups: how many groups count; one whose rows all have the same label has no AUC and does not.
    """

    weighted_sum: float = 0.0
    weight: float = 0.0
    groups: int = 0

    def __add__(self, other: "GroupAUC") -> "GroupAUC":
        return GroupAUC(self.weighted_sum + other.weighted_sum, self.weight + other.weight, self.groups + other.groups)

    @property
    def value(self) -> float:
        """GAUC; NaN where no group counts."""
        return self.weighted_sum / self.weight if self.weight else float("nan")


def group_auc(
    labels: Any, scores: Any, groups: Any, weights: Any = None, group_weight: GroupWeight = "impressions"
) -> GroupAUC:
    """The sums of GAUC over some rows: all of them, or a part that holds whole groups.

    A log too large for memory is divided by a hash of the group, and the sums of its parts are added.

    Args: as for `gauc`.
    """
    labels, scores, groups, weights = _columns(labels, scores, groups, weights)
    if group_weight not in ("impressions", "positives", "equal"):
        raise ValueError(f"`group_weight` should be impressions, positives or equal. Received: {group_weight!r}")
    kept = weights > 0
    names, group = np.unique(groups[kept], return_inverse=True)
    positives, negatives, ties_of = _ties(labels[kept], scores[kept], group, weights[kept])
    count = len(names)
    of_positives = np.bincount(ties_of, positives, count)
    of_negatives = np.bincount(ties_of, negatives, count)
    # Negatives in the same group with a lower score: those before this tie, less those before its group.
    before_group = np.cumsum(of_negatives) - of_negatives
    below = np.cumsum(negatives) - negatives - before_group[ties_of]
    pairs = of_positives * of_negatives
    ranked = np.bincount(ties_of, positives * (below + negatives / 2), count)
    both = pairs > 0
    by_weight = {"impressions": of_positives + of_negatives, "positives": of_positives, "equal": np.ones(count)}
    of_groups = by_weight[group_weight][both]
    aucs = ranked[both] / pairs[both]
    return GroupAUC(float(np.sum(of_groups * aucs)), float(np.sum(of_groups)), int(both.sum()))


def gauc(
    labels: Any, scores: Any, groups: Any, weights: Any = None, group_weight: GroupWeight = "impressions"
) -> float:
    """`sum_u w_u AUC_u / sum_u w_u` over the groups u that have rows of both labels; exact, ties counted half.

    Args:
        labels: 0 or 1, `(rows,)`.
        scores: any finite numbers, `(rows,)`.
        groups: what tells groups apart: numbers or texts, `(rows,)`.
        weights: of rows, not negative, `(rows,)`; 1 by default. A space is a weight: the previous task's label.
        group_weight: w_u: the weight of a group's rows (`impressions`), of its positive ones (`positives`: clicks),
            or 1 (`equal`, as AdaFTR reports it).

    Returns:
        GAUC; NaN where no group has both labels.

    Raises:
        ValueError: if the lengths differ, or a label is neither 0 nor 1.

    References:
        - [Zhu et al., 2017, Optimized Cost per Click in Taobao Display Advertising]
          (https://arxiv.org/abs/1703.02091)
        - AdaFTR, equation 15
    """
    return group_auc(labels, scores, groups, weights, group_weight).value


def _columns(labels: Any, scores: Any, groups: Any, weights: Any) -> tuple[np.ndarray, ...]:
    labels, scores, groups = as_floats(labels), as_floats(scores), np.asarray(groups).ravel()
    weights = np.ones_like(scores) if weights is None else as_floats(weights)
    check_lengths(labels=labels, scores=scores, groups=groups, weights=weights)
    wrong = labels[(labels != 0) & (labels != 1)]
    if wrong.size:
        raise ValueError(f"`labels` should be 0 or 1. Received: {wrong[0]:g}")
    return labels, scores, groups, weights


def _ties(labels: np.ndarray, scores: np.ndarray, group: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, ...]:
    """The weights of positives and negatives, and the group, of each score of each group, in this order."""
    order = np.lexsort((scores, group))
    scores, group = scores[order], group[order]
    first = np.ones(len(scores), dtype=bool)
    first[1:] = (scores[1:] != scores[:-1]) | (group[1:] != group[:-1])
    tie = np.cumsum(first) - 1
    positives = np.bincount(tie, (weights * labels)[order])
    negatives = np.bincount(tie, (weights * (1 - labels))[order])
    return positives, negatives, group[first]
