"""Tweedie loss of values: against NumPy and scikit-learn, its gradient, its bounds, and the mean."""

import numpy as np
import pytest

from tests.tfmtl.backends import dtype_name, to_numpy
from tests.tfmtl.losses.gradients import tensor
from tests.tfmtl.losses.test_losses import gradient, grid
from tfmtl.losses import entire_logits, mean_value, tweedie
from tfmtl.losses.tweedie import MAX_EXPONENT, MAX_LOG_MEAN

LOGITS = np.array([-12, -3, -0.5, 0, 0.5, 3, 12], "float32")
VALUES = np.array([0, 0.01, 1, 7.5, 3e4], "float32")
POWERS = (1.05, 1.5, 1.9)


def exact(y, z, p):
    """Half the unit deviance, by its definition."""
    mean = np.exp(z)
    terms = y ** (2 - p) / ((1 - p) * (2 - p)) - y * mean ** (1 - p) / (1 - p) + mean ** (2 - p) / (2 - p)
    return terms


def exact_gradient(y, z, p):
    return np.exp((1 - p) * z) * (np.exp(z) - y)


def size(y, z, p):
    """Returns the largest term of the loss, by which its rounding error is bounded."""
    return np.maximum(np.exp((2 - p) * z) / (2 - p), y * np.exp((1 - p) * z) / (p - 1)) + y ** (2 - p) / (
        (p - 1) * (2 - p)
    )


@pytest.mark.parametrize("power", POWERS)
def test_values_and_gradients(power):
    (labels, logits), (y, z) = grid(VALUES, LOGITS)
    losses = to_numpy(tweedie(labels, logits, power))
    assert np.all(np.abs(losses - exact(y, z, power)) <= 3e-6 * size(y, z, power))
    found = gradient(lambda y, z: tweedie(y, z, power), labels, logits)
    scale = np.exp((1 - power) * z) * np.maximum(np.exp(z), y)
    np.testing.assert_allclose(found / scale, exact_gradient(y, z, power) / scale, atol=1e-5)
    assert dtype_name(tweedie(labels, logits, power)) == "float32"


@pytest.mark.parametrize("power", POWERS)
def test_mean_is_half_of_scikit_learns_deviance(power):
    metrics = pytest.importorskip("sklearn.metrics")
    (labels, logits), (y, z) = grid(VALUES, LOGITS[2:5])
    expected = metrics.mean_tweedie_deviance(y, np.exp(z), power=power) / 2
    np.testing.assert_allclose(to_numpy(tweedie(labels, logits, power)).mean(), expected, rtol=1e-4)


@pytest.mark.parametrize("power", POWERS)
def test_minimum_is_at_the_mean_of_the_labels(power):
    values = np.float32([0.0, 0.0, 1.0, 9.0])
    logits = np.full(4, np.log(values.mean()), "float32")
    loss = gradient(lambda y, z: tweedie(y, z, power), tensor(values), tensor(logits))
    assert abs(loss.sum()) < 1e-5
    assert np.all(to_numpy(tweedie(values[2:], np.log(values[2:]), power)) < 1e-5)


@pytest.mark.parametrize("power", [1.001, 1.5, 1.999])
def test_finite_at_extremes(power):
    (labels, logits), _ = grid(np.float32([0, 1e-20, 1, 1e20]), np.float32([-1e9, -100, 0, 100, 1e9]))
    assert np.all(np.isfinite(to_numpy(tweedie(labels, logits, power))))
    assert np.all(np.isfinite(gradient(lambda y, z: tweedie(y, z, power), labels, logits)))


def test_exponentials_continue_as_tangents():
    logits = np.float32([40, 50, 100])
    excess = 0.5 * logits.astype("float64") - MAX_EXPONENT
    found = to_numpy(tweedie(np.zeros(3), logits))
    np.testing.assert_allclose(found, 2 * np.exp(MAX_EXPONENT) * (1 + excess), rtol=1e-5)
    found = to_numpy(tweedie(np.full(3, 5.0), -logits))
    np.testing.assert_allclose(found, 10 * np.exp(MAX_EXPONENT) * (1 + excess), rtol=1e-5)


def test_another_unit_multiplies_the_loss():
    y, z = np.float32([0, 2, 30]), np.float32([0.3, 1.0, 2.0])
    first, second = (to_numpy(tweedie(c * y, z + np.float32(np.log(c)), 1.5)) for c in (1, 100))
    np.testing.assert_allclose(second, 10 * first, rtol=1e-4)


@pytest.mark.parametrize("power", [1.0, 2.0, float("nan")])
def test_power_out_of_range(power):
    with pytest.raises(ValueError, match="`power` should be above 1 and below 2"):
        tweedie([1.0], [0.0], power)


def test_mean_value():
    np.testing.assert_allclose(to_numpy(mean_value(LOGITS)), np.exp(LOGITS.astype("float64")), rtol=1e-5)
    np.testing.assert_allclose(to_numpy(mean_value([81.0, 1e9])), np.exp(MAX_LOG_MEAN), rtol=1e-4)


def test_expected_value_is_the_product_of_the_chain_and_the_conditional_mean():
    click, buy, value = np.float32([-90, -1, 2]), np.float32([5, 0.3, -2]), np.float32([30, 3, -1])
    logits = {"click": tensor(click), "buy": tensor(buy), "value": tensor(value)}
    follows = {"buy": "click", "value": "buy"}
    found = to_numpy(entire_logits(follows, logits, ["value"])["value"])
    log_sigmoid = [-np.logaddexp(0, -one.astype("float64")) for one in (click, buy)]
    np.testing.assert_allclose(found, value + sum(log_sigmoid), rtol=1e-5)
    slopes = gradient(
        lambda y, z: entire_logits(follows, {**logits, "value": z}, ["value"])["value"], tensor(click), tensor(value)
    )
    np.testing.assert_allclose(slopes, 1, rtol=1e-6)
