"""RepresentationIntegration."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl.layers.layer_harness import run_layer_test
from tests.tfmtl.numpy_layers import relu_layers, sigmoid
from tfmtl import introspection
from tfmtl.layers import RepresentationIntegration

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 5)).astype("float32")
SOURCES = [RNG.normal(size=(4, width)).astype("float32") for width in (6, 2, 3)]


def randomized(units=(4, 3), sources=SOURCES, **arguments):
    layer = RepresentationIntegration(units, name="buy", **arguments)
    layer(X, sources)
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(0, 0.7, weight.shape) for weight in layer.get_weights()])
    return layer


def kernels_of(layer):
    return [step.get_weights() for step in layer.steps]


@pytest.mark.parametrize("sources", [SOURCES, SOURCES[:1]])
@pytest.mark.parametrize("units", [[4, 3], [2]])
def test_layer_contract(units, sources):
    kwargs = {"units": units, "activation": "tanh", "dropout": 0.2}
    run_layer_test(RepresentationIntegration, kwargs, (X, sources), [(4, width) for width in units])


def test_layer_contract_without_sources():
    run_layer_test(RepresentationIntegration, {"units": [4, 3]}, (X,), [(4, 4), (4, 3)])


def test_values():
    layer = randomized()
    p = sigmoid(layer.connections)
    assert p.shape == (2, 3)
    with introspection.collect() as taps:
        found = layer(X, SOURCES)
    h = X
    for i, (kernel, bias) in enumerate(kernels_of(layer)):
        own, *others = np.split(kernel, np.cumsum([h.shape[1], 6, 2]))
        h = h @ own + bias
        for j, (v, source) in enumerate(zip(others, SOURCES, strict=True)):
            h = h + p[i, j] * (source @ v)
        h = np.maximum(h, 0)
        np.testing.assert_allclose(found[i], h, rtol=1e-4, atol=1e-5)
    assert list(taps) == ["connection/buy"]
    np.testing.assert_allclose(taps["connection/buy"], p, rtol=1e-6)


def test_without_sources_it_is_an_mlp():
    layer = randomized(sources=None)
    assert layer.connections is None
    with introspection.collect() as taps:
        first, second = layer(X)
    assert not taps
    np.testing.assert_allclose(first, relu_layers(X, layer.get_weights()[:2]), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(second, relu_layers(X, layer.get_weights()), rtol=1e-5, atol=1e-6)


def test_connections_begin_at_a_half():
    layer = RepresentationIntegration([4, 3])
    layer(X, SOURCES)
    np.testing.assert_array_equal(keras.ops.sigmoid(layer.connections), np.full((2, 3), 0.5))


def test_a_closed_connection_lets_nothing_through():
    """Neither a value forward nor a gradient back."""
    layer = randomized()
    closed = np.array([[-200.0, 1, -200], [-200, -200, -200]])
    layer.connections.assign(closed)
    sources = [tf.constant(source) for source in SOURCES]
    with tf.GradientTape() as tape:
        tape.watch(sources)
        hiddens = layer(X, sources)
        loss = tf.reduce_sum(hiddens[-1])
    slopes = tape.gradient(loss, sources)
    assert [bool(np.any(slope)) for slope in slopes] == [False, True, False]
    moved = layer(X, [SOURCES[0] + 1, SOURCES[1], SOURCES[2] - 1])
    for one, other in zip(hiddens, moved, strict=True):
        np.testing.assert_array_equal(one, other)


def test_connections_are_not_rounded_in_bfloat16():
    layer = randomized(dtype="mixed_bfloat16")
    with introspection.collect() as taps:
        layer(X, SOURCES)
    assert taps["connection/buy"].dtype == tf.float32
    np.testing.assert_allclose(taps["connection/buy"], sigmoid(layer.connections), rtol=1e-6)


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"`units` should be at least one\. Received: \(\)"):
        RepresentationIntegration(())
    with pytest.raises(ValueError, match=r"`units` should be positive"):
        RepresentationIntegration([0])
    with pytest.raises(ValueError, match=r"`dropout` should be in \[0, 1\)"):
        RepresentationIntegration([2], dropout=1.0)
