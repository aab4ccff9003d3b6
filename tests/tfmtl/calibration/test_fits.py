"""Fits of calibration maps: against scikit-learn, on distorted probabilities, and at extremes."""

import numpy as np
import pytest

from tfmtl.calibration import LogitMap, fit_isotonic, fit_platt
from tfmtl.metrics import expected_calibration_error, roc_auc


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def distorted(rows=40_000, seed=0):
    """Logits whose true probabilities are sigmoid(g(z)) of an increasing g that is not linear, and labels."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, rows)
    truth = sigmoid(0.3 * logits + 0.8 * np.tanh(logits - 1) - 2)
    return logits, (rng.random(rows) < truth).astype(float), truth


@pytest.mark.parametrize("fit", [fit_isotonic, fit_platt])
def test_calibration_keeps_the_order_of_rows(fit):
    logits, labels, _ = distorted()
    calibrated = fit(logits, labels)(logits)
    np.testing.assert_array_equal(np.argsort(calibrated), np.argsort(logits))
    assert roc_auc(labels, calibrated) == roc_auc(labels, logits)


def test_isotonic_map_recovers_the_true_probabilities():
    logits, labels, truth = distorted()
    calibrated = sigmoid(fit_isotonic(logits, labels)(logits))
    other_logits, other_labels, _ = distorted(seed=1)
    error = expected_calibration_error(other_labels, sigmoid(fit_isotonic(logits, labels)(other_logits)))
    assert np.abs(calibrated - truth).mean() < 0.01
    assert error < 0.01 < 0.1 < expected_calibration_error(other_labels, sigmoid(other_logits))


def test_sum_of_isotonic_probabilities_is_the_number_of_events():
    logits, labels, _ = distorted()
    assert sigmoid(fit_isotonic(logits, labels)(logits)).sum() == pytest.approx(labels.sum(), rel=0.005)


def test_knots_are_the_blocks_of_scikit_learn():
    isotonic = pytest.importorskip("sklearn.isotonic")
    rng = np.random.default_rng(2)
    logits = rng.integers(-20, 20, 8000) / 10
    labels = (rng.random(8000) < sigmoid(logits + 0.5 * np.sin(5 * logits))).astype(float)
    found = fit_isotonic(logits, labels)
    expected = isotonic.IsotonicRegression().fit(logits, labels).predict(np.unique(logits))
    np.testing.assert_allclose(sigmoid(found.values), np.unique(expected), rtol=1e-9)
    for value, knot in zip(np.unique(expected), found.knots, strict=True):
        block = np.isin(logits, np.unique(logits)[np.isclose(expected, value)])
        assert knot == pytest.approx(logits[block].mean())


def test_platt_is_the_logistic_regression_of_scikit_learn():
    linear = pytest.importorskip("sklearn.linear_model")
    logits, labels, _ = distorted(rows=5000)
    found = fit_platt(logits, labels)
    positive, negative = labels.sum(), (1 - labels).sum()
    targets = np.where(labels > 0, (positive + 1) / (positive + 2), 1 / (negative + 2))
    regression = linear.LogisticRegression(penalty=None, tol=1e-12, max_iter=1000)
    inputs, classes = np.concatenate([logits, logits])[:, None], np.repeat([1, 0], len(logits))
    regression.fit(inputs, classes, sample_weight=np.concatenate([targets, 1 - targets]))
    assert found.first_slope == pytest.approx(regression.coef_[0, 0], rel=1e-5)
    assert found.values[0] == pytest.approx(regression.intercept_[0], rel=1e-5)


@pytest.mark.parametrize("fit", [fit_isotonic, fit_platt])
def test_weights_count_as_repeated_rows(fit):
    logits, labels, _ = distorted(rows=3000)
    logits = np.round(logits, 1)
    weights = np.random.default_rng(3).integers(0, 4, 3000)
    weighted, repeated = fit(logits, labels, weights), fit(np.repeat(logits, weights), np.repeat(labels, weights))
    np.testing.assert_allclose(weighted.knots, repeated.knots)
    np.testing.assert_allclose(weighted.values, repeated.values, atol=1e-8)


@pytest.mark.parametrize("fit", [fit_isotonic, fit_platt])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e3, 1e6])
@pytest.mark.parametrize("case", ["separable", "reversed", "constant"])
def test_maps_are_finite_and_increase_at_extremes(fit, scale, case):
    labels = np.repeat([0.0, 1.0], 100)
    order = {"separable": np.arange(200.0), "reversed": -np.arange(200.0), "constant": np.zeros(200)}[case]
    found = fit(scale * order, labels)
    grid = scale * np.linspace(-1000, 1000, 101)
    assert np.isfinite(found(grid)).all()
    assert (np.diff(found(grid)) > 0).all()
    if case != "separable":
        assert sigmoid(found(scale * order)).mean() == pytest.approx(0.5, abs=0.06)


def test_too_few_events_are_an_error():
    with pytest.raises(
        ValueError, match=r"at least 10 positive and 10 negative rows\. Received: 9 positive, 91 negative"
    ):
        fit_isotonic(np.arange(100.0), np.arange(100) < 9)
    with pytest.raises(ValueError, match=r"both classes\. Received: 0 positive, 5 negative"):
        fit_platt(np.arange(5.0), np.zeros(5))


def test_map_between_and_beyond_its_knots():
    one = LogitMap(np.array([0.0, 1.0, 3.0]), np.array([-1.0, 0.0, 1.0]), first_slope=2.0, last_slope=0.25)
    np.testing.assert_allclose(one(np.array([-1.0, 0.5, 2.0, 7.0])), [-3.0, -0.5, 0.5, 2.0])
