"""Experts."""

import numpy as np
import pytest

from tests.tfmtl.backends import assert_close, assert_same, to_numpy
from tests.tfmtl.layers.layer_harness import run_layer_test
from tfmtl.layers import Experts

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 6)).astype("float32")


@pytest.mark.parametrize(("num_experts", "units"), [(3, [5, 2]), (1, [4])])
def test_layer_contract(num_experts, units):
    kwargs = {"num_experts": num_experts, "units": units, "activation": "tanh", "dropout": 0.1}
    run_layer_test(Experts, kwargs, (X,), (4, num_experts, units[-1]))


@pytest.mark.parametrize("num_experts", [1, 3])
def test_values_equal_those_of_separate_networks(num_experts):
    layer = Experts(num_experts, [5, 2])
    layer.build((None, 6))
    layer.set_weights([RNG.normal(size=weight.shape) for weight in layer.weights])
    kernels = [to_numpy(kernel) for kernel in layer.kernels]
    biases = [to_numpy(bias) for bias in layer.biases]
    outputs = to_numpy(layer(X))
    for expert in range(num_experts):
        hidden = X
        for kernel, bias in zip(kernels, biases, strict=True):
            hidden = np.maximum(hidden @ kernel[expert] + bias[expert, 0], 0)
        assert_close(outputs[:, expert], hidden, atol=1e-5)


def test_each_expert_starts_as_a_dense_layer():
    layer = Experts(200, [30])
    layer.build((None, 20))
    limit = np.sqrt(6 / (20 + 30))
    kernel = to_numpy(layer.kernels[0])
    assert np.abs(kernel).max() <= limit
    assert_close(kernel.std(), limit / np.sqrt(3), rtol=0.02)
    assert np.any(kernel[0] != kernel[1])
    assert not np.any(layer.biases[0])


def test_dropout_applies_in_training_only():
    layer = Experts(2, [300], dropout=0.5, activation="linear")
    kept = to_numpy(layer(X, training=False))
    assert_same(layer(X, training=False), kept)
    first, second = to_numpy(layer(X, training=True)), to_numpy(layer(X, training=True))
    assert np.any(first != second)
    dropped = first == 0
    assert 0.4 < dropped.mean() < 0.6
    assert np.any(dropped[:, 0] != dropped[:, 1]), "each expert should drop units of its own"
    assert_close(first[~dropped], 2 * kept[~dropped], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"num_experts": 0, "units": [3]}, "`num_experts` should be at least 1. Received: 0"),
        ({"num_experts": 2, "units": []}, r"`units` should be positive and at least one. Received: \[\]"),
        ({"num_experts": 2, "units": [4, 0]}, r"`units` should be positive and at least one. Received: \[4, 0\]"),
        ({"num_experts": 2, "units": [4], "dropout": 1.0}, r"`dropout` should be in \[0, 1\)\. Received: 1.0"),
        ({"num_experts": 2, "units": [4], "dropout": -0.5}, r"`dropout` should be in \[0, 1\)\. Received: -0.5"),
    ],
)
def test_rejects_wrong_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        Experts(**kwargs)
