"""GAUC of arrays and in batches, against the AUC of each group in a loop over groups."""

import keras
import numpy as np
import pytest

from tests.tfmtl.backends import BACKEND
from tests.tfmtl.losses.gradients import compiled, tensor
from tfmtl.metrics import GAUC, GroupAUC, gauc, group_auc

KINDS = ("impressions", "positives", "equal")


def log(rows, groups, seed, ties=False):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=rows)
    labels = (rng.random(rows) < 1 / (1 + np.exp(1 - scores))).astype("float32")
    return labels, np.round(scores) if ties else scores, rng.integers(0, groups, rows) ** 2 - 50


def pairwise_auc(labels, scores, weights):
    """Computes the share of pairs of a positive and a negative row in which the positive row has the higher score."""
    positive, negative = labels == 1, labels == 0
    pairs = weights[positive][:, None] * weights[negative]
    differences = scores[positive][:, None] - scores[negative]
    return (pairs * ((differences > 0) + (differences == 0) / 2)).sum() / pairs.sum()


def sklearn_auc(labels, scores, weights):
    metrics = pytest.importorskip("sklearn.metrics")
    return metrics.roc_auc_score(labels, scores, sample_weight=weights)


def gauc_by_loop(labels, scores, groups, weights=None, kind="impressions", group_auc=pairwise_auc):
    weights = np.ones(len(labels)) if weights is None else weights
    over, under = 0.0, 0.0
    for group in set(groups.tolist()):
        rows = (groups == group) & (weights > 0)
        if len(set(labels[rows])) < 2:
            continue
        auc = group_auc(labels[rows], scores[rows], weights[rows])
        weight = {"impressions": weights[rows].sum(), "positives": weights[rows] @ labels[rows], "equal": 1.0}[kind]
        over, under = over + weight * auc, under + weight
    return over / under


def test_values_computed_by_hand():
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
@pytest.mark.parametrize("reference", [pairwise_auc, sklearn_auc])
def test_equals_the_loop_over_groups(ties, weighted, kind, reference):
    labels, scores, groups = log(3000, 200, seed=1, ties=ties)
    weights = np.random.default_rng(2).integers(0, 4, 3000).astype("float64") if weighted else None
    expected = gauc_by_loop(labels, scores, groups, weights, kind, reference)
    np.testing.assert_allclose(gauc(labels, scores, groups, weights, kind), expected, rtol=1e-12)


def test_one_group_gives_the_auc():
    labels, scores, groups = log(500, 1, seed=3)
    expected = pairwise_auc(labels, scores, np.ones(500))
    np.testing.assert_allclose(gauc(labels, scores, groups), expected, rtol=1e-12)


def test_strings_as_groups_and_order_of_rows():
    labels, scores, groups = log(800, 30, seed=4, ties=True)
    expected = gauc(labels, scores, groups)
    names = np.array([f"user {group}" for group in groups])
    shuffled = np.random.default_rng(5).permutation(800)
    for typed in (names, names.astype(object), names.astype("S")):
        np.testing.assert_allclose(gauc(labels[shuffled], scores[shuffled], typed[shuffled]), expected, rtol=1e-12)


