"""Inverse propensity scoring and the doubly robust risk: values, and estimates where the probabilities are known."""

import numpy as np
import pytest

from tests.tfmtl.losses.gradients import gradients, tensor, value_and_gradients
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
    weights, (slopes,) = value_and_gradients(lambda z: inverse_propensity(z, 30.0), tensor(logits))
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
    assert float(inverse_propensity(-100.0)) == 100
    assert np.all(np.isfinite(slopes))
    np.testing.assert_allclose(slopes[3:5], -np.exp([1.0, 0.0]), rtol=1e-5)
    np.testing.assert_array_equal(slopes[:3], np.zeros(3))


@pytest.mark.parametrize("weights", [None, SAMPLE])
def test_values(weights):
    ips = mean([o * w * e for o, w, e in zip(OBSERVED, INVERSE, ERRORS, strict=True)], weights)
    np.testing.assert_allclose(float(inverse_propensity_risk(ERRORS, OBSERVED, INVERSE, weights)), ips, rtol=1e-5)
    rows = list(zip(ERRORS, IMPUTED, OBSERVED, INVERSE, strict=True))
    dr = mean([d + (w * (e - d) if o else 0) for e, d, o, w in rows], weights)
    np.testing.assert_allclose(float(doubly_robust_risk(ERRORS, IMPUTED, OBSERVED, INVERSE, weights)), dr, rtol=1e-5)
    squares = mean([w * (e - d) ** 2 if o else 0 for e, d, o, w in rows], weights)
    np.testing.assert_allclose(float(imputation_risk(ERRORS, IMPUTED, OBSERVED, INVERSE, weights)), squares, rtol=1e-5)


@pytest.mark.parametrize("unobserved", [7.0, np.nan, np.inf])
def test_ignores_errors_of_unobserved_rows(unobserved):
    others = np.where(OBSERVED == 1, ERRORS, np.float32(unobserved))
    for loss, arguments in (
        (inverse_propensity_risk, ()),
        (doubly_robust_risk, (IMPUTED,)),
        (imputation_risk, (IMPUTED,)),
    ):
        before = float(loss(ERRORS, *arguments, OBSERVED, INVERSE))
        assert before > 0.1
        after, slopes = value_and_gradients(loss, others, *arguments, OBSERVED, INVERSE)
        np.testing.assert_allclose(after, before, rtol=1e-6)
        assert all(np.isfinite(slope).all() for slope in slopes)


def estimates(propensity, imputed, draws=2000):
    """Returns the errors of the naive, IPS and DR estimates of a mean, one draw per row.

    A click is more probable where the loss is small.
    """
    rng = np.random.default_rng(1)
    clicks = rng.uniform(0.1, 0.9, 300)
    errors = (1.2 - clicks + rng.uniform(0, 0.2, 300)).astype("float32")
    propensities = {"correct": clicks, "wrong": np.full(300, 0.5)}[propensity]
    guess = {"correct": errors, "close": errors + rng.normal(0, 0.1, 300), "wrong": np.full(300, 0.3)}[imputed]
    inverse, guess = (1 / propensities).astype("float32"), guess.astype("float32")
    draws_found = []
    for _ in range(draws):
        observed = (rng.random(300) < clicks).astype("float32")
        ips = np.mean(observed * inverse * errors)
        dr = np.mean(guess + observed * inverse * (errors - guess))
        draws_found.append((np.sum(observed * errors) / observed.sum(), ips, dr))
    last = (
        float(inverse_propensity_risk(errors, observed, inverse)),
        float(doubly_robust_risk(errors, guess, observed, inverse)),
    )
    np.testing.assert_allclose(last, draws_found[-1][1:], rtol=1e-4)
    return np.array(draws_found) - errors.mean()


def test_doubly_robust_estimate_is_unbiased_if_propensity_or_imputation_is_correct():
    naive, ips, dr = estimates("correct", "wrong").mean(axis=0)
    assert naive < -0.05
    assert abs(ips) < 0.01
    assert abs(dr) < 0.01
    _, ips, dr = estimates("wrong", "correct").mean(axis=0)
    assert abs(ips) > 0.05
    assert abs(dr) < 1e-5


def test_close_imputation_reduces_the_variance():
    _, ips, dr = estimates("correct", "close").std(axis=0)
    assert dr < ips / 3


def test_gradients():
    inputs = tensor(ERRORS), tensor(IMPUTED)
    errors, imputed = gradients(lambda e, d: doubly_robust_risk(e, d, OBSERVED, INVERSE), *inputs)
    np.testing.assert_allclose(errors, OBSERVED * INVERSE / ROWS, rtol=1e-5)
    np.testing.assert_allclose(imputed, (1 - OBSERVED * INVERSE) / ROWS, rtol=1e-5, atol=1e-8)
    errors, imputed = gradients(lambda e, d: imputation_risk(e, d, OBSERVED, INVERSE), *inputs)
    np.testing.assert_array_equal(errors, np.zeros(ROWS))
    expected = -2 * OBSERVED * INVERSE * (ERRORS - IMPUTED) / ROWS
    np.testing.assert_allclose(imputed, expected, rtol=1e-4, atol=1e-7)


def test_no_observed_row_and_no_row():
    none = np.zeros(ROWS, "float32")
    assert float(inverse_propensity_risk(ERRORS, none, INVERSE)) == 0
    assert float(imputation_risk(ERRORS, IMPUTED, none, INVERSE)) == 0
    np.testing.assert_allclose(float(doubly_robust_risk(ERRORS, IMPUTED, none, INVERSE)), IMPUTED.mean(), rtol=1e-5)
    empty = np.zeros(0, "float32")
    assert float(doubly_robust_risk(empty, empty, empty, empty)) == 0
    assert float(inverse_propensity_risk(ERRORS, OBSERVED, INVERSE, none)) == 0
