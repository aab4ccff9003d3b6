"""Focal cross-entropy."""

import numpy as np
import pytest

from tests.tfmtl.backends import to_numpy
from tests.tfmtl.losses.gradients import tensor, value_and_gradients
from tfmtl.losses import binary_cross_entropy, focal_cross_entropy

LOGITS = np.array([-30, -5, -1, -1e-3, 0, 1e-3, 1, 5, 30], "float64")
GAMMAS = pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 5.0])


def exact(labels, logits, gamma):
    p = 1 / (1 + np.exp(-logits))
    q = 1 / (1 + np.exp(logits))
    return -labels * q**gamma * np.log(p) - (1 - labels) * p**gamma * np.log(q)


def grid(logits):
    labels, logits = (array.ravel() for array in np.meshgrid([0.0, 0.3, 1.0], logits))
    return labels, logits


def value_and_gradient(labels, logits, gamma):
    losses, (slopes,) = value_and_gradients(lambda z: focal_cross_entropy(labels, z, gamma), tensor(logits))
    return losses, slopes


@GAMMAS
def test_values_and_gradients(gamma):
    labels, logits = grid(LOGITS)
    losses, slopes = value_and_gradient(labels, logits, gamma)
    np.testing.assert_allclose(losses, exact(labels, logits, gamma), rtol=1e-5, atol=1e-12)
    quotient = (exact(labels, logits + 1e-5, gamma) - exact(labels, logits - 1e-5, gamma)) / 2e-5
    np.testing.assert_allclose(slopes, quotient, rtol=1e-4, atol=1e-6)


def test_gamma_of_zero_gives_the_cross_entropy():
    labels, logits = grid(LOGITS)
    losses, _ = value_and_gradient(labels, logits, 0.0)
    np.testing.assert_allclose(losses, to_numpy(binary_cross_entropy(labels, logits)), rtol=1e-5, atol=1e-12)


@GAMMAS
def test_finite_at_extreme_logits(gamma):
    losses, slopes = value_and_gradient(*grid(np.array([-1e6, -100.0, 100.0, 1e6])), gamma)
    assert np.isfinite(losses).all()
    assert np.isfinite(slopes).all()


def test_well_predicted_rows_have_less_weight():
    good, bad = (float(focal_cross_entropy([1.0], [z], 2.0)[0]) for z in (3.0, -3.0))
    plain = [float(binary_cross_entropy([1.0], [z])[0]) for z in (3.0, -3.0)]
    assert good / plain[0] < 0.01 < 0.8 < bad / plain[1]
