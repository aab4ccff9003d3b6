"""Losses of binary and count tasks, on logits."""

import numpy as np
import pytest

from tests.tfmtl.backends import dtype_name, to_numpy
from tests.tfmtl.losses.gradients import gradients, tensor
from tfmtl.losses import binary_cross_entropy, poisson, rate
from tfmtl.losses.logit_losses import MAX_LOG_RATE

LOGITS = np.array([-100, -30, -5, -1, -1e-3, 0, 1e-3, 1, 5, 30, 100], "float32")
LOG_RATES = np.array([-100, -20, -1, 0, 0.5, 3, 10, np.log(1e8), 19.9], "float32")
COUNTS = np.array([0, 1, 7, 1e6], "float32")


def exact_cross_entropy(labels, logits):
    return labels * np.logaddexp(0, -logits) + (1 - labels) * np.logaddexp(0, logits)


def exact_poisson(labels, logits):
    return np.exp(logits) - labels * logits


def grid(labels, logits):
    """Returns all pairs, as float32 tensors and as float64 arrays."""
    y, z = (array.ravel() for array in np.meshgrid(labels, logits))
    return (tensor(y), tensor(z)), (y.astype("float64"), z.astype("float64"))


def gradient(loss, labels, logits):
    return gradients(lambda z: loss(labels, z), logits)[0]


def difference_quotient(function, labels, logits, step=1e-6):
    """Returns central differences of the exact loss in float64."""
    return (function(labels, logits + step) - function(labels, logits - step)) / (2 * step)


def test_cross_entropy_values():
    tensors, arrays = grid(np.array([0, 0.3, 1], "float32"), LOGITS)
    losses = to_numpy(binary_cross_entropy(*tensors))
    np.testing.assert_allclose(losses, exact_cross_entropy(*arrays), rtol=1e-6, atol=1e-38)


def test_cross_entropy_gradients_include_zero_logits():
    tensors, arrays = grid(np.array([0, 0.3, 1], "float32"), LOGITS)
    expected = difference_quotient(exact_cross_entropy, *arrays)
    np.testing.assert_allclose(gradient(binary_cross_entropy, *tensors), expected, atol=1e-6)


def test_poisson_values():
    tensors, arrays = grid(COUNTS, LOG_RATES)
    np.testing.assert_allclose(to_numpy(poisson(*tensors)), exact_poisson(*arrays), rtol=1e-5, atol=1e-38)


def test_poisson_gradients():
    tensors, arrays = grid(COUNTS, LOG_RATES)
    expected = difference_quotient(exact_poisson, *arrays)
    scale = np.exp(arrays[1]) + arrays[0] + 1
    np.testing.assert_allclose(gradient(poisson, *tensors) / scale, expected / scale, atol=1e-5)


def test_poisson_continues_as_a_tangent():
    logits = np.array([20, 25, 100], "float32")
    (labels, z), _ = grid(np.array([5], "float32"), logits)
    tangent = np.exp(20.0) * (1 + logits.astype("float64") - 20)
    np.testing.assert_allclose(to_numpy(poisson(labels, z)), tangent - 5.0 * logits, rtol=1e-5)
    np.testing.assert_allclose(gradient(poisson, labels, z), np.exp(20.0) - 5, rtol=1e-5)


@pytest.mark.parametrize(("loss", "labels"), [(binary_cross_entropy, [0, 1]), (poisson, COUNTS)])
def test_finite_at_extreme_logits(loss, labels):
    (labels, logits), _ = grid(np.array(labels, "float32"), np.array([-1e6, -100, 100, 1e6], "float32"))
    assert np.all(np.isfinite(to_numpy(loss(labels, logits))))
    assert np.all(np.isfinite(gradient(loss, labels, logits)))


def test_minimum_is_at_the_mean():
    for mean in (0.01, 0.5, 0.99):
        logit = tensor([np.log(mean / (1 - mean))])
        assert abs(gradient(binary_cross_entropy, tensor([mean]), logit)[0]) < 1e-6
    for mean in (0.01, 1.0, 1e6):
        logit = tensor([np.log(mean)])
        assert abs(gradient(poisson, tensor([mean]), logit)[0]) < 1e-5 * max(mean, 1)


def test_rate():
    np.testing.assert_allclose(to_numpy(rate(LOG_RATES)), np.exp(LOG_RATES.astype("float64")), rtol=1e-5, atol=1e-38)
    np.testing.assert_allclose(to_numpy(rate([21.0, 1e6])), np.exp(MAX_LOG_RATE), rtol=1e-5)


@pytest.mark.parametrize("loss", [binary_cross_entropy, poisson])
def test_integer_labels_and_16_bit_logits(loss):
    logits = np.float32([1.0, -2.0, 0.5])
    exact = loss(tensor([0.0, 1.0, 1.0]), logits)
    assert dtype_name(exact) == "float32"
    np.testing.assert_array_equal(to_numpy(loss(np.array([0, 1, 1], "int64"), logits)), to_numpy(exact))
    np.testing.assert_array_equal(to_numpy(loss(np.array([0, 1, 1]), tensor(logits, "bfloat16"))), to_numpy(exact))
