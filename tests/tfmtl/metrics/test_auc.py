"""AUC of arrays and of logits in batches, against scikit-learn and against a search in sorted scores."""

import keras
import numpy as np
import pytest

from tests.tfmtl.backends import to_numpy
from tests.tfmtl.losses.gradients import compiled, tensor
from tfmtl.metrics import LogitAUC, roc_auc


def sklearn_auc(labels, scores, weights=None):
    metrics = pytest.importorskip("sklearn.metrics")
    return metrics.roc_auc_score(labels, scores, sample_weight=weights)


def searched_auc(labels, scores, weights=None):
    """Counts the negatives below and at the score of each positive row."""
    weights = np.ones(len(labels)) if weights is None else np.asarray(weights, "float64")
    labels, scores = np.asarray(labels), np.asarray(scores, "float64")
    order = np.argsort(scores[labels == 0])
    negatives = scores[labels == 0][order]
    mass = np.concatenate([[0.0], np.cumsum(weights[labels == 0][order])])
    below, up_to = (mass[np.searchsorted(negatives, scores[labels == 1], side)] for side in ("left", "right"))
    return weights[labels == 1] @ (below + up_to) / 2 / (weights[labels == 1].sum() * mass[-1])


def rows(count, probability, seed, spread=1.5):
    """Returns logits around that of `probability`, and labels drawn from them."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(np.log(probability / (1 - probability)), spread, count).astype("float32")
    labels = (rng.random(count) < 1 / (1 + np.exp(-logits))).astype("float32")
    return labels, logits


def test_roc_auc_computed_by_hand():
    assert roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) == 0.75
    assert roc_auc([0, 1], [0.5, 0.5]) == 0.5
    assert roc_auc([1, 0], [1, 2]) == 0
    assert roc_auc([0, 0, 1], [1, 3, 2], weights=[3, 1, 5]) == 0.75


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reference", [searched_auc, sklearn_auc])
def test_roc_auc_equals_reference(ties, weighted, reference):
    labels, scores = rows(3000, 0.2, seed=1)
    scores = np.round(scores) if ties else scores
    weights = np.random.default_rng(2).integers(0, 4, 3000).astype("float64") if weighted else None
    np.testing.assert_allclose(roc_auc(labels, scores, weights), reference(labels, scores, weights), rtol=1e-12)


@pytest.mark.parametrize("reference", [searched_auc, sklearn_auc])
def test_roc_auc_of_scores_of_any_range(reference):
    labels, scores = rows(500, 0.3, seed=3)
    np.testing.assert_allclose(roc_auc(labels, 1e20 * scores), reference(labels, scores), rtol=1e-12)


def test_roc_auc_ignores_rows_of_weight_0():
    assert roc_auc([0, 0, 1, 1, np.nan], [0.1, 0.4, 0.35, 0.8, np.nan], weights=[1, 1, 1, 1, 0]) == 0.75


@pytest.mark.parametrize("label", [0, 1])
def test_nan_if_all_labels_are_equal(label):
    assert np.isnan(roc_auc([label] * 3, [1, 2, 3]))
    metric = LogitAUC()
    metric.update_state(np.full(3, label), [1.0, 2.0, 3.0])
    assert np.isnan(float(metric.result()))


def test_nan_without_rows():
    assert np.isnan(roc_auc([], []))
    assert np.isnan(float(LogitAUC().result()))


def test_roc_auc_rejects_different_lengths():
    with pytest.raises(ValueError, match=r"^labels and scores should have the same length\. Received: 2 and 3$"):
        roc_auc([0, 1], [1, 2, 3])
    message = r"^labels, scores and weights should have the same length\. Received: 2, 2 and 1$"
    with pytest.raises(ValueError, match=message):
        roc_auc([0, 1], [1, 2], [1])


@pytest.mark.parametrize("probability", [0.5, 0.05, 0.001])
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("reference", [searched_auc, sklearn_auc])
def test_logit_auc_is_close_to_the_exact_auc(probability, seed, reference):
    labels, logits = rows(20_000, probability, seed)
    metric = LogitAUC()
    metric.update_state(labels, logits)
    np.testing.assert_allclose(float(metric.result()), reference(labels, logits), atol=2e-4)


@pytest.mark.parametrize("probability", [0.5, 0.001])
def test_logit_auc_is_exact_for_logits_in_the_middle_of_bins(probability):
    """The bins are as exact as float64 to 1e-6, also on a backend without float64."""
    labels, logits = rows(100_000, probability, seed=11)
    middles = (np.floor(np.clip(logits, -15, 15) * 256) + 0.5) / 256
    metric = LogitAUC()
    metric.update_state(labels, middles.astype("float32"))
    np.testing.assert_allclose(float(metric.result()), searched_auc(labels, middles), atol=1e-6)


def test_batches_give_the_result_of_all_rows():
    labels, logits = rows(4000, 0.1, seed=4)
    weights = np.random.default_rng(5).integers(0, 3, 4000).astype("float32")
    whole, parts = LogitAUC(), LogitAUC()
    whole.update_state(labels, logits, weights)
    for part in np.array_split(np.arange(4000), [1, 17, 1000, 1000, 3999]):
        parts.update_state(labels[part], logits[part], weights[part])
    assert float(parts.result()) == float(whole.result())


def test_weights_select_the_conditional_space():
    labels, logits = rows(20_000, 0.2, seed=6)
    clicked = np.random.default_rng(7).random(20_000) < 0.4
    metric = LogitAUC()
    metric.update_state(np.where(clicked, labels, np.nan), logits, clicked)
    np.testing.assert_allclose(float(metric.result()), searched_auc(labels[clicked], logits[clicked]), atol=2e-4)


def test_fractional_weights():
    labels, logits = rows(20_000, 0.2, seed=8)
    weights = np.random.default_rng(9).random(20_000).astype("float32")
    metric = LogitAUC()
    metric.update_state(labels, logits, weights)
    np.testing.assert_allclose(float(metric.result()), searched_auc(labels, logits, weights), atol=2e-4)


def test_logits_beyond_the_limit_are_ties():
    metric = LogitAUC(bins=64, limit=4.0)
    logits = np.array([-1e9, -5, 4, 1e9], "float32")
    metric.update_state([0, 1, 0, 1], logits)
    expected = searched_auc([0, 1, 0, 1], np.clip(logits, -4, 4 - 0.1))
    np.testing.assert_allclose(float(metric.result()), expected, atol=1e-6)


def test_reset():
    metric = LogitAUC()
    metric.update_state([0, 1], [1.0, -1.0])
    assert float(metric.result()) == 0
    metric.reset_state()
    assert np.isnan(float(metric.result()))
    metric.update_state([0, 1], [-1.0, 1.0])
    assert float(metric.result()) == 1


def test_compiled_update_equals_eager_update():
    labels, logits = rows(1000, 0.3, seed=10)
    eager, traced = LogitAUC(), LogitAUC()
    eager.update_state(labels, logits)
    update = compiled(traced.stateless_update_state if keras.backend.backend() == "jax" else traced.update_state)
    if keras.backend.backend() == "jax":
        state = update([variable.value for variable in traced.variables], tensor(labels), tensor(logits))
        assert float(compiled(traced.stateless_result)(state)) == float(eager.result())
    else:
        update(tensor(labels), tensor(logits))
        assert float(compiled(traced.result)()) == float(eager.result())


def test_config_round_trip():
    metric = LogitAUC(bins=128, limit=7.0, name="cvr_auc")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert isinstance(copy, LogitAUC)
    assert (copy.bins, copy.limit, copy.name) == (128, 7.0, "cvr_auc")
    assert copy.get_config() == metric.get_config()


def test_rejects_wrong_arguments():
    with pytest.raises(ValueError, match=r"`bins` should be at least 2\. Received: 1"):
        LogitAUC(bins=1)
    with pytest.raises(ValueError, match=r"`limit` should be above 0\. Received: 0"):
        LogitAUC(limit=0.0)


def test_state_is_two_histograms():
    metric = LogitAUC(bins=4, limit=2.0)
    metric.update_state([0, 1, 1], [-2.0, 0.0, 1.5], [1.0, 2.0, 0.5])
    np.testing.assert_array_equal(to_numpy(metric.negatives.value), [1, 0, 0, 0])
    np.testing.assert_array_equal(to_numpy(metric.positives.value), [0, 0, 2, 0.5])
