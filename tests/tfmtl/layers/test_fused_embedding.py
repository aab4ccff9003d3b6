"""FusedEmbedding."""

import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl.graphs import tensors_of_shape
from tests.tfmtl.layers.layer_harness import run_layer_test
from tfmtl.layers import FusedEmbedding

ROWS = {"tags": 4, "user": 3, "history": 5}
KWARGS = {
    "vocab_sizes": ROWS,
    "output_dim": 2,
    "multivalent": ["tags", "history"],
    "embeddings_initializer": "glorot_uniform",
}
INPUTS = {
    "user": np.array([0, 2, 1], "int64"),
    "tags": np.array([[0, 3, 3], [1, 0, 0], [0, 0, 0]], "int64"),
    "tags__weights": np.array([[1.0, 0.5, 2.0], [3.0, 0.0, 0.0], [0.0, 0.0, 0.0]], "float32"),
    "history": np.array([[4, 0], [2, 2], [1, 4]], "int64"),
    "history__weights": np.array([[1.0, 1.0], [1.0, 1.0], [1.0, 0.0]], "float32"),
}
FIRST_ROW = {"tags": 0, "user": 4, "history": 7}


def expected(table, inputs=INPUTS):
    """The layer's equation, row by row."""
    outputs = np.zeros((len(inputs["user"]), 3, table.shape[1]))
    for b in range(len(outputs)):
        outputs[b, 1] = table[FIRST_ROW["user"] + inputs["user"][b]]
        for place, bag in ((0, "tags"), (2, "history")):
            weights = inputs[bag + "__weights"][b]
            for one, weight in zip(inputs[bag][b], weights, strict=True):
                if weight:
                    outputs[b, place] += weight * table[FIRST_ROW[bag] + one] / weights.sum()
    return outputs


def test_layer_contract():
    run_layer_test(FusedEmbedding, KWARGS, (INPUTS,), (3, 3, 2))


def test_layer_contract_with_places_apart():
    run_layer_test(FusedEmbedding, {**KWARGS, "unpooled": ["history"]}, (INPUTS,), (3, 4, 2))


def test_layer_contract_without_bags():
    inputs = {"item": np.array([1, 0], "int32"), "user": np.array([0, 2], "int32")}
    run_layer_test(FusedEmbedding, {"vocab_sizes": {"user": 3, "item": 2}, "output_dim": 4}, (inputs,), (2, 2, 4))


def test_values_with_ids_at_both_ends_of_each_field():
    layer = FusedEmbedding(**KWARGS)
    outputs = np.asarray(layer(INPUTS))
    table = layer.get_weights()[0]
    assert table.shape == (12, 2)
    np.testing.assert_allclose(outputs, expected(table), atol=1e-5)
    for field in ROWS:
        assert layer.offsets[field] == FIRST_ROW[field]


def test_lookup_gives_fields_apart():
    layer = FusedEmbedding(**KWARGS)
    whole, (table,) = np.asarray(layer(INPUTS)), layer.get_weights()
    by_field = layer.lookup(INPUTS)
    assert set(by_field) == set(ROWS)
    for i, field in enumerate(ROWS):
        np.testing.assert_array_equal(by_field[field], whole[:, i])
    apart = FusedEmbedding(**KWARGS, unpooled=["history"])
    apart.build()
    apart.set_weights([table])
    by_field = apart.lookup(INPUTS)
    np.testing.assert_array_equal(by_field["tags"], whole[:, 0])
    places = INPUTS["history__weights"][:, :, None] * table[FIRST_ROW["history"] + INPUTS["history"]]
    np.testing.assert_array_equal(by_field["history"], places)


def test_places_apart_are_fields_in_the_order_of_the_places():
    layer = FusedEmbedding(**KWARGS, unpooled=["tags", "history"])
    outputs = np.asarray(layer(INPUTS))
    (table,) = layer.get_weights()
    wanted = np.zeros((3, 3 + 1 + 2, 2))
    for b in range(3):
        for bag, first in (("tags", 0), ("history", 4)):
            for j, (one, weight) in enumerate(zip(INPUTS[bag][b], INPUTS[bag + "__weights"][b], strict=True)):
                wanted[b, first + j] = weight * table[FIRST_ROW[bag] + one]
        wanted[b, 3] = table[FIRST_ROW["user"] + INPUTS["user"][b]]
    np.testing.assert_allclose(outputs, wanted, atol=1e-6)
    np.testing.assert_array_equal(outputs[2, :3], 0)  # No tag is there.
    np.testing.assert_array_equal(outputs[2, 5], 0)


