"""TaskAttention."""

import numpy as np
import pytest

from tests.tfmtl.layers.layer_harness import run_layer_test
from tests.tfmtl.numpy_layers import dense, task_attention
from tfmtl import introspection
from tfmtl.layers import TaskAttention

RNG = np.random.default_rng(0)
CURRENT, PREVIOUS = RNG.normal(size=(2, 4, 5)).astype("float32")
BOTH = pytest.mark.parametrize("query", ["current", "each"])


def randomized(query="current", **kwargs):
    """A layer whose weights, the biases too, all count."""
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
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-5)
    assert list(taps) == ["task_attention/buy"]
    np.testing.assert_allclose(taps["task_attention/buy"], weights, rtol=1e-5, atol=1e-6)


def test_the_first_task_attends_to_itself_alone():
    layer = TaskAttention(name="click")
    with introspection.collect() as taps:
        outputs = layer(CURRENT)
    assert [weight.shape for weight in layer.weights] == [(5, 5), (5,)]
    np.testing.assert_allclose(outputs, dense(layer.value, CURRENT), atol=1e-6)
    np.testing.assert_array_equal(taps["task_attention/click"], np.tile([0.0, 1.0], (4, 1)))


@BOTH
def test_extreme_tokens_select_one(query):
    layer = TaskAttention(query)
    layer(CURRENT, PREVIOUS)
    eye, zero = np.eye(5, dtype="float32"), np.zeros(5, "float32")
    layer.set_weights([eye, zero] * 3)
    current, previous = np.full((4, 5), 1e3, "float32"), np.full((4, 5), 1e2, "float32")
    np.testing.assert_allclose(layer(current, previous), current)
    outputs = layer(-current, previous)
    np.testing.assert_allclose(outputs, -current)
    assert np.all(np.isfinite(outputs))


def test_weights_are_float32_under_mixed_precision():
    layer = TaskAttention(dtype="mixed_bfloat16", name="buy")
    with introspection.collect() as taps:
        layer(CURRENT, PREVIOUS)
    weights = np.asarray(taps["task_attention/buy"])
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)


def test_tokens_of_two_widths():
    with pytest.raises(ValueError, match=r"`previous` should be as wide as `current`, 5. Received: 3"):
        TaskAttention()(CURRENT, PREVIOUS[:, :3])


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"`query` should be one of current, each. Received: 'previous'"):
        TaskAttention("previous")
