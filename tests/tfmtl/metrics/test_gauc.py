"""GAUC; scikit-learn's AUC in a plain loop over groups is the other route."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tfmtl.metrics import GroupAUC, gauc, group_auc

KINDS = ("impressions", "positives", "equal")


def log(rows, groups, seed, ties=False):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=rows)
    labels = (rng.random(rows) < 1 / (1 + np.exp(1 - scores))).astype("float32")
    return labels, np.round(scores) if ties else scores, rng.integers(0, groups, rows) ** 2 - 50


def by_loop(labels, scores, groups, weights=None, kind="impressions"):
    weights = np.ones(len(labels)) if weights is None else weights
    over, under = 0.0, 0.0
    for group in set(groups.tolist()):
        rows = (groups == group) & (weights > 0)
        if len(set(labels[rows])) < 2:
            continue
        auc = roc_auc_score(labels[rows], scores[rows], sample_weight=weights[rows])
        weight = {"impressions": weights[rows].sum(), "positives": weights[rows] @ labels[rows], "equal": 1.0}[kind]
        over, under = over + weight * auc, under + weight
    return over / under


def test_by_hand():
    labels, scores = [1, 0, 0, 1, 0, 1, 1], [3, 1, 5, 2, 2, 9, 9]
    groups = ["a", "a", "a", "b", "b", "c", "c"]
    assert gauc(labels, scores, groups) == pytest.approx((3 * 0.5 + 2 * 0.5) / 5)
    labels[2] = 1
    assert gauc(labels, scores, groups) == pytest.approx((3 * 1.0 + 2 * 0.5) / 5)
    assert gauc(labels, scores, groups, group_weight="positives") == pytest.approx((2 * 1.0 + 1 * 0.5) / 3)
    assert gauc(labels, scores, groups, group_weight="equal") == pytest.approx(0.75)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_is_the_loop_over_groups(ties, weighted, kind):
    labels, scores, groups = log(3000, 200, seed=1, ties=ties)
    weights = np.random.default_rng(2).integers(0, 4, 3000).astype("float64") if weighted else None
    expected = by_loop(labels, scores, groups, weights, kind)
    np.testing.assert_allclose(gauc(labels, scores, groups, weights, kind), expected, rtol=1e-12)


def test_one_group_is_the_auc():
    labels, scores, groups = log(500, 1, seed=3)
    np.testing.assert_allclose(gauc(labels, scores, groups), roc_auc_score(labels, scores), rtol=1e-12)


def test_texts_and_order_of_rows():
    labels, scores, groups = log(800, 30, seed=4, ties=True)
    expected = gauc(labels, scores, groups)
    names = np.array([f"user {group}" for group in groups])
    shuffled = np.random.default_rng(5).permutation(800)
    for of_type in (names, names.astype(object), names.astype("S")):
        np.testing.assert_allclose(gauc(labels[shuffled], scores[shuffled], of_type[shuffled]), expected, rtol=1e-12)


def test_weights_select_a_space():
    labels, scores, groups = log(2000, 50, seed=6)
    clicked = np.random.default_rng(7).random(2000) < 0.3
    expected = by_loop(labels[clicked], scores[clicked], groups[clicked])
    np.testing.assert_allclose(gauc(labels, scores, groups, clicked), expected, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_parts_of_whole_groups_add_up(kind):
    labels, scores, groups = log(2000, 70, seed=8)
    parts = [groups // 100 % 3 == remainder for remainder in range(3)]
    assert all(part.any() for part in parts)
    sums = [group_auc(labels[part], scores[part], groups[part], group_weight=kind) for part in parts]
    whole = group_auc(labels, scores, groups, group_weight=kind)
    total = sum(sums, start=GroupAUC())
    assert total.groups == whole.groups == sum(len(set(labels[groups == group])) == 2 for group in set(groups))
    np.testing.assert_allclose([total.weight, total.value], [whole.weight, whole.value], rtol=1e-12)


def test_no_group_counts():
    assert np.isnan(gauc([], [], []))
    assert np.isnan(GroupAUC().value)
    assert np.isnan(gauc([1, 1, 0], [1, 2, 3], [7, 7, 8]))
    assert np.isnan(gauc([1, 0], [1, 2], [7, 7], weights=[0, 0]))
    assert np.isnan(gauc([1, 0], [1, 2], [7, 7], weights=[1, 0]))


def test_extreme_scores():
    assert gauc([0, 1, 0, 1], [-1e30, 1e30, 1e30, -1e30], ["a", "a", "b", "b"]) == 0.5


def test_bad_arguments():
    with pytest.raises(
        ValueError, match=r"labels, scores, groups and weights should be of one length\. Received: 2, 2, 1 and 2"
    ):
        gauc([0, 1], [1, 2], [1])
    with pytest.raises(ValueError, match=r"`labels` should be 0 or 1\. Received: 2"):
        gauc([0, 2], [1, 2], [1, 1])
    with pytest.raises(ValueError, match=r"should be impressions, positives or equal\. Received: 'clicks'"):
        gauc([0, 1], [1, 2], [1, 1], group_weight="clicks")
