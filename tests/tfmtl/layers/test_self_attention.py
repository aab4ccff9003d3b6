"""SelfAttention."""

import numpy as np
import pytest

from tests.tfmtl.backends import assert_close, to_numpy
from tests.tfmtl.layers.layer_harness import run_layer_test
from tests.tfmtl.numpy_layers import softmax
from tfmtl import introspection
from tfmtl.layers import SelfAttention

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 5, 6)).astype("float32")


def randomized(num_heads):
    layer = SelfAttention(num_heads, name="tokens")
    layer.build((None, 5, 6))
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(0, 0.7, weight.shape) for weight in layer.get_weights()])
    return layer


def expected(layer, tokens):
    """Outputs and weights of the heads, one example and one head at a time."""
    query, key, value, output, gain, bias = (weight.astype("float64") for weight in layer.get_weights())
    width = tokens.shape[-1] // layer.num_heads
    rows, weights = [], []
    for x in tokens.astype("float64"):
        heads = [slice(j * width, (j + 1) * width) for j in range(layer.num_heads)]
        head_weights = [softmax((x @ query[:, h]) @ (x @ key[:, h]).T / np.sqrt(width)) for h in heads]
        mixed = [weight @ (x @ value[:, h]) for weight, h in zip(head_weights, heads, strict=True)]
        y = x + np.concatenate(mixed, axis=1) @ output
        spread = np.sqrt(y.var(axis=1, keepdims=True) + 1e-3)
        rows.append((y - y.mean(axis=1, keepdims=True)) / spread * gain + bias)
        weights.append(head_weights)
    return np.array(rows), np.array(weights)


@pytest.mark.parametrize("num_heads", [1, 2])
def test_layer_contract(num_heads):
    run_layer_test(SelfAttention, {"num_heads": num_heads, "epsilon": 1e-4}, (X,), (4, 5, 6))


@pytest.mark.parametrize("num_heads", [1, 2, 3, 6])
def test_values_and_weights(num_heads):
    layer = randomized(num_heads)
    outputs, weights = expected(layer, X)
    with introspection.collect() as taps:
        assert_close(layer(X), outputs, atol=1e-5)
    assert list(taps) == ["self_attention/tokens"]
    assert_close(taps["self_attention/tokens"], weights, atol=1e-5)


def test_output_follows_the_order_of_tokens():
    layer = randomized(2)
    assert_close(layer(X[:, ::-1].copy()), to_numpy(layer(X))[:, ::-1], atol=1e-5)


def test_rejects_wrong_arguments():
    with pytest.raises(ValueError, match=r"`num_heads` should be at least 1\. Received: 0"):
        SelfAttention(0)
    with pytest.raises(ValueError, match=r"the width of `inputs` should be a multiple of 4 heads\. Received: 6"):
        SelfAttention(4)(X)
