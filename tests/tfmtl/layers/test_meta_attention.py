"""MetaAttention."""

import numpy as np
import pytest

from tests.tfmtl.layers.layer_harness import run_layer_test
from tfmtl import introspection
from tfmtl.layers import MetaAttention

RNG = np.random.default_rng(0)
VIEWS = RNG.normal(size=(4, 3, 5)).astype("float32")
ANCHOR = RNG.normal(size=(4, 2)).astype("float32")
KNOWLEDGE = RNG.normal(size=(4, 6)).astype("float32")
CALL = (VIEWS, ANCHOR, KNOWLEDGE)


@pytest.mark.parametrize("options", [{}, {"num_layers": 1, "rank": 2}, {"num_layers": 2, "generated": False}])
def test_layer_contract(options):
    run_layer_test(MetaAttention, options, CALL, (4, 5))


@pytest.mark.parametrize("generated", [True, False])
def test_values(generated):
    """Equations 14 to 16; the meta unit has a test of its own."""
    layer = MetaAttention(num_layers=2, generated=generated, name="clicks")
    layer(*CALL)
    layer.set_weights([RNG.normal(0, 0.5, weight.shape) for weight in layer.weights])
    with introspection.collect() as taps:
        outputs = np.asarray(layer(*CALL))
    vector = np.asarray(layer.vector)[:, 0]
    for row in range(4):
        joined = [np.concatenate([VIEWS[row, i], ANCHOR[row]]) for i in range(3)]
        hidden = np.asarray(layer.unit(np.stack(joined)[None], KNOWLEDGE[[row]]), "float64")[0]
        scores = np.exp(hidden @ vector)
        weights = scores / scores.sum()
        np.testing.assert_allclose(taps["meta_attention/clicks"][row], weights, atol=1e-5)
        np.testing.assert_allclose(outputs[row], weights @ VIEWS[row], rtol=1e-4, atol=1e-5)
    assert np.ptp(taps["meta_attention/clicks"]) > 0.1


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_weights_are_float32_and_sum_to_1(dtype):
    layer = MetaAttention(name="clicks", dtype=dtype)
    with introspection.collect() as taps:
        layer(*CALL)
    assert list(taps) == ["meta_attention/clicks"]
    weights = np.asarray(taps["meta_attention/clicks"])
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)


def test_the_scenario_decides_unless_nothing_is_generated():
    for generated in (True, False):
        layer = MetaAttention(generated=generated)
        with introspection.collect() as ours:
            layer(*CALL)
        with introspection.collect() as others:
            layer(VIEWS, ANCHOR, KNOWLEDGE[::-1])
        same = np.allclose(*(next(iter(taps.values())) for taps in (ours, others)), atol=1e-5)
        assert same != generated
