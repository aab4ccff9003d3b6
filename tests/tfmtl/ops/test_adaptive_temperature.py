"""adaptive_temperature."""

import numpy as np

from tfmtl.ops import adaptive_temperature


def test_temperature():
    found = adaptive_temperature(np.array([0, 0.25, 1], "float32"), 0.05, 1.0)
    np.testing.assert_allclose(found, [1, 0.7625, 0.05], rtol=1e-6)
