"""Normalized Gini coefficient of arrays and in batches, against the Lorenz curve of all permuted ties."""

import itertools

import keras
import numpy as np
import pytest

from tests.tfmtl.backends import to_numpy
from tfmtl.metrics import NormalizedGini, normalized_gini, roc_auc


def lorenz(labels, order, weights):
    """Returns the Gini coefficient of the labels in an order: twice the area between Lorenz curve and diagonal."""
    mass = np.concatenate([[0], np.cumsum(weights[order])]) / weights.sum()
    share = np.concatenate([[0], np.cumsum((weights * labels)[order])]) / (weights * labels).sum()
    return 1 - np.sum((share[1:] + share[:-1]) * np.diff(mass))


def brute_force(labels, scores, weights=None):
    """Returns the mean over all orders of rows with equal scores, of the labels' own order too."""
    labels, scores = np.asarray(labels, float), np.asarray(scores, float)
    weights = np.ones(len(labels)) if weights is None else np.asarray(weights, float)

    def mean(values):
        orders = [
            order
            for order in itertools.permutations(range(len(values)))
            if all(values[a] <= values[b] for a, b in itertools.pairwise(order))
        ]
        return np.mean([lorenz(labels, np.array(order), weights) for order in orders])

    return mean(scores) / mean(labels)


def draw(rows, seed, zeros=0.6):
    rng = np.random.default_rng(seed)
    mean = rng.lognormal(2, 1, rows)
    labels = np.where(rng.random(rows) < zeros, 0, mean * rng.lognormal(0, 1, rows))
    return labels.astype("float32"), mean.astype("float32")


@pytest.mark.parametrize("seed", range(8))
def test_equals_brute_force_with_ties(seed):
    rng = np.random.default_rng(seed)
    labels, scores = rng.integers(0, 4, 6), rng.integers(0, 3, 6)
    labels[0] = 5
    assert normalized_gini(labels, scores) == pytest.approx(brute_force(labels, scores))


@pytest.mark.parametrize("seed", range(4))
def test_weights_are_repeated_rows(seed):
    rng = np.random.default_rng(seed)
    labels, scores, weights = rng.integers(0, 4, 30), rng.integers(0, 9, 30), rng.integers(0, 4, 30)
    repeated = normalized_gini(np.repeat(labels, weights), np.repeat(scores, weights))
    assert normalized_gini(labels, scores, weights) == pytest.approx(repeated)


def test_of_binary_labels_is_that_of_the_auc():
    rng = np.random.default_rng(0)
    labels, scores, weights = rng.integers(0, 2, 500), rng.integers(0, 50, 500), rng.random(500)
    assert normalized_gini(labels, scores, weights) == pytest.approx(2 * roc_auc(labels, scores, weights) - 1)


def test_orders():
    labels, _ = draw(1000, 0, zeros=0)
    assert normalized_gini(labels, np.log(labels)) == pytest.approx(1)
    assert normalized_gini(labels, -labels) == pytest.approx(-1)
    assert normalized_gini(labels, np.ones(1000)) == 0


@pytest.mark.parametrize("labels", [[0, 0, 0], [2, 2, 2], []])
def test_nan_if_all_labels_are_equal(labels):
    assert np.isnan(normalized_gini(labels, np.arange(len(labels))))
    metric = NormalizedGini()
    metric.update_state(np.float32(labels), np.arange(len(labels), dtype="float32"))
    assert np.isnan(float(metric.result()))


def test_negative_labels_are_refused():
    with pytest.raises(ValueError, match=r"`labels` should be at least 0\. Received: -1"):
        normalized_gini([1, -1], [1, 2])


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_metric_is_close_to_the_exact_coefficient(scale):
    labels, scores = draw(20_000, 1)
    weights = np.random.default_rng(2).integers(0, 3, 20_000).astype("float32")
    metric = NormalizedGini()
    for part in np.array_split(np.arange(20_000), 7):
        metric.update_state(scale * labels[part], scale * scores[part], weights[part])
    np.testing.assert_allclose(float(metric.result()), normalized_gini(labels, scores, weights), atol=1e-3)


def test_metric_ignores_unknown_labels_of_weight_0():
    metric = NormalizedGini()
    metric.update_state(np.float32([0, 1, 3, np.nan]), np.float32([1, 3, 2, 9]), np.float32([1, 1, 1, 0]))
    np.testing.assert_allclose(to_numpy(metric.result()), 1 / 3, rtol=1e-6)
    metric.reset_state()
    assert np.isnan(float(metric.result()))


def test_config_round_trip_and_wrong_arguments():
    metric = NormalizedGini(bins=64, limit=8.0, name="g")
    restored = keras.metrics.deserialize(keras.metrics.serialize(metric))
    assert (restored.bins, restored.limit, restored.name) == (64, 8.0, "g")
    with pytest.raises(ValueError, match="`bins` should be at least 2"):
        NormalizedGini(bins=1)
    with pytest.raises(ValueError, match="`limit` should be above 0"):
        NormalizedGini(limit=0)
