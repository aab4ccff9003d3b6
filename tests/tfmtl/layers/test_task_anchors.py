"""TaskAnchors."""

import numpy as np
import pytest

from tests.tfmtl.backends import assert_close, import_tensorflow, to_numpy
from tests.tfmtl.layers.layer_harness import run_layer_test
from tfmtl.backend import is_tensorflow
from tfmtl.layers import TaskAnchors

IDS = np.array([2, 0, 1, 2], "int64")


def test_layer_contract():
    run_layer_test(TaskAnchors, {"num_tasks": 3, "units": 5, "dim": 4}, (IDS,), (4, 5))


def test_values():
    layer = TaskAnchors(3, units=5, dim=4)
    outputs = to_numpy(layer(IDS))
    table, kernel, bias = layer.get_weights()
    hidden = table[IDS] @ kernel + bias
    assert hidden.min() < 0 < hidden.max()
    assert_close(outputs, np.where(hidden > 0, hidden, 0.2 * hidden), atol=1e-6)


@pytest.mark.parametrize("task", [3, -1])
def test_id_outside_the_tasks(task):
    layer, ids = TaskAnchors(3, units=5, dim=4), np.array([2, task])
    layer(IDS)
    if is_tensorflow():
        tf = import_tensorflow("errors from compiled code")
        message = rf"ids of 'tasks' should be in \[0, 3\)\. Received: {task}"
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            layer(ids)
    else:
        np.testing.assert_array_equal(np.isnan(to_numpy(layer(ids))).all(axis=1), [False, True])


def test_ids_of_any_rank():
    layer = TaskAnchors(3, units=5, dim=4)
    outputs = to_numpy(layer(IDS))
    assert_close(layer(IDS.reshape(2, 2)), outputs.reshape(2, 2, 5), atol=1e-6)


@pytest.mark.parametrize("name", ["num_tasks", "units", "dim"])
def test_rejects_wrong_arguments(name):
    with pytest.raises(ValueError, match=rf"`{name}` should be at least 1\. Received: 0"):
        TaskAnchors(**{"num_tasks": 2, "units": 5, "dim": 4, name: 0})
