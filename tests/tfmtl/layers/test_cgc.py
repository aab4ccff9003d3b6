"""CGC."""

import numpy as np
import pytest

from tests.tfmtl.backends import assert_close, assert_same, to_numpy
from tests.tfmtl.layers.layer_harness import run_layer_test
from tests.tfmtl.numpy_layers import experts, gated
from tfmtl import introspection
from tfmtl.layers import CGC

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 6)).astype("float32")
KWARGS = {"tasks": ["click", "buy", "back"], "num_shared": 2, "num_per_task": 3, "units": [7, 5]}
SHAPES = dict.fromkeys(KWARGS["tasks"], (4, 5))


def randomized(**changed):
    """A layer with random weights, including the biases."""
    layer = CGC(**{**KWARGS, **changed})
    layer(X)
    layer.set_weights([RNG.normal(0, 0.7, weight.shape) for weight in layer.weights])
    return layer


def expected(layer, own, shared):
    """Mixture of each task's experts, given by their indices in the bank, and the weights of its gate."""
    bank, mixed, weights = experts(layer.experts, X), {}, {}
    for task in layer.tasks:
        seen = [bank[e] for e in (*own.get(task, []), *shared)]
        mixed[task], weights[task] = gated(layer.gates[task], X, seen)
    return mixed, weights


def test_layer_contract():
    run_layer_test(CGC, KWARGS, (X,), SHAPES)


@pytest.mark.parametrize(("shared", "per_task"), [(0, 2), (3, 0)])
def test_layer_contract_with_one_kind_of_experts(shared, per_task):
    run_layer_test(CGC, {**KWARGS, "num_shared": shared, "num_per_task": per_task}, (X,), SHAPES)


@pytest.mark.parametrize(
    ("counts", "own", "shared"),
    [
        ((2, 3), {"click": [0, 1, 2], "buy": [3, 4, 5], "back": [6, 7, 8]}, [9, 10]),
        ((0, 2), {"click": [0, 1], "buy": [2, 3], "back": [4, 5]}, []),
        ((3, 0), {}, [0, 1, 2]),
    ],
)
def test_values(counts, own, shared):
    layer = randomized(num_shared=counts[0], num_per_task=counts[1])
    with introspection.collect() as taps:
        outputs = layer(X)
    mixed, weights = expected(layer, own, shared)
    assert list(outputs) == KWARGS["tasks"]
    for task, output in outputs.items():
        assert_close(output, mixed[task], rtol=1e-5, atol=1e-5)
        assert_close(taps[f"gate/{task}"], weights[task], rtol=1e-5, atol=1e-5)


def test_task_does_not_read_the_experts_of_other_tasks():
    layer = randomized()
    before = layer(X)
    kernels = layer.experts.get_weights()
    for array in kernels:
        array[3:6] += 1.0
    layer.experts.set_weights(kernels)
    after = layer(X)
    for task in ("click", "back"):
        assert_same(before[task], after[task])
    assert np.abs(to_numpy(before["buy"]) - to_numpy(after["buy"])).max() > 0.1


def test_dropout_applies_in_training_only():
    layer = CGC(**KWARGS, dropout=0.5)
    first, again, training = layer(X), layer(X, training=False), layer(X, training=True)
    assert_same(first["buy"], again["buy"])
    assert np.any(to_numpy(first["buy"]) != to_numpy(training["buy"]))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"tasks": []}, r"`tasks` should be at least one name, without duplicates. Received: \[\]"),
        ({"tasks": ["a", "a"]}, r"`tasks` should be at least one name, without duplicates. Received: \['a', 'a'\]"),
        ({"num_shared": -1}, "should be at least 0 and not both 0. Received: -1 and 3"),
        ({"num_shared": 0, "num_per_task": 0}, "should be at least 0 and not both 0. Received: 0 and 0"),
    ],
)
def test_rejects_wrong_arguments(changed, message):
    with pytest.raises(ValueError, match=message):
        CGC(**{**KWARGS, **changed})
