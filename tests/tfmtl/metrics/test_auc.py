"""AUC: exact, and streaming on logits; scikit-learn is the other route."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import roc_auc_score

from tfmtl.metrics import LogitAUC, roc_auc


def rows(count, probability, seed, spread=1.5):
    """Logits about that of `probability`, and labels drawn from them."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(np.log(probability / (1 - probability)), spread, count).astype("float32")
    labels = (rng.random(count) < 1 / (1 + np.exp(-logits))).astype("float32")
    return labels, logits


def test_roc_auc_by_hand():
    assert roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) == 0.75
    assert roc_auc([0, 1], [0.5, 0.5]) == 0.5
    assert roc_auc([1, 0], [1, 2]) == 0
    assert roc_auc([0, 0, 1], [1, 3, 2], weights=[3, 1, 5]) == 0.75


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_roc_auc_is_that_of_sklearn(ties, weighted):
    labels, scores = rows(3000, 0.2, seed=1)
    scores = np.round(scores) if ties else scores
    weights = np.random.default_rng(2).integers(0, 4, 3000).astype("float64") if weighted else None
    expected = roc_auc_score(labels, scores, sample_weight=weights)
    np.testing.assert_allclose(roc_auc(labels, scores, weights), expected, rtol=1e-12)


def test_roc_auc_needs_no_range():
    labels, scores = rows(500, 0.3, seed=3)
    np.testing.assert_allclose(roc_auc(labels, 1e20 * scores), roc_auc_score(labels, scores), rtol=1e-12)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_only(label):
    assert np.isnan(roc_auc([label] * 3, [1, 2, 3]))
    metric = LogitAUC()
    metric.update_state(np.full(3, label), [1.0, 2.0, 3.0])
    assert np.isnan(metric.result())


def test_no_rows():
    assert np.isnan(roc_auc([], []))
    assert np.isnan(LogitAUC().result())


def test_roc_auc_lengths():
    with pytest.raises(ValueError, match=r"should be of one length\. Received: 2, 3 and 3"):
        roc_auc([0, 1], [1, 2, 3])
    with pytest.raises(ValueError, match=r"should be of one length\. Received: 2, 2 and 1"):
        roc_auc([0, 1], [1, 2], [1])


@pytest.mark.parametrize("probability", [0.5, 0.05, 0.001])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_logit_auc_is_that_of_sklearn(probability, seed):
    labels, logits = rows(20_000, probability, seed)
    metric = LogitAUC()
    metric.update_state(labels, logits)
    np.testing.assert_allclose(metric.result(), roc_auc_score(labels, logits), atol=2e-4)


def test_streaming_is_one_batch():
    labels, logits = rows(4000, 0.1, seed=4)
    weights = np.random.default_rng(5).integers(0, 3, 4000).astype("float32")
    whole, parts = LogitAUC(), LogitAUC()
    whole.update_state(labels, logits, weights)
    for part in np.array_split(np.arange(4000), [1, 17, 1000, 1000, 3999]):
        parts.update_state(labels[part], logits[part], weights[part])
    assert float(parts.result()) == float(whole.result())


def test_weights_select_a_space():
    labels, logits = rows(20_000, 0.2, seed=6)
    clicked = np.random.default_rng(7).random(20_000) < 0.4
    metric = LogitAUC()
    metric.update_state(labels, logits, clicked)
    np.testing.assert_allclose(metric.result(), roc_auc_score(labels[clicked], logits[clicked]), atol=2e-4)


def test_fractional_weights():
    labels, logits = rows(20_000, 0.2, seed=8)
    weights = np.random.default_rng(9).random(20_000).astype("float32")
    metric = LogitAUC()
    metric.update_state(labels, logits, weights)
    np.testing.assert_allclose(metric.result(), roc_auc_score(labels, logits, sample_weight=weights), atol=2e-4)


def test_logits_beyond_the_limit_tie():
    metric = LogitAUC(bins=64, limit=4.0)
    logits = np.array([-1e9, -5, 4, 1e9], "float32")
    metric.update_state([0, 1, 0, 1], logits)
    expected = roc_auc_score([0, 1, 0, 1], np.clip(logits, -4, 4 - 0.1))
    np.testing.assert_allclose(metric.result(), expected, atol=1e-6)


def test_reset():
    metric = LogitAUC()
    metric.update_state([0, 1], [1.0, -1.0])
    assert float(metric.result()) == 0
    metric.reset_state()
    assert np.isnan(metric.result())
    metric.update_state([0, 1], [-1.0, 1.0])
    assert float(metric.result()) == 1


def test_in_a_graph():
    labels, logits = rows(1000, 0.3, seed=10)
    eager, traced = LogitAUC(), LogitAUC()
    eager.update_state(labels, logits)
    tf.function(traced.update_state)(tf.constant(labels), tf.constant(logits))
    assert float(tf.function(traced.result)()) == float(eager.result())


def test_config_round_trip():
    metric = LogitAUC(bins=128, limit=7.0, name="cvr_auc")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert isinstance(copy, LogitAUC)
    assert (copy.bins, copy.limit, copy.name) == (128, 7.0, "cvr_auc")
    assert copy.get_config() == metric.get_config()


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"`bins` should be at least 2\. Received: 1"):
        LogitAUC(bins=1)
    with pytest.raises(ValueError, match=r"`limit` should be above 0\. Received: 0"):
        LogitAUC(limit=0.0)
