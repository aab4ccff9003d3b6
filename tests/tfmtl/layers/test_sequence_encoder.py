"""SequenceEncoder, against attention written out in NumPy."""

import numpy as np
import pytest

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
    run_layer_test(SequenceEncoder, options, (X, MASK), (4, 5, 3 + options.get("position_dim", 16)))


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize(("heads", "width"), [(1, 5), (2, 3), (5, 1)])
def test_values(heads, width, residual):
    """`width` of a head: 3 + 2 numbers a place, over the heads and rounded up."""
    layer = SequenceEncoder(heads, position_dim=2, residual=residual)
    layer.build(X.shape, MASK.shape)
    layer.set_weights([RNG.normal(size=weight.shape) for weight in layer.weights])
    positions, *projections, output = (np.asarray(weight, "float64") for weight in layer.get_weights())
    assert projections[0].shape == (5, heads * width)
    outputs = np.asarray(layer(X, MASK))
    for row in range(4):
        present = np.flatnonzero(MASK[row])
        expected = np.zeros((5, 5))
        if len(present):  # Absent places are not there at all.
            places = np.concatenate([X[row], positions], axis=1)[present]
            q, k, v = (places @ kernel for kernel in projections)
            joined = []
            for head in range(heads):
                part = slice(head * width, (head + 1) * width)
                joined.append(softmax(q[:, part] @ k[:, part].T / np.sqrt(width)) @ v[:, part])
            expected[present] = np.concatenate(joined, axis=1) @ output + residual * places
        np.testing.assert_allclose(outputs[row], expected, rtol=1e-4, atol=1e-5)


def test_without_attention_the_places_pass_through():
    layer = SequenceEncoder(position_dim=2, attention=False)
    outputs = np.asarray(layer(X, MASK))
    (positions,) = layer.get_weights()
    for row, place in np.ndindex(4, 5):
        expected = MASK[row, place] * np.concatenate([X[row, place], positions[place]])
        np.testing.assert_allclose(outputs[row, place], expected, atol=1e-6)


def test_what_is_absent_does_not_matter():
    layer = SequenceEncoder()
    other = np.where(MASK[:, :, None] == 1, X, 1e6).astype("float32")
    np.testing.assert_array_equal(layer(X, MASK), layer(other, MASK))


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_attention_is_recorded(dtype):
    layer = SequenceEncoder(name="behaviour", dtype=dtype)
    with introspection.collect() as taps:
        layer(X, MASK)
    weights = np.asarray(taps["sequence_attention/behaviour"])
    assert weights.shape == (4, 2, 5, 5)
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-6)
    assert np.all(weights[1][:, :, MASK[1] == 0] == 0)
    assert np.all(weights[2][:, :, 4] == 1)


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"`num_heads` should be at least 1\. Received: 0"):
        SequenceEncoder(num_heads=0)
    with pytest.raises(ValueError, match=r"`position_dim` should be at least 1\. Received: 0"):
        SequenceEncoder(position_dim=0)
