"""NMAE and SMAPE of arrays and in batches, against plain Python."""

import keras
import numpy as np
import pytest

from tests.tfmtl.metrics.keras_metrics import evaluate, result_of_batches
from tfmtl.metrics import NMAE, SMAPE, CountErrors, count_errors, count_errors_by_scenario, nmae, smape


def counts(rows, seed):
    rng = np.random.default_rng(seed)
    return rng.poisson(1.5, rows), np.where(rng.random(rows) < 0.3, 0.0, rng.gamma(2.0, 1.0, rows))


def plain_nmae(labels, predictions, weights):
    errors = sum(w * abs(p - y) for y, p, w in zip(labels, predictions, weights, strict=True))
    return errors / sum(w * y for y, w in zip(labels, weights, strict=True))


def plain_smape(labels, predictions, weights=None):
    terms = [abs(p - y) / ((p + y) / 2) if p + y else 0.0 for y, p in zip(labels, predictions, strict=True)]
    weights = [1.0] * len(terms) if weights is None else weights
    return sum(w * term for w, term in zip(weights, terms, strict=True)) / sum(weights)


def test_values_computed_by_hand():
    labels, predictions = [0, 2, 4, 0], [0, 1, 4, 3]
    assert nmae(labels, predictions) == pytest.approx(4 / 6)
    assert smape(labels, predictions) == pytest.approx((0 + 1 / 1.5 + 0 + 2) / 4)


def test_values_equal_plain_python():
    labels, predictions = counts(1000, seed=1)
    assert ((labels == 0) & (predictions == 0)).sum() > 10
    np.testing.assert_allclose(nmae(labels, predictions), plain_nmae(labels, predictions, np.ones(1000)))
    np.testing.assert_allclose(smape(labels, predictions), plain_smape(labels.tolist(), predictions.tolist()))


def test_nmae_equals_that_of_sklearn():
    mean_absolute_error = pytest.importorskip("sklearn.metrics").mean_absolute_error
    labels, predictions = counts(1000, seed=1)
    np.testing.assert_allclose(nmae(labels, predictions), mean_absolute_error(labels, predictions) / labels.mean())


def test_weights_equal_repeated_rows():
    labels, predictions = counts(300, seed=4)
    weights = np.random.default_rng(5).integers(0, 3, 300)
    for function in (nmae, smape):
        expected = function(np.repeat(labels, weights), np.repeat(predictions, weights))
        np.testing.assert_allclose(function(labels, predictions, weights), expected)


def test_smape_of_zero_counts_predicted_as_zero_is_zero():
    assert smape([0, 0], [0, 0]) == 0
    assert smape([0], [1e-300]) == 2


def test_nan_without_counts_or_rows():
    assert np.isnan(nmae([0, 0], [1, 0]))
    assert np.isnan(nmae([], []))
    assert np.isnan(smape([], []))
    assert np.isnan(smape([1], [1], [0]))


def test_errors_by_scenario():
    labels, predictions = counts(600, seed=2)
    scenarios = np.random.default_rng(3).choice(["feed", "search", "video"], 600)
    errors_by_name = count_errors_by_scenario(labels, predictions, scenarios)
    assert list(errors_by_name) == ["feed", "search", "video"]
    for name, errors in errors_by_name.items():
        pairs = [(y, p) for y, p, s in zip(labels, predictions, scenarios, strict=True) if s == name]
        assert errors.rows == len(pairs)
        np.testing.assert_allclose(errors.nmae, sum(abs(p - y) for y, p in pairs) / sum(y for y, _ in pairs))
        np.testing.assert_allclose(errors.smape, plain_smape(*zip(*pairs, strict=True)))
    overall = count_errors(labels, predictions)
    assert overall == CountErrors(nmae(labels, predictions), smape(labels, predictions), 600)
    parts = [errors.rows * errors.smape for errors in errors_by_name.values()]
    np.testing.assert_allclose(overall.smape, sum(parts) / 600)


def test_scenarios_may_be_numbers_or_empty():
    assert list(count_errors_by_scenario([1, 2, 3], [1, 2, 4], [7, 3, 7])) == [3, 7]
    assert count_errors_by_scenario([], [], []) == {}


METRICS = {"nmae": (NMAE, nmae, plain_nmae), "smape": (SMAPE, smape, plain_smape)}
BOTH = pytest.mark.parametrize("name", METRICS)


@BOTH
@pytest.mark.parametrize("weighted", [False, True])
def test_batches_give_the_result_of_the_array_function(name, weighted):
    metric, function, plain = METRICS[name]
    labels, predictions = counts(3000, seed=6)
    weights = np.random.default_rng(7).uniform(0, 3, 3000) if weighted else None
    result = result_of_batches(metric(), labels, predictions, weights)
    np.testing.assert_allclose(result, function(labels, predictions, weights), rtol=1e-5)
    expected = plain(labels, predictions, np.ones(3000) if weights is None else weights)
    np.testing.assert_allclose(result, expected, rtol=1e-5)


@BOTH
def test_metric_ignores_rows_of_weight_0(name):
    metric, function, _ = METRICS[name]
    labels, predictions, weights = [2.0, 1.0, np.nan, 1.0], [3.0, 0.5, 1.0, np.nan], [1.0, 2.0, 0.0, 0.0]
    expected = function(labels[:2], predictions[:2], weights[:2])
    np.testing.assert_allclose(function(labels, predictions, weights), expected)
    np.testing.assert_allclose(result_of_batches(metric(), labels, predictions, weights), expected, rtol=1e-6)


@BOTH
def test_metric_is_nan_without_rows_or_counts(name):
    metric, function, _ = METRICS[name]
    one = metric()
    assert np.isnan(float(one.result()))
    for weights in ([0.0, 0.0], None):
        one.reset_state()
        one.update_state([0.0, 0.0], [0.5, 0.0], weights)
        np.testing.assert_allclose(float(one.result()), function([0.0, 0.0], [0.5, 0.0], weights), rtol=1e-6)
    one.reset_state()
    assert np.isnan(float(one.result()))


@BOTH
@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_weighted_metric_of_a_keras_model(name, shape):
    metric, function, _ = METRICS[name]
    labels, predictions = counts(90, seed=8)
    weights = np.random.default_rng(9).uniform(0, 2, 90)
    result = evaluate(metric(name="found"), labels.reshape(shape), predictions, weights)
    np.testing.assert_allclose(result, function(labels, predictions, weights), rtol=1e-4)


@BOTH
def test_metric_config_round_trip(name):
    metric = METRICS[name][0](name="view_error")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert type(copy) is type(metric)
    assert copy.get_config() == metric.get_config()


def test_rejects_wrong_arguments():
    with pytest.raises(ValueError, match=r"labels and predictions should have the same length\. Received: 2 and 1"):
        nmae([1, 2], [1])
    with pytest.raises(ValueError, match=r"labels and scenarios should have the same length\. Received: 2 and 1"):
        count_errors_by_scenario([1, 2], [1, 2], ["a"])
    with pytest.raises(ValueError, match=r"`predictions` should be at least 0\. Received: -0\.5"):
        smape([1, 2], [1, -0.5])
    with pytest.raises(ValueError, match=r"`labels` should be at least 0\. Received: -1"):
        nmae([-1, 2], [1, 1])
