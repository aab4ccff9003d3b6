"""MetaAttention."""

import keras
import numpy as np
import pytest

from tests.tfmtl.backends import assert_close, dtype_name, to_numpy
from tests.tfmtl.layers.layer_harness import run_layer_test
from tfmtl import introspection
from tfmtl.layers import MetaAttention, MetaUnit

RNG = np.random.default_rng(0)
VIEWS = RNG.normal(size=(4, 3, 5)).astype("float32")
ANCHOR = RNG.normal(size=(4, 2)).astype("float32")
KNOWLEDGE = RNG.normal(size=(4, 6)).astype("float32")
CALL = (VIEWS, ANCHOR, KNOWLEDGE)


@pytest.mark.parametrize("options", [None, {"num_layers": 1, "rank": 2}, {"num_layers": 2, "generated": False}])
def test_layer_contract(options):
    run_layer_test(MetaAttention, {} if options is None else {"unit": MetaUnit(**options)}, CALL, (4, 5))


@pytest.mark.parametrize("generated", [True, False])
def test_values(generated):
    """Equations 14 to 16; the meta unit has its own test."""
    layer = MetaAttention(MetaUnit(num_layers=2, generated=generated), name="clicks")
    layer(*CALL)
    layer.set_weights([RNG.normal(0, 0.5, weight.shape) for weight in layer.weights])
    with introspection.collect() as taps:
        outputs = to_numpy(layer(*CALL))
    recorded = to_numpy(taps["meta_attention/clicks"])
    vector = to_numpy(layer.vector)[:, 0]
    for row in range(4):
        joined = [np.concatenate([VIEWS[row, i], ANCHOR[row]]) for i in range(3)]
        hidden = to_numpy(layer.unit(np.stack(joined)[None], KNOWLEDGE[[row]])).astype("float64")[0]
        scores = np.exp(hidden @ vector)
        weights = scores / scores.sum()
        assert_close(recorded[row], weights, atol=1e-5)
        assert_close(outputs[row], weights @ VIEWS[row], rtol=1e-4, atol=1e-5)
    assert np.ptp(recorded) > 0.1


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_weights_are_float32_and_sum_to_1(dtype):
    layer = MetaAttention(name="clicks", dtype=dtype)
    with introspection.collect() as taps:
        layer(*CALL)
    assert list(taps) == ["meta_attention/clicks"]
    assert dtype_name(taps["meta_attention/clicks"]) == "float32"
    assert_close(to_numpy(taps["meta_attention/clicks"]).sum(axis=1), np.ones(4), atol=1e-6)


def test_weights_depend_on_the_scenario_unless_nothing_is_generated():
    for generated in (True, False):
        layer = MetaAttention(MetaUnit(generated=generated))
        weights = []
        for knowledge in (KNOWLEDGE, KNOWLEDGE[::-1].copy()):
            with introspection.collect() as taps:
                layer(VIEWS, ANCHOR, knowledge)
            weights.append(to_numpy(next(iter(taps.values()))))
        assert np.allclose(*weights, atol=1e-5) != generated


def test_unit_is_copied():
    unit = MetaUnit(num_layers=2, activation="tanh", dtype="float32")
    first, second = (MetaAttention(unit, dtype="mixed_bfloat16") for _ in range(2))
    for layer in (first, second):
        layer(*CALL)
        assert layer.unit.get_options() == unit.get_options()
        assert layer.unit.compute_dtype == "bfloat16"
    assert not unit.built
    assert first.unit is not second.unit


def test_vector_has_the_initializer_and_the_regularizer_of_the_kernels():
    unit = MetaUnit(kernel_initializer=keras.initializers.Constant(0.375), kernel_regularizer="l2")
    layer = MetaAttention(unit)
    layer(*CALL)
    assert np.all(to_numpy(layer.vector) == 0.375)
    assert layer.vector.regularizer is not None


def test_config_without_the_arguments_of_weights():
    """The config that the layer wrote before it took initializers and regularizers."""
    former = {"name": "clicks", "num_layers": 2, "rank": 3, "memory_mb": 8.0, "generated": True, "activation": "tanh"}
    layer = MetaAttention.from_config(former)
    config = layer.get_config()
    assert {name: config[name] for name in former} == former
    assert tuple(layer(*CALL).shape) == (4, 5)
