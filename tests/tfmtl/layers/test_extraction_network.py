"""ExtractionNetwork."""

import numpy as np
import pytest

from tests.tfmtl.backends import assert_close, assert_same, to_numpy
from tests.tfmtl.layers.layer_harness import run_layer_test
from tests.tfmtl.numpy_layers import experts, gated
from tfmtl import introspection
from tfmtl.layers import CGC, ExtractionNetwork

TASKS = ["click", "buy", "shared"]  # A task may be named "shared".
RNG = np.random.default_rng(0)
X = {task: RNG.normal(size=(4, 6)).astype("float32") for task in TASKS}
SHARED = RNG.normal(size=(4, 6)).astype("float32")
KWARGS = {"tasks": TASKS, "num_shared": 2, "num_per_task": 3, "units": [7, 5]}
SHAPES = dict.fromkeys(TASKS, (4, 5))


def randomized(**changed):
    layer = ExtractionNetwork(**{**KWARGS, **changed})
    layer(X, SHARED)
    layer.set_weights([RNG.normal(0, 0.7, weight.shape) for weight in layer.weights])
    return layer


@pytest.mark.parametrize(("is_last", "shapes"), [(False, (SHAPES, (4, 5))), (True, SHAPES)])
def test_layer_contract(is_last, shapes):
    run_layer_test(ExtractionNetwork, {**KWARGS, "is_last": is_last}, (X, SHARED), shapes)


@pytest.mark.parametrize("is_last", [False, True])
def test_values(is_last):
    layer = randomized(is_last=is_last)
    with introspection.collect() as taps:
        outputs = layer(X, SHARED)
    tasks, shared = (outputs, None) if is_last else outputs
    own = {task: experts(layer.experts[task], X[task]) for task in TASKS}
    common = experts(layer.shared_experts, SHARED)
    assert [len(own["buy"]), len(common)] == [3, 2]
    assert list(tasks) == TASKS
    for task in TASKS:
        expected, weights = gated(layer.gates[task], X[task], [*own[task], *common])
        assert_close(tasks[task], expected, rtol=1e-5, atol=1e-5)
        assert_close(taps[f"gate/{task}"], weights, rtol=1e-5, atol=1e-5)
    assert ("gate/shared-part" in taps) == (not is_last)
    if not is_last:
        every = [expert for task in TASKS for expert in own[task]] + common
        expected, weights = gated(layer.shared_gate, SHARED, every)
        assert weights.shape == (4, 3 * 3 + 2)
        assert_close(shared, expected, rtol=1e-5, atol=1e-5)
        assert_close(taps["gate/shared-part"], weights, rtol=1e-5, atol=1e-5)


def test_only_level_computes_the_same_as_cgc():
    cgc, layer = CGC(**KWARGS), randomized(is_last=True)
    cgc(SHARED)
    banks = [*layer.experts.values(), layer.shared_experts]
    cgc.experts.set_weights([np.concatenate(parts) for parts in zip(*(b.get_weights() for b in banks), strict=True)])
    for task in TASKS:
        cgc.gates[task].set_weights(layer.gates[task].get_weights())
    expected = cgc(SHARED)
    for task, output in layer(dict.fromkeys(TASKS, SHARED), SHARED).items():
        assert_close(output, expected[task], rtol=1e-5, atol=1e-5)


def test_dropout_applies_in_training_only():
    layer = ExtractionNetwork(**KWARGS, dropout=0.5)
    (first, _), (again, _), (training, _) = (layer(X, SHARED, training=mode) for mode in (None, False, True))
    assert_same(first["buy"], again["buy"])
    assert np.any(to_numpy(first["buy"]) != to_numpy(training["buy"]))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"tasks": []}, r"`tasks` should be at least one name, without duplicates. Received: \[\]"),
        ({"tasks": ["a", "a"]}, r"`tasks` should be at least one name, without duplicates. Received: \['a', 'a'\]"),
        ({"num_shared": 0}, "`num_shared` and `num_per_task` should be at least 1. Received: 0 and 3"),
        ({"num_per_task": 0}, "`num_shared` and `num_per_task` should be at least 1. Received: 2 and 0"),
    ],
)
def test_rejects_wrong_arguments(changed, message):
    with pytest.raises(ValueError, match=message):
        ExtractionNetwork(**{**KWARGS, **changed})
