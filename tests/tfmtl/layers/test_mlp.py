"""MLP."""

import numpy as np
import pytest

from tests.tfmtl.backends import assert_close, assert_same, to_numpy
from tests.tfmtl.layers.layer_harness import run_layer_test
from tfmtl.layers import MLP

RNG = np.random.default_rng(0)


def rows(*shape):
    return RNG.normal(size=shape).astype("float32")


@pytest.mark.parametrize(
    ("units", "inputs", "shape"),
    [
        ([5, 3], rows(4, 6), (4, 3)),
        ([5], rows(4, 2, 6), (4, 2, 5)),
        ([], rows(4, 6), (4, 6)),
    ],
)
def test_layer_contract(units, inputs, shape):
    names = [f"{kind}_{role}" for kind in ("kernel", "bias") for role in ("initializer", "regularizer")]
    kwargs = {"units": units, "dropout": 0.2, "activation": "tanh"}
    run_layer_test(MLP, kwargs, (inputs,), shape, unused_arguments=() if units else names)


def test_values():
    layer, x = MLP([5, 3], activation="relu"), rows(4, 6)
    layer.build((None, 6))
    layer.set_weights([RNG.normal(size=weight.shape) for weight in layer.weights])
    w1, b1, w2, b2 = layer.get_weights()
    first = np.maximum(x @ w1 + b1, 0)
    second = np.maximum(first @ w2 + b2, 0)
    assert_close(layer(x), second, atol=1e-5)
    hiddens = layer.hiddens(x)
    assert_close(hiddens[0], first, atol=1e-5)
    assert_close(hiddens[1], second, atol=1e-5)


def test_dropout_applies_in_training_only():
    layer, x = MLP([400], dropout=0.5, activation="linear"), rows(8, 6)
    kept = to_numpy(layer(x, training=False))
    assert_same(layer(x, training=False), kept)
    first, second = to_numpy(layer(x, training=True)), to_numpy(layer(x, training=True))
    assert np.any(first != second)
    dropped = first == 0
    assert 0.4 < dropped.mean() < 0.6
    assert_close(first[~dropped], 2 * kept[~dropped], rtol=1e-5)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"units": [3, 0]}, r"`units` should be positive\. Received: \[3, 0\]"),
        ({"units": [3], "dropout": 1.0}, r"`dropout` should be in \[0, 1\)\. Received: 1.0"),
        ({"units": [3], "dropout": -0.1}, r"`dropout` should be in \[0, 1\)\. Received: -0.1"),
    ],
)
def test_rejects_wrong_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        MLP(**kwargs)
