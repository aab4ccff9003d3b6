"""RepresentationIntegration."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.tfmtl.backends import assert_close, assert_same, dtype_name, gradients, to_numpy
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
    p = sigmoid(to_numpy(layer.connections))
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
        assert_close(found[i], h, rtol=1e-4, atol=1e-5)
    assert list(taps) == ["connection/buy"]
    assert_close(taps["connection/buy"], p, rtol=1e-6)


def test_without_sources_it_is_an_mlp():
    layer = randomized(sources=None)
    assert layer.connections is None
    with introspection.collect() as taps:
        first, second = layer(X)
    assert not taps
    assert_close(first, relu_layers(X, layer.get_weights()[:2]), rtol=1e-5, atol=1e-6)
    assert_close(second, relu_layers(X, layer.get_weights()), rtol=1e-5, atol=1e-6)


def test_connections_start_at_one_half():
    layer = RepresentationIntegration([4, 3])
    layer(X, SOURCES)
    assert_same(keras.ops.sigmoid(layer.connections), np.full((2, 3), 0.5))


def test_closed_connection_passes_neither_values_nor_gradients():
    layer = randomized()
    closed = np.array([[-200.0, 1, -200], [-200, -200, -200]])
    layer.connections.assign(closed)
    hiddens = layer(X, SOURCES)
    source_gradients = gradients(lambda *sources: ops.sum(layer(X, list(sources))[-1]), SOURCES)
    assert [bool(np.any(to_numpy(gradient))) for gradient in source_gradients] == [False, True, False]
    moved = layer(X, [SOURCES[0] + 1, SOURCES[1], SOURCES[2] - 1])
    for one, other in zip(hiddens, moved, strict=True):
        assert_same(one, other)


def test_connections_are_float32_under_mixed_precision():
    layer = randomized(dtype="mixed_bfloat16")
    with introspection.collect() as taps:
        layer(X, SOURCES)
    assert dtype_name(taps["connection/buy"]) == "float32"
    assert_close(taps["connection/buy"], sigmoid(to_numpy(layer.connections)), rtol=1e-6)


def test_rejects_wrong_arguments():
    with pytest.raises(ValueError, match=r"`units` should be at least one\. Received: \(\)"):
        RepresentationIntegration(())
    with pytest.raises(ValueError, match=r"`units` should be positive"):
        RepresentationIntegration([0])
    with pytest.raises(ValueError, match=r"`dropout` should be in \[0, 1\)"):
        RepresentationIntegration([2], dropout=1.0)
