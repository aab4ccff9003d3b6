"""Inverse propensity scoring and the doubly robust risk: values, and what they estimate in a world that is known."""

import numpy as np
import pytest
import tensorflow as tf

from tfmtl.losses import doubly_robust_risk, imputation_risk, inverse_propensity, inverse_propensity_risk

RNG = np.random.default_rng(0)
ROWS = 40
ERRORS, IMPUTED, SAMPLE = RNG.uniform(0, 2, (3, ROWS)).astype("float32")
OBSERVED = (RNG.random(ROWS) < 0.4).astype("float32")
INVERSE = RNG.uniform(1, 9, ROWS).astype("float32")


def mean(rows, weights):
    weights = np.ones(ROWS) if weights is None else weights
    return sum(w * row for w, row in zip(weights, rows, strict=True)) / sum(weights)


def test_inverse_propensity():
    logits = np.float32([-200, -100, -5, -1, 0, 3, 100, 1e6])
    expected = [30, 30, 30, 1 + np.e, 2, 1 + np.exp(-3), 1, 1]
    np.testing.assert_allclose(inverse_propensity(logits, 30.0), expected, rtol=1e-6)
    assert float(inverse_propensity(-100.0)) == 100
    inputs = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        weights = inverse_propensity(inputs, 30.0)
    slopes = tape.gradient(weights, inputs)
    assert np.all(np.isfinite(slopes))
    np.testing.assert_allclose(slopes[3:5], -np.exp([1.0, 0.0]), rtol=1e-5)
    np.testing.assert_array_equal(slopes[:3], np.zeros(3))


@pytest.mark.parametrize("weights", [None, SAMPLE])
def test_values(weights):
    ips = mean([o * w * e for o, w, e in zip(OBSERVED, INVERSE, ERRORS, strict=True)], weights)
    np.testing.assert_allclose(inverse_propensity_risk(ERRORS, OBSERVED, INVERSE, weights), ips, rtol=1e-5)
    rows = list(zip(ERRORS, IMPUTED, OBSERVED, INVERSE, strict=True))
    dr = mean([d + (w * (e - d) if o else 0) for e, d, o, w in rows], weights)
    np.testing.assert_allclose(doubly_robust_risk(ERRORS, IMPUTED, OBSERVED, INVERSE, weights), dr, rtol=1e-5)
    squares = mean([w * (e - d) ** 2 if o else 0 for e, d, o, w in rows], weights)
    np.testing.assert_allclose(imputation_risk(ERRORS, IMPUTED, OBSERVED, INVERSE, weights), squares, rtol=1e-5)


def test_errors_that_are_not_observed_do_not_count():
    others = ERRORS + 7 * (1 - OBSERVED)
    for loss, arguments in (
        (inverse_propensity_risk, ()),
        (doubly_robust_risk, (IMPUTED,)),
        (imputation_risk, (IMPUTED,)),
    ):
        before = float(loss(ERRORS, *arguments, OBSERVED, INVERSE))
        assert before > 0.1
        np.testing.assert_allclose(loss(others, *arguments, OBSERVED, INVERSE), before, rtol=1e-6)


def estimates(propensity, imputed, draws=2000):
    """Errors of (naive, IPS, DR) estimates of a mean, a row a draw; a click is likelier where the loss is small."""
    rng = np.random.default_rng(1)
    clicks = rng.uniform(0.1, 0.9, 300)
    errors = (1.2 - clicks + rng.uniform(0, 0.2, 300)).astype("float32")
    right = {"right": clicks, "wrong": np.full(300, 0.5)}[propensity]
    guess = {"right": errors, "near": errors + rng.normal(0, 0.1, 300), "wrong": np.full(300, 0.3)}[imputed]
    inverse, guess = (1 / right).astype("float32"), guess.astype("float32")
    found = []
    for _ in range(draws):
        observed = (rng.random(300) < clicks).astype("float32")
        ips = np.mean(observed * inverse * errors)
        dr = np.mean(guess + observed * inverse * (errors - guess))
        found.append((np.sum(observed * errors) / observed.sum(), ips, dr))
    checked = (
        float(inverse_propensity_risk(errors, observed, inverse)),
        float(doubly_robust_risk(errors, guess, observed, inverse)),
    )
    np.testing.assert_allclose(checked, found[-1][1:], rtol=1e-4)
    return np.array(found) - errors.mean()


def test_either_of_the_two_may_be_wrong():
    naive, ips, dr = estimates("right", "wrong").mean(axis=0)
    assert naive < -0.05
    assert abs(ips) < 0.01
    assert abs(dr) < 0.01
    _, ips, dr = estimates("wrong", "right").mean(axis=0)
    assert abs(ips) > 0.05
    assert abs(dr) < 1e-5


def test_a_near_imputation_lowers_the_variance():
    _, ips, dr = estimates("right", "near").std(axis=0)
    assert dr < ips / 3


def test_what_learns_from_what():
    errors, imputed = tf.constant(ERRORS), tf.constant(IMPUTED)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([errors, imputed])
        risk = doubly_robust_risk(errors, imputed, OBSERVED, INVERSE)
        fit = imputation_risk(errors, imputed, OBSERVED, INVERSE)
    np.testing.assert_allclose(tape.gradient(risk, errors), OBSERVED * INVERSE / ROWS, rtol=1e-5)
    np.testing.assert_allclose(tape.gradient(risk, imputed), (1 - OBSERVED * INVERSE) / ROWS, rtol=1e-5)
    assert tape.gradient(fit, errors) is None
    expected = -2 * OBSERVED * INVERSE * (ERRORS - IMPUTED) / ROWS
    np.testing.assert_allclose(tape.gradient(fit, imputed), expected, rtol=1e-4, atol=1e-7)


def test_nothing_observed_and_no_rows():
    none = np.zeros(ROWS, "float32")
    assert float(inverse_propensity_risk(ERRORS, none, INVERSE)) == 0
    assert float(imputation_risk(ERRORS, IMPUTED, none, INVERSE)) == 0
    np.testing.assert_allclose(doubly_robust_risk(ERRORS, IMPUTED, none, INVERSE), IMPUTED.mean(), rtol=1e-5)
    empty = np.zeros(0, "float32")
    assert float(doubly_robust_risk(empty, empty, empty, empty)) == 0
    assert float(inverse_propensity_risk(ERRORS, OBSERVED, INVERSE, none)) == 0
