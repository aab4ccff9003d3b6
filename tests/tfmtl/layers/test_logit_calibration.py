"""LogitCalibration."""

import numpy as np
import pytest

from tests.tfmtl.backends import assert_close, to_numpy
from tests.tfmtl.layers.layer_harness import run_layer_test
from tfmtl.calibration import LogitMap
from tfmtl.layers import LogitCalibration

LOGITS = np.array([-3.0, 0.2, 5.0], "float32")
GROUPS = np.array([0, 2, 1])


def random_map(rng, knots):
    positions = np.sort(rng.normal(0, 2, knots))
    return LogitMap(positions, np.cumsum(rng.exponential(1, knots)), *rng.exponential(1, 2))


def test_layer_contract():
    run_layer_test(LogitCalibration, {"groups": 3}, (LOGITS, GROUPS), (3,), mixed_output_dtype="float32", learns=False)


def test_a_new_layer_is_the_identity():
    assert_close(LogitCalibration()(LOGITS), LOGITS)


def test_maps_of_groups_are_those_of_numpy():
    rng = np.random.default_rng(0)
    maps = {0: random_map(rng, 1), 2: random_map(rng, 5), 3: random_map(rng, 8)}
    layer = LogitCalibration(groups=4, knots=8)
    layer.set_maps(maps)
    logits, groups = rng.normal(0, 4, 1000).astype("float32"), rng.integers(0, 4, 1000)
    expected = logits.astype("float64")
    for group, one in maps.items():
        expected[groups == group] = one(expected[groups == group])
    assert_close(layer(logits, groups), expected, atol=1e-4)


def test_set_maps_replaces_all_maps():
    layer = LogitCalibration(groups=2)
    layer.set_maps({1: random_map(np.random.default_rng(0), 4)})
    layer.set_maps({})
    np.testing.assert_array_equal(to_numpy(layer(LOGITS, GROUPS % 2)), LOGITS)


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r"`knots` should be at least 1\. Received: 0"):
        LogitCalibration(knots=0)
    with pytest.raises(ValueError, match=r"at most 2 knots\. Received: 3"):
        LogitCalibration(knots=2).set_maps({0: random_map(np.random.default_rng(0), 3)})
