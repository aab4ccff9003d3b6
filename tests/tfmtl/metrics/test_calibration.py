"""Calibration ratio and expected calibration error of arrays and in batches."""

import keras
import numpy as np
import pytest

from tests.tfmtl import cases
from tests.tfmtl.metrics.keras_metrics import evaluate, result_of_batches
from tfmtl.metrics import (
    CalibrationRatio,
    ExpectedCalibrationError,
    calibration,
    calibration_ratio,
    expected_calibration_error,
)


def rows(count, seed, factor=1.0):
    """Returns probabilities around 0.05, and labels drawn from `factor` times them."""
    rng = np.random.default_rng(seed)
    predictions = 1 / (1 + np.exp(3 - rng.normal(size=count)))
    return (rng.random(count) < factor * predictions).astype("float64"), predictions


def error_by_loop(labels, predictions, weights, bins):
    """Computes the error with a loop over ties, in the order of the predictions."""
    order = sorted(range(len(labels)), key=lambda i: predictions[i])
    total, passed, i, sums = sum(weights), 0.0, 0, {}
    while i < len(order):
        tie = [j for j in order[i:] if predictions[j] == predictions[order[i]]]
        mass = sum(weights[j] for j in tie)
        bin_index = min(int((passed + mass / 2) / total * bins), bins - 1)
        gap = sum(weights[j] * (predictions[j] - labels[j]) for j in tie)
        sums[bin_index] = sums.get(bin_index, 0.0) + gap
        passed, i = passed + mass, i + len(tie)
    return sum(abs(gap) for gap in sums.values()) / total


def test_ratio():
    assert calibration_ratio([0, 1, 0, 1], [0.2, 0.4, 0.1, 0.3]) == pytest.approx(0.5)
    assert calibration_ratio([0, 1, 3], [1.0, 2.0, 3.0], weights=[2, 1, 1]) == pytest.approx(7 / 4)
    assert np.isnan(calibration_ratio([0, 0], [0.1, 0.2]))
    assert np.isnan(calibration_ratio([], []))
    assert np.isnan(calibration_ratio([1, 0], [0.5, 0.5], weights=[0, 1]))


@pytest.mark.parametrize("bins", [1, 5, 20])
def test_error_equals_that_of_sklearn_curve(bins):
    calibration_curve = pytest.importorskip("sklearn.calibration").calibration_curve
    labels, predictions = rows(4000, seed=1, factor=0.6)
    observed, predicted = calibration_curve(labels, predictions, n_bins=bins, strategy="quantile")
    expected = np.mean(np.abs(observed - predicted))
    assert expected > 0.01
    np.testing.assert_allclose(expected_calibration_error(labels, predictions, bins=bins), expected, rtol=1e-9)


@pytest.mark.parametrize("decimals", [1, 2, 9])
def test_error_with_ties_and_weights_equals_loop(decimals):
    labels, predictions = rows(300, seed=2)
    predictions = np.round(predictions, decimals)
    weights = np.random.default_rng(3).integers(0, 3, 300).astype("float64")
    expected = error_by_loop(labels, predictions, weights, 7)
    np.testing.assert_allclose(expected_calibration_error(labels, predictions, weights, bins=7), expected, rtol=1e-9)


def test_weights_equal_repeated_rows():
    labels, predictions = rows(200, seed=4)
    weights = np.random.default_rng(5).integers(0, 3, 200)
    repeated = np.repeat(labels, weights), np.repeat(predictions, weights)
    for metric in (calibration_ratio, expected_calibration_error):
        np.testing.assert_allclose(metric(labels, predictions, weights), metric(*repeated), rtol=1e-9)


def test_error_does_not_depend_on_the_order_of_rows():
    labels, predictions = rows(500, seed=6)
    predictions = np.round(predictions, 1)
    shuffled = np.random.default_rng(7).permutation(500)
    expected = expected_calibration_error(labels, predictions)
    np.testing.assert_allclose(expected_calibration_error(labels[shuffled], predictions[shuffled]), expected, rtol=1e-9)


