"""CrossStitch."""

import numpy as np
import pytest

from tests.tfmtl.backends import assert_close, assert_same
from tests.tfmtl.layers.layer_harness import run_layer_test
from tfmtl import introspection
from tfmtl.layers import CrossStitch

TASKS = ["click", "buy", "back"]
RNG = np.random.default_rng(0)
X = {task: RNG.normal(size=(4, 5)).astype("float32") for task in TASKS}


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("tasks", [TASKS, TASKS[:1]])
def test_layer_contract(tasks, per_channel):
    inputs = {task: X[task] for task in tasks}
    run_layer_test(CrossStitch, {"tasks": tasks, "per_channel": per_channel}, (inputs,), dict.fromkeys(tasks, (4, 5)))


@pytest.mark.parametrize("per_channel", [False, True])
def test_values(per_channel):
    layer = CrossStitch(TASKS, per_channel=per_channel)
    layer(X)
    weights = RNG.normal(size=(3, 3, 5 if per_channel else 1)).astype("float32")
    layer.set_weights([weights])
    with introspection.collect() as taps:
        outputs = layer(X)
    assert_same(taps[f"cross_stitch/{layer.name}"], weights)
    for k, task in enumerate(TASKS):
        for channel in range(5):
            row = weights[k, :, channel if per_channel else 0]
            expected = sum(row[j] * X[other][:, channel] for j, other in enumerate(TASKS))
            assert_close(outputs[task][:, channel], expected, rtol=1e-5, atol=1e-6)


def test_starts_near_the_identity():
    outputs = CrossStitch(TASKS, own=0.8)(X)
    for task in TASKS:
        others = sum(X[other] for other in TASKS if other != task)
        assert_close(outputs[task], 0.8 * X[task] + 0.1 * others, rtol=1e-5, atol=1e-6)
    assert_same(CrossStitch(["click"], own=0.8)({"click": X["click"]})["click"], X["click"])
    assert_same(CrossStitch(TASKS, own=1.0)(X)["buy"], X["buy"])


def test_rejects_wrong_arguments():
    for tasks in ([], ["a", "a"]):
        with pytest.raises(ValueError, match="`tasks` should be at least one name, without duplicates"):
            CrossStitch(tasks)
    with pytest.raises(ValueError, match=r"`own` should be in \[0, 1\]. Received: 1.1"):
        CrossStitch(TASKS, own=1.1)
    with pytest.raises(ValueError, match=r"`inputs` should be of click, buy, back. Received: click"):
        CrossStitch(TASKS)({"click": X["click"]})
    with pytest.raises(ValueError, match=r"`inputs` should be of one width. Received: \[2, 5\]"):
        CrossStitch(TASKS)({**X, "buy": X["buy"][:, :2]})