def test_absent_places_learn_nothing():
    layer = FusedEmbedding(**KWARGS, unpooled=["history"])
    layer(INPUTS)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(INPUTS))
    (gradient,) = tape.gradient(loss, layer.trainable_weights)
    assert isinstance(gradient, tf.IndexedSlices)
    dense = np.asarray(tf.convert_to_tensor(gradient))[:, 0]
    # Histories are 4 and 0; 2 and 2; 1, and a 4 that is absent.
    np.testing.assert_allclose(dense[FIRST_ROW["history"] :], [1, 1, 2, 0, 1], atol=1e-6)


def test_empty_bag_is_zero():
    outputs = np.asarray(FusedEmbedding(**KWARGS)(INPUTS))
    np.testing.assert_array_equal(outputs[2, 0], 0)
    assert np.all(outputs[:2, 0] != 0)


def test_padded_ids_do_not_count():
    layer = FusedEmbedding(**KWARGS)
    outputs = np.asarray(layer(INPUTS))
    others = {**INPUTS, "tags": np.where(INPUTS["tags__weights"] == 0, 3, INPUTS["tags"])}
    np.testing.assert_array_equal(layer(others), outputs)


def test_other_inputs_are_left_alone():
    layer = FusedEmbedding(**KWARGS)
    outputs = np.asarray(layer(INPUTS))
    np.testing.assert_array_equal(layer({**INPUTS, "label": np.zeros(3)}), outputs)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_gradient_is_sparse_in_the_rows_looked_up(dtype):
    layer = FusedEmbedding(**KWARGS, dtype=dtype)
    layer(INPUTS)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.cast(layer(INPUTS), "float32"))
    (gradient,) = tape.gradient(loss, layer.trainable_weights)
    assert isinstance(gradient, tf.IndexedSlices)
    unique_rows = [FIRST_ROW[field] + INPUTS[field].ravel() for field in ROWS]
    assert sorted(np.asarray(gradient.indices)) == sorted(np.concatenate(unique_rows))
    dense = np.zeros((12, 2))
    for bag in ("tags", "history"):
        for ids, weights in zip(INPUTS[bag], INPUTS[bag + "__weights"], strict=True):
            for one, weight in zip(ids, weights, strict=True):
                dense[FIRST_ROW[bag] + one] += weight / weights.sum() if weight else 0
    for one in INPUTS["user"]:
        dense[FIRST_ROW["user"] + one] += 1
    tolerance = 1e-5 if dtype == "float32" else 1e-2
    np.testing.assert_allclose(tf.convert_to_tensor(gradient), dense, atol=tolerance)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_no_pass_over_the_whole_table(dtype):
    layer = FusedEmbedding({"user": 12345}, output_dim=7, dtype=dtype)
    layer({"user": np.array([0])})

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.int64)])
    def gradient(users):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer({"user": users}))
        return tape.gradient(loss, layer.trainable_weights)

    @tf.function(input_signature=[])
    def control():
        return 2 * layer.table.value

    assert tensors_of_shape(gradient.get_concrete_function(), (12345, 7)) == []
    assert "Mul" in tensors_of_shape(control.get_concrete_function(), (12345, 7))


@pytest.mark.parametrize("row", [-1, 12])
def test_id_outside_the_table(row):
    layer = FusedEmbedding({"user": 12}, output_dim=2)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"is not in \[0, 12\)"):
        layer({"user": np.array([row])})


@pytest.mark.parametrize("absent", ["user", "tags", "history__weights"])
def test_absent_input(absent):
    inputs = {name: value for name, value in INPUTS.items() if name != absent}
    with pytest.raises(ValueError, match=f"`inputs` should hold every field. Received none for: {absent}"):
        FusedEmbedding(**KWARGS)(inputs)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"vocab_sizes": {}, "multivalent": []},
            r"`vocab_sizes` should give every field at least one row. Received: {}",
        ),
        (
            {"vocab_sizes": {"user": 0}, "multivalent": []},
            r"`vocab_sizes` should give every field at least one row. Received: {'user': 0}",
        ),
        ({"output_dim": 0}, "`output_dim` should be at least 1. Received: 0"),
        ({"unpooled": ["user"]}, r"`unpooled` should be of the `multivalent`. Received: \['user'\]"),
        ({"multivalent": ["tag"]}, r"`multivalent` should be fields of `vocab_sizes`. Received: \['tag'\]"),
    ],
)
def test_bad_arguments(changed, message):
    with pytest.raises(ValueError, match=message):
        FusedEmbedding(**{**KWARGS, **changed})