def test_smallest_and_largest_errors():
    assert expected_calibration_error([1, 1, 0, 0], [1, 1, 0, 0]) == 0
    assert expected_calibration_error([0, 0, 1, 1], [1, 1, 0, 0], bins=2) == 1
    assert expected_calibration_error([1], [0.25]) == 0.75
    assert expected_calibration_error([1, 0], [0.5, 0.5]) == 0
    assert np.isnan(expected_calibration_error([], []))
    assert np.isnan(expected_calibration_error([1], [0.5], weights=[0]))


def test_calibration_of_each_output_on_its_space():
    spec = cases.chain()
    labels = cases.labels(spec, 400)
    rng = np.random.default_rng(8)
    outputs = {output.name: rng.random(400) for output in spec.outputs}
    weights = rng.integers(1, 4, 400).astype("float64")
    calibrations = calibration(spec, labels, outputs, weights, bins=4)
    assert list(calibrations) == ["ctr", "cvr", "ctcvr", "back_given_buy", "back", "views"]
    tasks = {"ctr": "click", "cvr": "buy", "ctcvr": "buy", "back_given_buy": "back", "back": "back", "views": "views"}
    for name, task in tasks.items():
        previous = {"cvr": "click", "back_given_buy": "buy"}.get(name)
        kept = labels[previous] == 1 if previous else np.ones(400, bool)
        y, p, w = labels[task][kept], outputs[name][kept], weights[kept]
        ratio = np.average(p, weights=w) / np.average(y, weights=w)
        np.testing.assert_allclose(calibrations[name].ratio, ratio, rtol=1e-9)
        np.testing.assert_allclose(calibrations[name].error, error_by_loop(y, p, w, 4), rtol=1e-9)
    assert calibration(spec, labels, outputs) == calibration(spec, labels, outputs, np.ones(400))


METRICS = {
    "ratio": (CalibrationRatio, calibration_ratio),
    "error": (ExpectedCalibrationError, expected_calibration_error),
}
BOTH = pytest.mark.parametrize("name", METRICS)
WEIGHTED = pytest.mark.parametrize("weighted", [False, True])


@BOTH
@WEIGHTED
def test_batches_give_the_result_of_the_array_function(name, weighted):
    metric, function = METRICS[name]
    labels, predictions = rows(3000, seed=9, factor=0.7)
    weights = np.random.default_rng(10).uniform(0, 3, 3000) if weighted else None
    predictions = np.round(predictions, 3)  # Equal predictions only in each cell.
    result = result_of_batches(metric(), labels, predictions, weights)
    np.testing.assert_allclose(result, function(labels, predictions, weights), rtol=1e-5)


@pytest.mark.parametrize("bins", [1, 4, 20])
@WEIGHTED
def test_streaming_error_equals_loop(bins, weighted):
    labels, predictions = rows(400, seed=11, factor=0.6)
    predictions = np.maximum(np.round(predictions, 2), 0.01)
    weights = np.random.default_rng(12).uniform(0.1, 2, 400) if weighted else np.ones(400)
    result = result_of_batches(ExpectedCalibrationError(bins=bins), labels, predictions, weights)
    np.testing.assert_allclose(result, error_by_loop(labels, predictions, weights, bins), rtol=1e-5)


@WEIGHTED
def test_streaming_ratio_equals_plain_sums(weighted):
    labels, predictions = rows(400, seed=13)
    weights = np.random.default_rng(14).uniform(0, 2, 400) if weighted else np.ones(400)
    expected = (weights * predictions).sum() / (weights * labels).sum()
    np.testing.assert_allclose(result_of_batches(CalibrationRatio(), labels, predictions, weights), expected, rtol=1e-5)


