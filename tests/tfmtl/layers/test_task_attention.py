"""TaskAttention."""

import numpy as np
import pytest

from tests.tfmtl.backends import assert_close, assert_same, to_numpy
from tests.tfmtl.layers.layer_harness import run_layer_test
from tests.tfmtl.numpy_layers import dense, task_attention
from tfmtl import introspection
from tfmtl.layers import TaskAttention

RNG = np.random.default_rng(0)
CURRENT, PREVIOUS = RNG.normal(size=(2, 4, 5)).astype("float32")
BOTH = pytest.mark.parametrize("query", ["current", "each"])


def randomized(query="current", **kwargs):
    """A layer with random weights, including the biases."""
    layer = TaskAttention(query, **kwargs)
    layer(CURRENT, PREVIOUS)
    layer.set_weights([RNG.normal(0, 0.7, weight.shape) for weight in layer.weights])
    return layer


@BOTH
def test_layer_contract(query):
    run_layer_test(TaskAttention, {"query": query}, (CURRENT, PREVIOUS), (4, 5))


def test_layer_contract_of_a_first_task():
    run_layer_test(TaskAttention, {}, (CURRENT,), (4, 5))


@BOTH
def test_values(query):
    layer = randomized(query, name="buy")
    with introspection.collect() as taps:
        outputs = layer(CURRENT, PREVIOUS)
    expected, weights = task_attention(layer, CURRENT, PREVIOUS, each=query == "each")
    assert_close(outputs, expected, rtol=1e-5, atol=1e-5)
    assert list(taps) == ["task_attention/buy"]
    assert_close(taps["task_attention/buy"], weights, rtol=1e-5, atol=1e-6)


def test_first_task_attends_only_to_itself():
    layer = TaskAttention(name="click")
    with introspection.collect() as taps:
        outputs = layer(CURRENT)
    assert [weight.shape for weight in layer.weights] == [(5, 5), (5,)]
    assert_close(outputs, dense(layer.value, CURRENT), atol=1e-6)
    assert_same(taps["task_attention/click"], np.tile([0.0, 1.0], (4, 1)))


@BOTH
def test_extreme_tokens_select_one(query):
    layer = TaskAttention(query)
    layer(CURRENT, PREVIOUS)
    eye, zero = np.eye(5, dtype="float32"), np.zeros(5, "float32")
    layer.set_weights([eye, zero] * 3)
    current, previous = np.full((4, 5), 1e3, "float32"), np.full((4, 5), 1e2, "float32")
    assert_close(layer(current, previous), current)
    outputs = layer(-current, previous)
    assert_close(outputs, -current)
    assert np.all(np.isfinite(to_numpy(outputs)))


def test_weights_are_float32_under_mixed_precision():
    layer = TaskAttention(dtype="mixed_bfloat16", name="buy")
    with introspection.collect() as taps:
        layer(CURRENT, PREVIOUS)
    weights = to_numpy(taps["task_attention/buy"])
    assert weights.dtype == np.float32
    assert_close(weights.sum(axis=1), 1, atol=1e-6)


def test_rejects_tokens_of_different_widths():
    with pytest.raises(ValueError, match=r"`previous` should be as wide as `current`, 5. Received: 3"):
        TaskAttention()(CURRENT, PREVIOUS[:, :3])


def test_rejects_wrong_arguments():
    with pytest.raises(ValueError, match=r"`query` should be one of current, each. Received: 'previous'"):
        TaskAttention("previous")
