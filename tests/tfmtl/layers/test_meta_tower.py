"""MetaTower."""

import numpy as np
import pytest

from tests.tfmtl.layers.layer_harness import run_layer_test
from tfmtl import introspection
from tfmtl.layers import MetaTower

RNG = np.random.default_rng(0)
R = RNG.normal(size=(4, 5)).astype("float32")
KNOWLEDGE = RNG.normal(size=(4, 6)).astype("float32")
OPTIONS = [{}, {"num_residuals": 1, "num_layers": 2, "rank": 2}, {"num_residuals": 3, "generated": False}]


@pytest.mark.parametrize("options", OPTIONS)
def test_layer_contract(options):
    run_layer_test(MetaTower, options, (R, KNOWLEDGE), (4,), mixed_output_dtype="float32")


@pytest.mark.parametrize("options", OPTIONS)
def test_values(options):
    """Equations 17 and 18 and the linear unit; the meta unit has a test of its own."""
    layer = MetaTower(**options, name="clicks")
    layer(R, KNOWLEDGE)
    layer.set_weights([RNG.normal(0, 0.4, weight.shape) for weight in layer.weights])
    with introspection.collect() as taps:
        logits = layer(R, KNOWLEDGE)
    hidden = R.astype("float64")
    expected = {"tower_input/clicks": hidden}
    for j, unit in enumerate(layer.units):
        total = np.asarray(unit(hidden.astype("float32"), KNOWLEDGE), "float64") + hidden
        hidden = np.where(total > 0, total, 0.2 * total)
        expected[f"tower/clicks/{j}"] = hidden
    assert set(taps) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(taps[name], values, rtol=1e-4, atol=1e-5)
    kernel, bias = layer.head.get_weights()
    np.testing.assert_allclose(logits, (hidden @ kernel + bias)[:, 0], rtol=1e-4, atol=1e-5)
    assert len(layer.units) == options.get("num_residuals", 2)


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"`num_residuals` should be at least 1\. Received: 0"):
        MetaTower(num_residuals=0)
    with pytest.raises(ValueError, match=r"`rank` should be at least 1, or None\. Received: 0"):
        MetaTower(rank=0)
