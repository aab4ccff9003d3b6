"""Tower."""

import numpy as np
import pytest

from tests.tfmtl.backends import assert_close, assert_same, to_numpy
from tests.tfmtl.layers.layer_harness import run_layer_test
from tfmtl import introspection
from tfmtl.layers import Tower

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 6)).astype("float32")


@pytest.mark.parametrize("units", [[5, 3], [7], []])
def test_layer_contract(units):
    kwargs = {"units": units, "activation": "tanh", "dropout": 0.2}
    run_layer_test(Tower, kwargs, (X,), (4,), mixed_output_dtype="float32")


def test_values_and_hiddens():
    tower = Tower([5, 3], name="click")
    tower.build((None, 6))
    tower.set_weights([RNG.normal(size=weight.shape) for weight in tower.weights])
    w1, b1, w2, b2, w, b = tower.get_weights()
    first = np.maximum(X @ w1 + b1, 0)
    second = np.maximum(first @ w2 + b2, 0)
    with introspection.collect() as taps:
        logits = tower(X)
    assert_close(logits, (second @ w + b)[:, 0], atol=1e-5)
    assert list(taps) == ["tower_input/click", "tower/click/0", "tower/click/1"]
    assert_same(taps["tower_input/click"], X)
    assert_close(taps["tower/click/0"], first, atol=1e-5)
    assert_close(taps["tower/click/1"], second, atol=1e-5)


def test_tower_without_hidden_layers_is_linear():
    tower = Tower([], name="click")
    with introspection.collect() as taps:
        logits = tower(X)
    w, b = tower.get_weights()
    assert_close(logits, (X @ w + b)[:, 0], atol=1e-5)
    assert list(taps) == ["tower_input/click"]


def test_hidden_layer_of_other_inputs():
    tower = Tower([5, 3], name="click")
    with introspection.collect() as taps:
        tower(X)
    with introspection.collect() as none:
        hiddens = [tower.hidden_at(X[:2], index) for index in (0, 1)]
    assert none == {}
    for index, hidden in enumerate(hiddens):
        assert_close(hidden, taps[f"tower/click/{index}"][:2], atol=1e-6)


def test_batch_of_one_keeps_its_axis():
    assert Tower([3])(X[:1]).shape == (1,)


def test_dropout_applies_in_training_only():
    tower = Tower([50], dropout=0.5)
    kept = to_numpy(tower(X, training=False))
    assert_same(tower(X, training=False), kept)
    assert np.any(to_numpy(tower(X, training=True)) != to_numpy(tower(X, training=True)))


def test_rejects_wrong_arguments():
    with pytest.raises(ValueError, match=r"`units` should be positive\. Received: \[0\]"):
        Tower([0])
    with pytest.raises(ValueError, match=r"`dropout` should be in \[0, 1\)\. Received: 2"):
        Tower([3], dropout=2)
