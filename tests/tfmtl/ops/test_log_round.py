"""log_round."""

import numpy as np
import pytest

from tests.tfmtl.backends import assert_same, to_numpy
from tests.tfmtl.numpy_layers import log_round_ids
from tfmtl.features import NumericalFeature
from tfmtl.ops import log_round

NUMBERS = np.float32([0, 0.1, 0.5, 1, 2, 3.3, 10, 1234, 9e9, 3e38, np.inf])
NUMBERS = np.concatenate([NUMBERS, -NUMBERS, [np.float32("nan")]])


@pytest.mark.parametrize("bounds", [(0, 64), (-8, 8), (-40, -2), (3, 4)])
@pytest.mark.parametrize("scale", [1.0, 4.0, 7.5])
@pytest.mark.parametrize("default", [None, 2.0, -5.0])
def test_ids_equal_those_of_plain_python(bounds, scale, default):
    ids = to_numpy(log_round(NUMBERS, scale, *bounds, default))
    assert_same(ids, log_round_ids(NUMBERS, scale, *bounds, default))
    feature = NumericalFeature("price", scale=scale, min_bucket=bounds[0], max_bucket=bounds[1])
    assert ids.min() >= 0
    assert ids.max() <= feature.max_bucket - feature.min_bucket + 1
    assert (ids[-1] == 0) == (default is None)


def test_ids_of_powers_of_e():
    assert_same(log_round([0.0, np.e - 1, np.e**2 - 1, -(np.e**2) + 1], 4.0, -10, 10), [11, 15, 19, 3])
