"""Relatedness."""

import numpy as np
import pytest

from tests.tfmtl.backends import assert_close, assert_same, to_numpy
from tests.tfmtl.layers.layer_harness import run_layer_test
from tfmtl.layers import Relatedness

RNG = np.random.default_rng(0)
FIRST, SECOND = (RNG.normal(size=(4, 6)).astype("float32") for _ in range(2))


@pytest.mark.parametrize("units", [[5, 3], [7], []])
def test_layer_contract(units):
    kwargs = {"units": units, "activation": "tanh", "dropout": 0.2}
    run_layer_test(Relatedness, kwargs, (FIRST, SECOND), (4,), mixed_output_dtype="float32")


def test_values():
    layer = Relatedness([5, 3])
    layer.build((None, 6), (None, 6))
    layer.set_weights([RNG.normal(size=weight.shape) for weight in layer.weights])
    w1, b1, w2, b2, w, b = layer.get_weights()
    hidden = np.maximum(np.maximum(FIRST * SECOND @ w1 + b1, 0) @ w2 + b2, 0)
    assert_close(layer(FIRST, SECOND), (hidden @ w + b)[:, 0], atol=1e-5)


def test_order_of_the_tasks_does_not_matter():
    layer = Relatedness()
    assert_close(layer(FIRST, SECOND), layer(SECOND, FIRST), atol=1e-6)


def test_batch_of_one_keeps_its_axis():
    assert Relatedness([3])(FIRST[:1], SECOND[:1]).shape == (1,)


def test_dropout_applies_in_training_only():
    layer = Relatedness([50], dropout=0.5)
    kept = to_numpy(layer(FIRST, SECOND, training=False))
    assert_same(layer(FIRST, SECOND), kept)
    assert np.any(to_numpy(layer(FIRST, SECOND, training=True)) != kept)


def test_rejects_wrong_arguments():
    with pytest.raises(ValueError, match=r"`units` should be positive\. Received: \[0\]"):
        Relatedness([0])
    with pytest.raises(ValueError, match=r"should be of one width\. Received: widths 6 and 5"):
        Relatedness()(FIRST, SECOND[:, :5])
