"""Calibration ratio and expected calibration error."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from tests.tfmtl import cases
from tfmtl.metrics import calibration, calibration_ratio, expected_calibration_error


def rows(count, seed, factor=1.0):
    """Probabilities about 0.05, and labels drawn from `factor` times them."""
    rng = np.random.default_rng(seed)
    predictions = 1 / (1 + np.exp(3 - rng.normal(size=count)))
    return (rng.random(count) < factor * predictions).astype("float64"), predictions


def error_by_loop(labels, predictions, weights, bins):
    """Row by row: a row of weight w is w rows; equal predictions go where their middle is."""
    order = sorted(range(len(labels)), key=lambda i: predictions[i])
    total, passed, i, sums = sum(weights), 0.0, 0, {}
    while i < len(order):
        same = [j for j in order[i:] if predictions[j] == predictions[order[i]]]
        mass = sum(weights[j] for j in same)
        found = min(int((passed + mass / 2) / total * bins), bins - 1)
        gap = sum(weights[j] * (predictions[j] - labels[j]) for j in same)
        sums[found] = sums.get(found, 0.0) + gap
        passed, i = passed + mass, i + len(same)
    return sum(abs(gap) for gap in sums.values()) / total


def test_ratio():
    assert calibration_ratio([0, 1, 0, 1], [0.2, 0.4, 0.1, 0.3]) == pytest.approx(0.5)
    assert calibration_ratio([0, 1, 3], [1.0, 2.0, 3.0], weights=[2, 1, 1]) == pytest.approx(7 / 4)
    assert np.isnan(calibration_ratio([0, 0], [0.1, 0.2]))
    assert np.isnan(calibration_ratio([], []))
    assert np.isnan(calibration_ratio([1, 0], [0.5, 0.5], weights=[0, 1]))


@pytest.mark.parametrize("bins", [1, 5, 20])
def test_error_is_that_of_sklearns_curve(bins):
    labels, predictions = rows(4000, seed=1, factor=0.6)
    observed, predicted = calibration_curve(labels, predictions, n_bins=bins, strategy="quantile")
    expected = np.mean(np.abs(observed - predicted))
    assert expected > 0.01
    np.testing.assert_allclose(expected_calibration_error(labels, predictions, bins=bins), expected, rtol=1e-9)


@pytest.mark.parametrize("decimals", [1, 2, 9])
def test_error_with_ties_and_weights_is_that_of_a_loop(decimals):
    labels, predictions = rows(300, seed=2)
    predictions = np.round(predictions, decimals)
    weights = np.random.default_rng(3).integers(0, 3, 300).astype("float64")
    expected = error_by_loop(labels, predictions, weights, 7)
    np.testing.assert_allclose(expected_calibration_error(labels, predictions, weights, bins=7), expected, rtol=1e-9)


def test_weights_are_repeated_rows():
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


def test_error_extremes():
    assert expected_calibration_error([1, 1, 0, 0], [1, 1, 0, 0]) == 0
    assert expected_calibration_error([0, 0, 1, 1], [1, 1, 0, 0], bins=2) == 1
    assert expected_calibration_error([1], [0.25]) == 0.75
    assert expected_calibration_error([1, 0], [0.5, 0.5]) == 0
    assert np.isnan(expected_calibration_error([], []))
    assert np.isnan(expected_calibration_error([1], [0.5], weights=[0]))


def test_by_output_on_its_space():
    spec = cases.chain()
    labels = cases.labels(spec, 400)
    rng = np.random.default_rng(8)
    outputs = {output.name: rng.random(400) for output in spec.outputs}
    weights = rng.integers(1, 4, 400).astype("float64")
    found = calibration(spec, labels, outputs, weights, bins=4)
    assert list(found) == ["ctr", "cvr", "ctcvr", "back_given_buy", "back", "views"]
    tasks = {"ctr": "click", "cvr": "buy", "ctcvr": "buy", "back_given_buy": "back", "back": "back", "views": "views"}
    for name, task in tasks.items():
        previous = {"cvr": "click", "back_given_buy": "buy"}.get(name)
        kept = labels[previous] == 1 if previous else np.ones(400, bool)
        y, p, w = labels[task][kept], outputs[name][kept], weights[kept]
        np.testing.assert_allclose(found[name].ratio, np.average(p, weights=w) / np.average(y, weights=w), rtol=1e-9)
        np.testing.assert_allclose(found[name].error, error_by_loop(y, p, w, 4), rtol=1e-9)
    assert calibration(spec, labels, outputs) == calibration(spec, labels, outputs, np.ones(400))


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"`bins` should be at least 1\. Received: 0"):
        expected_calibration_error([1], [1], bins=0)
    with pytest.raises(ValueError, match=r"labels, predictions and weights should be of one length\. Received: 1, 2"):
        calibration_ratio([1], [1, 2])
