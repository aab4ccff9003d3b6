"""SequenceEncoder."""

import numpy as np
import pytest

from tests.tfmtl.backends import assert_close, assert_same, to_numpy
from tests.tfmtl.layers.layer_harness import run_layer_test
from tests.tfmtl.numpy_layers import softmax
from tfmtl import introspection
from tfmtl.layers import SequenceEncoder

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 5, 3)).astype("float32")
MASK = np.array([[1, 1, 1, 1, 1], [0, 0, 1, 0, 1], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0]], "float32")


@pytest.mark.parametrize(
    "options",
    [{}, {"num_heads": 3, "position_dim": 5}, {"attention": False, "position_dim": 2}, {"residual": True}],
)
def test_layer_contract(options):
    unused = () if options.get("attention", True) else ["kernel_initializer", "kernel_regularizer"]
    shape = (4, 5, 3 + options.get("position_dim", 16))
    run_layer_test(SequenceEncoder, options, (X, MASK), shape, unused_arguments=unused)


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize(("heads", "width"), [(1, 5), (2, 3), (5, 1)])
def test_values(heads, width, residual):
    """The width of a head is that of a position, 3 + 2, divided by the heads and rounded up."""
    layer = SequenceEncoder(heads, position_dim=2, residual=residual)
    layer.build(X.shape, MASK.shape)
    layer.set_weights([RNG.normal(size=weight.shape) for weight in layer.weights])
    positions, *projections, output = (weight.astype("float64") for weight in layer.get_weights())
    assert projections[0].shape == (5, heads * width)
    outputs = to_numpy(layer(X, MASK))
    for row in range(4):
        present = np.flatnonzero(MASK[row])
        expected = np.zeros((5, 5))
        if len(present):  # Attention runs over the present positions only.
            tokens = np.concatenate([X[row], positions], axis=1)[present]
            q, k, v = (tokens @ kernel for kernel in projections)
            joined = []
            for head in range(heads):
                part = slice(head * width, (head + 1) * width)
                joined.append(softmax(q[:, part] @ k[:, part].T / np.sqrt(width)) @ v[:, part])
            expected[present] = np.concatenate(joined, axis=1) @ output + residual * tokens
        assert_close(outputs[row], expected, rtol=1e-4, atol=1e-5)


def test_positions_are_returned_without_attention():
    layer = SequenceEncoder(position_dim=2, attention=False)
    outputs = to_numpy(layer(X, MASK))
    (positions,) = layer.get_weights()
    for row, position in np.ndindex(4, 5):
        expected = MASK[row, position] * np.concatenate([X[row, position], positions[position]])
        assert_close(outputs[row, position], expected, atol=1e-6)


def test_absent_positions_do_not_count():
    layer = SequenceEncoder()
    other = np.where(MASK[:, :, None] == 1, X, 1e6).astype("float32")
    assert_same(layer(X, MASK), layer(other, MASK))


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_attention_weights_are_recorded(dtype):
    layer = SequenceEncoder(name="behaviour", dtype=dtype)
    with introspection.collect() as taps:
        layer(X, MASK)
    weights = to_numpy(taps["sequence_attention/behaviour"])
    assert weights.shape == (4, 2, 5, 5)
    assert weights.dtype == np.float32
    assert_close(weights.sum(axis=-1), 1, atol=1e-6)
    assert np.all(weights[1][:, :, MASK[1] == 0] == 0)
    assert_close(weights[2][:, :, 4], 1, rtol=0, atol=2e-7)  # exp(0) is 1 or, on some processors, 1 - 2^-24.


def test_rejects_wrong_arguments():
    with pytest.raises(ValueError, match=r"`num_heads` should be at least 1\. Received: 0"):
        SequenceEncoder(num_heads=0)
    with pytest.raises(ValueError, match=r"`position_dim` should be at least 1\. Received: 0"):
        SequenceEncoder(position_dim=0)
