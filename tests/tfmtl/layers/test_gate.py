"""Gate."""

import numpy as np
import pytest

from tests.tfmtl.backends import assert_close, to_numpy
from tests.tfmtl.layers.layer_harness import run_layer_test
from tests.tfmtl.numpy_layers import softmax
from tfmtl import introspection
from tfmtl.layers import Gate

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 6)).astype("float32")


def experts(count):
    return RNG.normal(size=(4, count, 5)).astype("float32")


def test_layer_contract():
    run_layer_test(Gate, {}, (X, experts(3)), (4, 5))


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis -1")
def test_layer_contract_with_one_expert():
    run_layer_test(Gate, {}, (X, experts(1)), (4, 5), learns=False)


def test_values():
    gate, h = Gate(name="click"), experts(3)
    outputs = to_numpy(gate(X, h))
    weights = softmax(X @ gate.get_weights()[0])
    assert_close(outputs, sum(weights[:, [e]] * h[:, e] for e in range(3)), atol=1e-5)


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis -1")
def test_single_expert_is_returned():
    h = experts(1)
    assert_close(Gate()(X, h), h[:, 0], atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_weights_are_recorded_and_sum_to_1(dtype):
    gate = Gate(name="click", dtype=dtype)
    with introspection.collect() as taps:
        gate(X, experts(3))
    assert list(taps) == ["gate/click"]
    weights = to_numpy(taps["gate/click"])
    assert weights.shape == (4, 3)
    assert weights.dtype == np.float32
    assert_close(weights.sum(axis=1), 1, atol=1e-6)
    assert weights.min() >= 0


def test_extreme_logits_select_one_expert():
    gate, h = Gate(), experts(2)
    gate.build((None, 6), (None, 2, 5))
    gate.set_weights([np.stack([np.full(6, 1e4), np.full(6, -1e4)], axis=1)])
    assert_close(gate(np.ones((4, 6), "float32"), h), h[:, 0], atol=1e-6)
