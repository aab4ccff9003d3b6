"""adaptive_temperature."""

import numpy as np

from tests.tfmtl.backends import assert_close
from tfmtl.ops import adaptive_temperature


def test_values():
    temperatures = adaptive_temperature(np.array([0, 0.25, 1], "float32"), 0.05, 1.0)
    assert_close(temperatures, [1, 0.7625, 0.05], rtol=1e-6)
