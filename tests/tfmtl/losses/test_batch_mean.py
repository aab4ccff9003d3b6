"""Means over the rows of a batch on one replica; tests/tfmtl/training covers several replicas."""

import numpy as np
import pytest

from tests.tfmtl.backends import dtype_name, to_numpy
from tests.tfmtl.losses.gradients import value_and_gradients
from tfmtl.losses.batch_mean import (
    batch_mean,
    mask_values,
    mean_by_rows,
    mean_of_sums,
    num_replicas,
    replica_mean,
    replica_rows,
    share_gradient,
    sum_over_replicas,
)

VALUES, WEIGHTS = np.float32([1.0, 2.0, 6.0]), np.float32([1.0, 0.0, 3.0])


def test_means():
    assert float(batch_mean(VALUES)) == 3
    assert float(batch_mean(VALUES, WEIGHTS)) == 4.75
    assert float(batch_mean(VALUES, 0 * WEIGHTS)) == 0
    assert float(batch_mean(VALUES[:0])) == 0
    assert float(replica_mean(VALUES)) == 3
    assert float(replica_mean(VALUES[:0])) == 0
    assert dtype_name(batch_mean([1, 2], [True, False])) == "float32"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_ignores_values_of_weight_0_that_are_not_finite(value):
    values = np.where(WEIGHTS == 0, np.float32(value), VALUES)
    mean, (slopes, weight_slopes) = value_and_gradients(batch_mean, values, WEIGHTS)
    assert mean == 4.75
    np.testing.assert_allclose(slopes, [0.25, 0, 0.75])
    np.testing.assert_allclose(weight_slopes[[0, 2]], (VALUES[[0, 2]] - 4.75) / 4, rtol=1e-6)
    assert np.isfinite(weight_slopes).all()
    mean, (slopes, weight_slopes) = value_and_gradients(batch_mean, np.full(3, value, "float32"), 0 * WEIGHTS)
    assert mean == 0
    np.testing.assert_array_equal(slopes, np.zeros(3))
    assert np.isfinite(weight_slopes).all()


def test_keeps_values_that_are_not_finite_and_have_a_weight():
    assert np.isnan(float(batch_mean(np.float32([1.0, np.nan]), [1.0, 1.0])))
    np.testing.assert_array_equal(to_numpy(mask_values([np.nan, np.nan, 3.0], [0.0, 0.5, 2.0])), [0.0, np.nan, 3.0])


def test_one_replica_needs_no_communication():
    assert num_replicas() == 1
    with replica_rows():
        assert num_replicas() == 1
    for value in (mean_by_rows(VALUES[2], 3), sum_over_replicas(VALUES[2]), share_gradient(VALUES[2])):
        assert float(value) == 6
    assert float(mean_of_sums(np.float32(6), np.float32(4))) == 1.5
    assert float(mean_of_sums(np.float32(6), np.float32(0))) == 0
