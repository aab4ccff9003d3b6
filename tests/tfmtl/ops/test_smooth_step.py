"""smooth_step: equation 13 of APEM, and its slope."""

import numpy as np
import pytest
from keras import ops

from tests.tfmtl.backends import BACKEND, dtype_name, gradients, to_numpy
from tfmtl.ops import smooth_step

GAMMAS = pytest.mark.parametrize("gamma", [10.0, 3.7, 1.0, 0.02, 1e-3])


def equation_13(z, gamma):
    """The cubic as printed, in float64."""
    z = np.asarray(z, "float64")
    cubic = -2 / gamma**3 * z**3 + 3 / (2 * gamma) * z + 0.5
    return np.where(z <= -gamma / 2, 0.0, np.where(z >= gamma / 2, 1.0, cubic))


def value_and_slope(z, gamma):
    z = np.asarray(z, "float32")
    (slope,) = gradients(lambda z: ops.sum(smooth_step(z, gamma)), [z])
    return to_numpy(smooth_step(z, gamma)), to_numpy(slope)


@GAMMAS
def test_equation_13(gamma):
    z = np.linspace(-0.8, 0.8, 2001) * gamma
    value, _ = value_and_slope(z, gamma)
    np.testing.assert_allclose(value, equation_13(z, gamma), atol=1e-6)
    assert value.min() == 0
    assert value.max() == 1
    assert np.all(np.diff(value) >= -1e-7)


@GAMMAS
def test_value_and_slope_are_exact_at_both_ends_and_in_the_middle(gamma):
    half = np.float32(gamma) / 2
    value, slope = value_and_slope([-half, 0.0, half], gamma)
    rounding = 1e-6 if BACKEND == "jax" else 0.0  # XLA multiplies by 1 / gamma.
    np.testing.assert_allclose(value, [0.0, 0.5, 1.0], rtol=0, atol=rounding)
    np.testing.assert_allclose(slope[[0, 2]] * gamma, [0.0, 0.0], rtol=0, atol=rounding)
    np.testing.assert_allclose(slope[1], 3 / (2 * gamma), rtol=1e-6)


@GAMMAS
def test_slope_agrees_with_finite_differences(gamma):
    z = np.linspace(-0.7, 0.7, 57) * gamma
    h = 1e-5 * gamma
    expected = (equation_13(z + h, gamma) - equation_13(z - h, gamma)) / (2 * h)
    _, slope = value_and_slope(z, gamma)
    np.testing.assert_allclose(slope * gamma, expected * gamma, atol=1e-4)


@GAMMAS
def test_values_far_from_the_step_are_0_or_1_without_slope(gamma):
    far = np.float32([gamma, 100, 1e10, 3e38, np.inf])
    for sign, expected in ((-1, 0.0), (1, 1.0)):
        value, slope = value_and_slope(sign * np.maximum(far, gamma), gamma)
        np.testing.assert_array_equal(value, np.full(5, expected))
        np.testing.assert_array_equal(slope, np.zeros(5))


def test_output_is_float32_and_in_the_unit_interval():
    z = ops.cast(np.random.default_rng(0).normal(size=10_000), "bfloat16")
    value = smooth_step(z, 1.5)
    assert dtype_name(value) == "float32"
    assert 0 <= to_numpy(value).min() < to_numpy(value).max() <= 1
