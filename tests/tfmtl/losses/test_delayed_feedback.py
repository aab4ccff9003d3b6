"""Losses of late events against NumPy, at extremes, and where their minimum lies on simulated rows."""

import numpy as np
import pytest
from keras import ops

from tests.tfmtl.backends import dtype_name, to_numpy
from tests.tfmtl.losses.gradients import tensor, value_and_gradients
from tfmtl.losses import delayed_feedback, fake_negative_cross_entropy
from tfmtl.losses.delayed_feedback import MIN_DELAY

RNG = np.random.default_rng(0)
ROWS = 200
LABELS = (RNG.random(ROWS) < 0.4).astype("float32")
LOGITS, LOG_RATES = RNG.normal(0, 2, (2, ROWS)).astype("float32")
ELAPSED = RNG.exponential(2.0, ROWS).astype("float32")
PENDING = (RNG.random(ROWS) < 0.5).astype("float32")
EXTREMES = [-1e6, -100.0, -20.0, 0.0, 20.0, 25.0, 100.0, 1e6]


def sigmoid(z):
    return 1 / (1 + np.exp(-np.asarray(z, "float64")))


def test_fake_negative_cross_entropy():
    p = sigmoid(LOGITS)
    expected = -(LABELS * (1 + p) * np.log(p) + (1 - LABELS) * (1 - p) * (1 + p) * np.log1p(-p))
    found, (slope,) = value_and_gradients(lambda z: fake_negative_cross_entropy(LABELS, z), tensor(LOGITS))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    weights = (1 + p) * np.where(LABELS == 1, 1, 1 - p)  # No gradient flows through them.
    np.testing.assert_allclose(slope, weights * (p - LABELS), rtol=1e-4, atol=1e-6)
    assert dtype_name(fake_negative_cross_entropy(LABELS, LOGITS)) == "float32"


def test_delayed_feedback():
    p, rate = sigmoid(LOGITS), np.exp(LOG_RATES.astype("float64"))
    after = -np.log(p) - LOG_RATES + rate * ELAPSED
    before = -np.log(1 - p + p * np.exp(-rate * ELAPSED))
    expected = np.where(LABELS == 1, after, np.where(PENDING == 1, before, -np.log1p(-p)))
    found = delayed_feedback(LABELS, LOGITS, LOG_RATES, ELAPSED, PENDING)
    np.testing.assert_allclose(to_numpy(found), expected, rtol=1e-4, atol=1e-6)
    assert dtype_name(found) == "float32"
    assert {(1.0, 1.0), (0.0, 1.0), (0.0, 0.0)} <= set(zip(LABELS.tolist(), PENDING.tolist(), strict=True))


def test_a_certain_negative_depends_on_no_delay():
    rows = [tensor(values) for values in (LOGITS, LOG_RATES)]
    zeros = np.zeros(ROWS, "float32")
    _, (by_logit, by_rate) = value_and_gradients(lambda z, r: delayed_feedback(zeros, z, r, ELAPSED, zeros), *rows)
    np.testing.assert_allclose(by_logit, sigmoid(LOGITS), rtol=1e-5)
    assert not by_rate.any()


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_fake_negative_cross_entropy_is_finite_at_extremes(label):
    labels = np.full(len(EXTREMES), label, "float32")
    found, (slope,) = value_and_gradients(lambda z: fake_negative_cross_entropy(labels, z), tensor(EXTREMES))
    assert np.isfinite(found).all()
    assert np.isfinite(slope).all()
    assert slope[0] == (-1 if label else 0)  # A positive of probability 0 has the full gradient.


@pytest.mark.parametrize(("label", "pending"), [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)])
def test_delayed_feedback_is_finite_at_extremes(label, pending):
    grid = np.meshgrid(EXTREMES, EXTREMES, [0.0, 1e-9, 1.0, 1e4])
    logits, rates, elapsed = (one.ravel().astype("float32") for one in grid)
    labels, is_pending = (np.full(len(logits), one, "float32") for one in (label, pending))
    found, slopes = value_and_gradients(
        lambda z, r: delayed_feedback(labels, z, r, elapsed, is_pending), tensor(logits), tensor(rates)
    )
    assert np.isfinite(found).all()
    assert all(np.isfinite(slope).all() for slope in slopes)
    if not label:
        assert (found >= -1e-6).all()


def test_a_delay_of_zero_bounds_the_rate():
    """The loss by the rate has its minimum at the inverse of the shortest delay, not at infinity."""
    rates = np.float32([np.log(1 / MIN_DELAY) - 1, np.log(1 / MIN_DELAY), np.log(1 / MIN_DELAY) + 1])
    found = to_numpy(delayed_feedback(np.ones(3), np.zeros(3), rates, np.zeros(3), np.zeros(3)))
    assert found[1] == found.min()


def descend(function, values, steps, rate):
    """Values after steps along the gradient of a mean."""
    for _ in range(steps):
        _, (slope,) = value_and_gradients(function, tensor(values))
        values = values - rate * slope
    return values


def test_fake_negative_weights_recover_the_probabilities():
    """Rows are negative first, and again positive if converted: the plain loss has its minimum at p / (1 + p)."""
    p = np.array([0.02, 0.2, 0.6])
    labels = np.concatenate([np.zeros(3), np.ones(3)]).astype("float32")
    shares = np.concatenate([np.ones(3), p]).astype("float32")
    cases = np.tile(np.eye(3, dtype="float32"), (2, 1))

    def weighted(logits):
        return shares * fake_negative_cross_entropy(labels, ops.sum(cases * logits, axis=1))

    found = sigmoid(descend(weighted, np.zeros(3, "float32"), 600, 2.0))
    np.testing.assert_allclose(found, p, rtol=1e-3)


def test_fake_negative_weights_recover_a_logistic_regression():
    random = np.random.default_rng(1)
    x = np.concatenate([np.ones((20_000, 1)), random.normal(0, 1, (20_000, 2))], axis=1).astype("float32")
    true = np.float32([-1.5, 0.8, -0.5])
    converted = random.random(len(x)) < sigmoid(x @ true)
    rows = np.concatenate([x, x[converted]])
    labels = np.concatenate([np.zeros(len(x)), np.ones(converted.sum())]).astype("float32")

    def weighted(weights):
        return fake_negative_cross_entropy(labels, ops.sum(rows * weights, axis=1)) / len(rows)

    found = descend(weighted, np.zeros(3, "float32"), 300, 4.0)
    np.testing.assert_allclose(found, true, atol=0.06)  # Three standard errors of 0.02.


def test_delayed_feedback_recovers_probability_and_rate():
    """Rows of all ages from 0 to 8 days, with a window of 6: naive labels would give a lower probability."""
    random, p, rate, rows, window = np.random.default_rng(2), 0.3, 0.8, 40_000, 6.0
    age, delay = random.uniform(0, 8, rows), random.exponential(1 / rate, rows)
    will_convert = (random.random(rows) < p) & (delay <= window)
    converted = will_convert & (delay <= age)
    labels, pending = converted.astype("float32"), (age < window).astype("float32")
    elapsed = np.where(converted, delay, age).astype("float32")

    def loss(values):
        return delayed_feedback(labels, values[0], values[1], elapsed, pending) / rows

    logit, log_rate = descend(loss, np.zeros(2, "float32"), 400, 2.0)
    within = will_convert.mean()
    assert converted.mean() < 0.87 * within
    assert sigmoid(logit) == pytest.approx(within, rel=0.02)  # Standard error 0.008.
    assert np.exp(log_rate) == pytest.approx(rate, rel=0.05)  # Delays are cut at the window, which raises the rate.