def test_weights_select_the_conditional_space():
    labels, scores, groups = log(2000, 50, seed=6)
    clicked = np.random.default_rng(7).random(2000) < 0.3
    expected = gauc_by_loop(labels[clicked], scores[clicked], groups[clicked])
    known = np.where(clicked, labels, np.nan)
    np.testing.assert_allclose(gauc(known, scores, groups, clicked), expected, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_sums_of_parts_with_whole_groups_add_up(kind):
    labels, scores, groups = log(2000, 70, seed=8)
    parts = [groups // 100 % 3 == remainder for remainder in range(3)]
    assert all(part.any() for part in parts)
    sums = [group_auc(labels[part], scores[part], groups[part], group_weight=kind) for part in parts]
    whole = group_auc(labels, scores, groups, group_weight=kind)
    total = sum(sums, start=GroupAUC())
    assert total.groups == whole.groups == sum(len(set(labels[groups == group])) == 2 for group in set(groups))
    np.testing.assert_allclose([total.weight, total.value], [whole.weight, whole.value], rtol=1e-12)


def test_nan_if_no_group_has_both_labels():
    assert np.isnan(gauc([], [], []))
    assert np.isnan(GroupAUC().value)
    assert np.isnan(gauc([1, 1, 0], [1, 2, 3], [7, 7, 8]))
    assert np.isnan(gauc([1, 0], [1, 2], [7, 7], weights=[0, 0]))
    assert np.isnan(gauc([1, 0], [1, 2], [7, 7], weights=[1, 0]))


def test_extreme_scores():
    assert gauc([0, 1, 0, 1], [-1e30, 1e30, 1e30, -1e30], ["a", "a", "b", "b"]) == 0.5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weighted", [False, True])
def test_batches_give_the_result_of_the_array_function(kind, weighted):
    labels, scores, groups = log(1500, 100, seed=9, ties=True)
    weights = np.random.default_rng(10).integers(0, 3, 1500).astype("float32") if weighted else None
    metric = GAUC(kind)
    for part in np.array_split(np.arange(1500), [1, 17, 700, 700]):
        metric.update_state(labels[part], scores[part], None if weights is None else weights[part], groups[part])
    np.testing.assert_allclose(float(metric.result()), gauc(labels, scores, groups, weights, kind), rtol=1e-6)
    np.testing.assert_allclose(float(metric.result()), gauc_by_loop(labels, scores, groups, weights, kind), rtol=1e-6)
    metric.reset_state()
    assert np.isnan(float(metric.result()))


def test_metric_takes_tensors_columns_and_strings():
    labels, scores, groups = log(300, 20, seed=11)
    names = [f"user {group}" for group in groups]
    metric = GAUC(name="gauc")
    metric(tensor(labels[:100, None]), tensor(scores[:100, None]), groups=names[:100])
    result = metric(labels[100:], scores[100:], tensor(np.ones(200)), groups=np.array(names[100:]))
    np.testing.assert_allclose(float(result), gauc(labels, scores.astype("float32"), names), rtol=1e-6)
    if BACKEND == "tensorflow":
        metric.reset_state()
        metric.update_state(labels, scores, groups=keras.ops.convert_to_tensor(names))
        np.testing.assert_allclose(float(metric.result()), gauc(labels, scores, names), rtol=1e-6)
    metric.reset_state()
    metric.update_state(tensor(labels), tensor(scores), groups=tensor(groups, "int32"))
    np.testing.assert_allclose(float(metric.result()), gauc(labels, scores.astype("float32"), groups), rtol=1e-6)


def test_metric_ignores_rows_of_weight_0():
    metric = GAUC()
    metric.update_state([1, 0, np.nan], [2, 1, np.nan], [1, 1, 0], groups=["a", "a", "a"])
    assert float(metric.result()) == 1


@pytest.mark.skipif(BACKEND == "torch", reason="PyTorch runs eagerly")
def test_metric_rejects_updates_in_compiled_functions():
    metric = GAUC()

    def update(labels, scores):
        metric.update_state(labels, scores, groups=np.array([1, 1]))
        return scores

    with pytest.raises(RuntimeError, match=r"`GAUC.update_state` should be called eagerly, outside of `tf.function`"):
        compiled(update)(tensor([0, 1]), tensor([1, 2]))
    assert np.isnan(float(metric.result()))


@pytest.mark.skipif(BACKEND != "tensorflow", reason="only a TensorFlow graph turns arrays into constants")
def test_metric_rejects_arrays_in_graphs():
    metric = GAUC()

    def update():
        metric.update_state([0, 1], [1, 2], groups=[1, 1])

    with pytest.raises(RuntimeError, match=r"`GAUC.update_state` should be called eagerly, outside of `tf.function`"):
        compiled(update)()


def test_metric_config_round_trip():
    metric = GAUC("positives", name="ctr_gauc")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert isinstance(copy, GAUC)
    assert copy.get_config() == metric.get_config()
    assert (copy.group_weight, copy.name) == ("positives", "ctr_gauc")


def test_rejects_wrong_arguments():
    with pytest.raises(
        ValueError, match=r"labels, scores, groups and weights should have the same length\. Received: 2, 2, 1 and 2"
    ):
        gauc([0, 1], [1, 2], [1])
    with pytest.raises(ValueError, match=r"`labels` should be 0 or 1\. Received: 2"):
        gauc([0, 2], [1, 2], [1, 1])
    with pytest.raises(ValueError, match=r"should be impressions, positives or equal\. Received: 'clicks'"):
        gauc([0, 1], [1, 2], [1, 1], group_weight="clicks")
    with pytest.raises(ValueError, match=r"should be impressions, positives or equal\. Received: 'clicks'"):
        GAUC("clicks")
    with pytest.raises(ValueError, match=r"`groups` should be the group of each row, `\(batch,\)`\. Received: None"):
        GAUC().update_state([0, 1], [1, 2])
    with pytest.raises(ValueError, match=r"labels, scores, groups and weights should have the same length\."):
        GAUC().update_state([0, 1], [1, 2], groups=[1])
