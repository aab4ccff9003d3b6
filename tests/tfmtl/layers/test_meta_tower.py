"""MetaTower."""

import keras
import numpy as np
import pytest

from tests.tfmtl.backends import assert_close, to_numpy
from tests.tfmtl.layers.layer_harness import run_layer_test
from tfmtl import introspection
from tfmtl.layers import MetaTower, MetaUnit

RNG = np.random.default_rng(0)
R = RNG.normal(size=(4, 5)).astype("float32")
KNOWLEDGE = RNG.normal(size=(4, 6)).astype("float32")
OPTIONS = pytest.mark.parametrize(
    ("num_residuals", "unit"), [(2, {}), (1, {"num_layers": 2, "rank": 2}), (3, {"generated": False})]
)


@OPTIONS
def test_layer_contract(num_residuals, unit):
    kwargs = {"num_residuals": num_residuals, "unit": MetaUnit(**unit)}
    run_layer_test(MetaTower, kwargs, (R, KNOWLEDGE), (4,), mixed_output_dtype="float32")


@OPTIONS
def test_values(num_residuals, unit):
    """Equations 17 and 18 and the linear unit; the meta unit has its own test."""
    layer = MetaTower(num_residuals, MetaUnit(**unit), name="clicks")
    layer(R, KNOWLEDGE)
    layer.set_weights([RNG.normal(0, 0.4, weight.shape) for weight in layer.weights])
    with introspection.collect() as taps:
        logits = layer(R, KNOWLEDGE)
    hidden = R.astype("float64")
    expected = {"tower_input/clicks": hidden}
    for j, meta_unit in enumerate(layer.units):
        total = to_numpy(meta_unit(hidden.astype("float32"), KNOWLEDGE)).astype("float64") + hidden
        hidden = np.where(total > 0, total, 0.2 * total)
        expected[f"tower/clicks/{j}"] = hidden
    assert set(taps) == set(expected)
    for name, values in expected.items():
        assert_close(taps[name], values, rtol=1e-4, atol=1e-5)
    kernel, bias = layer.head.get_weights()
    assert_close(logits, (hidden @ kernel + bias)[:, 0], rtol=1e-4, atol=1e-5)
    assert len(layer.units) == num_residuals


def test_default_has_two_residual_layers():
    assert len(MetaTower().units) == 2
    assert MetaTower().units[0].get_options() == MetaUnit().get_options()


def test_head_has_the_initializers_and_regularizers_of_the_units():
    constants = {f"{name}_initializer": keras.initializers.Constant(0.375) for name in ("kernel", "bias")}
    layer = MetaTower(unit=MetaUnit(**constants, kernel_regularizer="l2", bias_regularizer="l1"))
    layer(R, KNOWLEDGE)
    for weight in layer.head.weights:
        assert np.all(to_numpy(weight) == 0.375)
        assert weight.regularizer is not None


def test_config_without_the_arguments_of_weights():
    """The config that the layer wrote before it took initializers and regularizers."""
    former = {
        "name": "clicks",
        "num_residuals": 3,
        "num_layers": 2,
        "rank": None,
        "memory_mb": 8.0,
        "generated": True,
        "activation": "tanh",
    }
    layer = MetaTower.from_config(former)
    config = layer.get_config()
    assert {name: config[name] for name in former} == former
    assert tuple(layer(R, KNOWLEDGE).shape) == (4,)


def test_rejects_wrong_arguments():
    with pytest.raises(ValueError, match=r"`num_residuals` should be at least 1\. Received: 0"):
        MetaTower(num_residuals=0)
    with pytest.raises(ValueError, match=r"`rank` should be at least 1, or None\. Received: 0"):
        MetaTower.from_config({"rank": 0})