@pytest.mark.parametrize("mean", [0.5, 0.05, 0.001, 0.97])
@pytest.mark.parametrize("factor", [1.0, 0.8])
def test_streaming_error_of_distinct_predictions_is_close_to_the_exact_error(mean, factor):
    rng = np.random.default_rng(15)
    predictions = 1 / (1 + np.exp(-rng.normal(np.log(mean / (1 - mean)), 1.0, 100_000)))
    labels = (rng.random(100_000) < factor * predictions).astype("float32")
    result = result_of_batches(ExpectedCalibrationError(), labels, predictions)
    exact = expected_calibration_error(labels, predictions)
    np.testing.assert_allclose(result, exact, atol=1e-3 * predictions.mean())


def test_streaming_error_of_rates():
    rates = np.repeat([0.0, 0.2, 0.999, 1.0, 1.5, 40.0, 5000.0], 4)
    counts = np.random.default_rng(16).poisson(rates) + 1.0
    for bins in (1, 3, 7):
        result = result_of_batches(ExpectedCalibrationError(bins=bins), counts, rates)
        np.testing.assert_allclose(result, expected_calibration_error(counts, rates, bins=bins), rtol=1e-5)


@BOTH
def test_metric_ignores_rows_of_weight_0(name):
    metric, function = METRICS[name]
    labels, predictions, weights = [0.0, 1.0, np.nan, 1.0], [0.2, 0.4, 0.3, np.nan], [1.0, 2.0, 0.0, 0.0]
    expected = function(labels[:2], predictions[:2], weights[:2])
    np.testing.assert_allclose(function(labels, predictions, weights), expected)
    np.testing.assert_allclose(result_of_batches(metric(), labels, predictions, weights), expected, rtol=1e-6)


@BOTH
def test_metric_is_nan_without_rows_or_events(name):
    metric, function = METRICS[name]
    one = metric()
    assert np.isnan(float(one.result()))
    for weights in ([0.0, 0.0], None):
        one.reset_state()
        one.update_state([0.0, 0.0], [0.5, 0.25], weights)
        np.testing.assert_allclose(float(one.result()), function([0.0, 0.0], [0.5, 0.25], weights), rtol=1e-6)
    one.reset_state()
    assert np.isnan(float(one.result()))


@BOTH
@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_weighted_metric_of_a_keras_model(name, shape):
    metric, function = METRICS[name]
    labels, predictions = rows(90, seed=17)
    predictions = np.round(predictions, 3)
    weights = np.random.default_rng(18).uniform(0, 2, 90)
    result = evaluate(metric(name="found"), labels.reshape(shape), predictions, weights)
    np.testing.assert_allclose(result, function(labels, predictions, weights), rtol=1e-4)


@BOTH
def test_metric_config_round_trip(name):
    options = {"bins": 7, "cells": 512} if name == "error" else {}
    metric = METRICS[name][0](**options, name="ctr_calibration")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert type(copy) is type(metric)
    assert copy.get_config() == metric.get_config()
    assert options.items() <= copy.get_config().items()


def test_metric_with_several_outputs_per_row():
    labels, predictions = rows(60, seed=19)
    weights = np.random.default_rng(20).uniform(0, 2, 20)
    metric = CalibrationRatio()
    metric.update_state(labels.reshape(20, 3), predictions.reshape(20, 3), weights)
    expected = calibration_ratio(labels, predictions, np.repeat(weights, 3))
    np.testing.assert_allclose(float(metric.result()), expected, rtol=1e-5)


def test_rejects_wrong_arguments():
    with pytest.raises(ValueError, match=r"`bins` should be at least 1\. Received: 0"):
        expected_calibration_error([1], [1], bins=0)
    with pytest.raises(ValueError, match=r"labels and predictions should have the same length\. Received: 1 and 2"):
        calibration_ratio([1], [1, 2])
    with pytest.raises(ValueError, match=r"`bins` should be at least 1\. Received: 0"):
        ExpectedCalibrationError(bins=0)
    with pytest.raises(ValueError, match=r"`cells` should be at least `bins`, 10\. Received: 9"):
        ExpectedCalibrationError(cells=9)
