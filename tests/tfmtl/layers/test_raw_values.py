"""RawValues."""

import keras
import numpy as np
import pytest

from tests.tfmtl.backends import assert_close, import_tensorflow, to_numpy
from tests.tfmtl.layers.layer_harness import run_layer_test
from tfmtl.backend import is_tensorflow
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


def test_layer_contract_with_unpooled_field():
    run_layer_test(RawValues, {**KWARGS, "unpooled": ["tags"]}, (INPUTS,), (3, 5, 1))


def test_values_of_unpooled_positions():
    values = RawValues(**KWARGS, unpooled=["tags"])(INPUTS)
    tags = [[0, 0.5 * 1, 2.5 * 0.75], [3 * 0.25, 0, 0], [0, 0, 0]]
    expected = np.concatenate([tags, [[0, 0], [1, 0], [0.5, 0]]], axis=1)[:, :, None]
    assert_close(values, expected, atol=1e-6)


def test_values():
    layer = RawValues(**KWARGS)
    tags = [(0 * 1 + 1.0 * 0.5 + 0.75 * 2.5) / 4, 0.25, 0]
    expected = np.stack([tags, [0, 1, 0.5], [0, 0, 0]], axis=1)[:, :, None]
    assert_close(layer(INPUTS), expected, atol=1e-6)
    assert layer.weights == []


def test_large_ids_keep_their_precision_under_mixed_precision():
    layer = RawValues({"user": 1_000_001}, dtype="mixed_bfloat16")
    values = to_numpy(layer({"user": np.array([500_000, 1_000_000])}))
    assert_close(values[:, 0, 0], [0.5, 1.0])


def test_id_outside_its_field_is_an_error():
    tf = import_tensorflow("errors from compiled code")
    layer = RawValues(**KWARGS)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"ids of 'constant' should be in \[0, 1\)\. Received: 1"):
        layer({**INPUTS, "constant": np.array([0, 1, 0])})


@pytest.mark.skipif(is_tensorflow(), reason="TensorFlow raises an error")
def test_id_outside_its_field_is_nan():
    values = to_numpy(RawValues(**KWARGS)({**INPUTS, "constant": np.array([0, 1, 0])}))
    np.testing.assert_array_equal(np.argwhere(np.isnan(values)), [[1, 2, 0]])


@pytest.mark.parametrize("missing", ["user", "tags__weights"])
def test_missing_input(missing):
    inputs = {name: value for name, value in INPUTS.items() if name != missing}
    with pytest.raises(ValueError, match=f"`inputs` should hold every field. Received none for: {missing}"):
        RawValues(**KWARGS)(inputs)


def test_config_with_former_keys():
    """The config that the layer wrote before its arguments were renamed."""
    former = {
        "name": "values",
        "trainable": True,
        "dtype": keras.saving.serialize_keras_object(keras.DTypePolicy("float32")),
        "rows": {"tags": 5, "user": 3, "constant": 1},
        "bags": ["tags"],
        "apart": ["tags"],
    }
    layer = RawValues.from_config(former)
    config = layer.get_config()
    assert config["vocab_sizes"] == KWARGS["vocab_sizes"]
    assert (config["multivalent"], config["unpooled"]) == (["tags"], ["tags"])
    assert tuple(layer(INPUTS).shape) == (3, 5, 1)


def test_rejects_wrong_arguments():
    with pytest.raises(
        ValueError, match=r"`vocab_sizes` should give every field at least one row. Received: {'user': 0}"
    ):
        RawValues({"user": 0})
    with pytest.raises(ValueError, match=r"`multivalent` should be fields of `vocab_sizes`. Received: \['tag'\]"):
        RawValues({"tags": 2}, ["tag"])
    with pytest.raises(ValueError, match=r"`unpooled` should be fields of `multivalent`. Received: \['user'\]"):
        RawValues({"user": 2}, unpooled=["user"])
