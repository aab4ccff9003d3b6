"""TaskAnchors."""

import numpy as np
import pytest

from tests.tfmtl.layers.layer_harness import run_layer_test
from tfmtl.layers import TaskAnchors

IDS = np.array([2, 0, 1, 2], "int64")


def test_layer_contract():
    run_layer_test(TaskAnchors, {"num_tasks": 3, "units": 5, "dim": 4}, (IDS,), (4, 5))


def test_values():
    layer = TaskAnchors(3, units=5, dim=4)
    outputs = np.asarray(layer(IDS))
    table, kernel, bias = layer.get_weights()
    hidden = table[IDS] @ kernel + bias
    assert hidden.min() < 0 < hidden.max()
    np.testing.assert_allclose(outputs, np.where(hidden > 0, hidden, 0.2 * hidden), atol=1e-6)


@pytest.mark.parametrize("name", ["num_tasks", "units", "dim"])
def test_bad_arguments(name):
    with pytest.raises(ValueError, match=rf"`{name}` should be at least 1\. Received: 0"):
        TaskAnchors(**{"num_tasks": 2, "units": 5, "dim": 4, name: 0})
