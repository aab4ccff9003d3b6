"""RawValues."""

import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl.layers.layer_harness import run_layer_test
from tfmtl.layers import RawValues

KWARGS = {"vocab_sizes": {"tags": 5, "user": 3, "constant": 1}, "multivalent": ["tags"]}
INPUTS = {
    "user": np.array([0, 2, 1], "int64"),
    "constant": np.array([0, 0, 0], "int64"),
    "tags": np.array([[0, 4, 3], [1, 0, 0], [0, 0, 0]], "int64"),
    "tags__weights": np.array([[1.0, 0.5, 2.5], [3.0, 0.0, 0.0], [0.0, 0.0, 0.0]], "float32"),
}


def test_layer_contract():
    run_layer_test(RawValues, KWARGS, (INPUTS,), (3, 3, 1))


def test_layer_contract_with_places_apart():
    run_layer_test(RawValues, {**KWARGS, "unpooled": ["tags"]}, (INPUTS,), (3, 5, 1))


def test_values_of_places_apart():
    values = RawValues(**KWARGS, unpooled=["tags"])(INPUTS)
    tags = [[0, 0.5 * 1, 2.5 * 0.75], [3 * 0.25, 0, 0], [0, 0, 0]]
    expected = np.concatenate([tags, [[0, 0], [1, 0], [0.5, 0]]], axis=1)[:, :, None]
    np.testing.assert_allclose(values, expected, atol=1e-6)


def test_values():
    layer = RawValues(**KWARGS)
    tags = [(0 * 1 + 1.0 * 0.5 + 0.75 * 2.5) / 4, 0.25, 0]
    expected = np.stack([tags, [0, 1, 0.5], [0, 0, 0]], axis=1)[:, :, None]
    np.testing.assert_allclose(layer(INPUTS), expected, atol=1e-6)
    assert layer.weights == []


def test_large_ids_keep_their_precision_under_mixed_precision():
    layer = RawValues({"user": 1_000_001}, dtype="mixed_bfloat16")
    values = tf.cast(layer({"user": np.array([500_000, 1_000_000])}), "float32")
    np.testing.assert_allclose(values[:, 0, 0], [0.5, 1.0])


@pytest.mark.parametrize("absent", ["user", "tags__weights"])
def test_absent_input(absent):
    inputs = {name: value for name, value in INPUTS.items() if name != absent}
    with pytest.raises(ValueError, match=f"`inputs` should hold every field. Received none for: {absent}"):
        RawValues(**KWARGS)(inputs)


def test_bad_arguments():
    with pytest.raises(
        ValueError, match=r"`vocab_sizes` should give every field at least one row. Received: {'user': 0}"
    ):
        RawValues({"user": 0})
    with pytest.raises(ValueError, match=r"`multivalent` should be fields of `vocab_sizes`. Received: \['tag'\]"):
        RawValues({"tags": 2}, ["tag"])
    with pytest.raises(ValueError, match=r"`unpooled` should be of the `multivalent`. Received: \['user'\]"):
        RawValues({"user": 2}, unpooled=["user"])
