"""FusedEmbedding."""

import json

import keras
import numpy as np
import pytest
from keras import ops

from tests.tfmtl.backends import (
    assert_close,
    assert_same,
    import_tensorflow,
    needs_tensorflow,
    to_numpy,
    weight_gradients,
)
from tests.tfmtl.graphs import tensors_of_shape
from tests.tfmtl.layers.layer_harness import run_layer_test
from tfmtl.backend import is_tensorflow
from tfmtl.layers import FusedEmbedding

SIZES = {"tags": 4, "user": 3, "history": 5}
KWARGS = {
    "vocab_sizes": SIZES,
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
NO_DENSE_FIELD = ("dense_initializer",)
FIRST_ROW = {"tags": 0, "user": 4, "history": 7}


def expected(table, inputs=INPUTS):
    """The equation of the layer, row by row."""
    outputs = np.zeros((len(inputs["user"]), 3, table.shape[1]))
    for b in range(len(outputs)):
        outputs[b, 1] = table[FIRST_ROW["user"] + inputs["user"][b]]
        for index, field in ((0, "tags"), (2, "history")):
            weights = inputs[field + "__weights"][b]
            for one, weight in zip(inputs[field][b], weights, strict=True):
                if weight:
                    outputs[b, index] += weight * table[FIRST_ROW[field] + one] / weights.sum()
    return outputs


def table_gradient(layer, inputs=INPUTS):
    """The gradient of the sum of the outputs with respect to the table."""
    layer(inputs)
    (gradient,) = weight_gradients(lambda: ops.sum(ops.cast(layer(inputs), "float32")), layer.trainable_weights)
    return gradient


def assert_sparse(gradient):
    if is_tensorflow():
        tf = import_tensorflow("sparse gradients")
        assert isinstance(gradient, tf.IndexedSlices)


def test_layer_contract():
    run_layer_test(FusedEmbedding, KWARGS, (INPUTS,), (3, 3, 2), unused_arguments=NO_DENSE_FIELD)


def test_layer_contract_with_unpooled_field():
    kwargs = {**KWARGS, "unpooled": ["history"]}
    run_layer_test(FusedEmbedding, kwargs, (INPUTS,), (3, 4, 2), unused_arguments=NO_DENSE_FIELD)


def test_layer_contract_without_multivalent_fields():
    inputs = {"item": np.array([1, 0], "int32"), "user": np.array([0, 2], "int32")}
    kwargs = {"vocab_sizes": {"user": 3, "item": 2}, "output_dim": 4}
    run_layer_test(FusedEmbedding, kwargs, (inputs,), (2, 2, 4), unused_arguments=NO_DENSE_FIELD)


def test_values_with_ids_at_both_ends_of_each_field():
    layer = FusedEmbedding(**KWARGS)
    outputs = to_numpy(layer(INPUTS))
    table = layer.get_weights()[0]
    assert table.shape == (12, 2)
    assert_close(outputs, expected(table), atol=1e-5)
    for field in SIZES:
        assert layer.offsets[field] == FIRST_ROW[field]


def test_lookup_returns_embeddings_by_field():
    layer = FusedEmbedding(**KWARGS)
    whole, (table,) = to_numpy(layer(INPUTS)), layer.get_weights()
    by_field = layer.lookup(INPUTS)
    assert set(by_field) == set(SIZES)
    for i, field in enumerate(SIZES):
        assert_same(by_field[field], whole[:, i])
    unpooled = FusedEmbedding(**KWARGS, unpooled=["history"])
    unpooled.build()
    unpooled.set_weights([table])
    by_field = unpooled.lookup(INPUTS)
    assert_same(by_field["tags"], whole[:, 0])
    positions = INPUTS["history__weights"][:, :, None] * table[FIRST_ROW["history"] + INPUTS["history"]]
    assert_same(by_field["history"], positions)


def test_unpooled_positions_are_fields_in_their_order():
    layer = FusedEmbedding(**KWARGS, unpooled=["tags", "history"])
    outputs = to_numpy(layer(INPUTS))
    (table,) = layer.get_weights()
    wanted = np.zeros((3, 3 + 1 + 2, 2))
    for b in range(3):
        for field, first in (("tags", 0), ("history", 4)):
            for j, (one, weight) in enumerate(zip(INPUTS[field][b], INPUTS[field + "__weights"][b], strict=True)):
                wanted[b, first + j] = weight * table[FIRST_ROW[field] + one]
        wanted[b, 3] = table[FIRST_ROW["user"] + INPUTS["user"][b]]
    assert_close(outputs, wanted, atol=1e-6)
    assert_same(outputs[2, :3], np.zeros((3, 2)))  # The row has no tags.
    assert_same(outputs[2, 5], np.zeros(2))


def test_absent_positions_have_no_gradient():
    gradient = table_gradient(FusedEmbedding(**KWARGS, unpooled=["history"]))
    assert_sparse(gradient)
    # The histories are 4 and 0; 2 and 2; 1, and a 4 that is absent.
    assert_close(to_numpy(gradient)[FIRST_ROW["history"] :, 0], [1, 1, 2, 0, 1], atol=1e-6)


def test_field_without_weights_is_zero():
    outputs = to_numpy(FusedEmbedding(**KWARGS)(INPUTS))
    np.testing.assert_array_equal(outputs[2, 0], 0)
    assert np.all(outputs[:2, 0] != 0)


def test_ids_of_absent_positions_do_not_count():
    layer = FusedEmbedding(**KWARGS)
    outputs = layer(INPUTS)
    others = {**INPUTS, "tags": np.where(INPUTS["tags__weights"] == 0, 3, INPUTS["tags"])}
    assert_same(layer(others), outputs)


def test_ignores_other_inputs():
    layer = FusedEmbedding(**KWARGS)
    outputs = layer(INPUTS)
    assert_same(layer({**INPUTS, "label": np.zeros(3, "float32")}), outputs)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_gradient_is_sparse_in_the_rows_looked_up(dtype):
    gradient = table_gradient(FusedEmbedding(**KWARGS, dtype=dtype))
    assert_sparse(gradient)
    if is_tensorflow():
        looked_up = [FIRST_ROW[field] + INPUTS[field].ravel() for field in SIZES]
        assert sorted(to_numpy(gradient.indices)) == sorted(np.concatenate(looked_up))
    dense = np.zeros((12, 2))
    for field in ("tags", "history"):
        for ids, weights in zip(INPUTS[field], INPUTS[field + "__weights"], strict=True):
            for one, weight in zip(ids, weights, strict=True):
                dense[FIRST_ROW[field] + one] += weight / weights.sum() if weight else 0
    for one in INPUTS["user"]:
        dense[FIRST_ROW["user"] + one] += 1
    tolerance = 1e-5 if dtype == "float32" else 1e-2
    assert_close(gradient, dense, atol=tolerance)


@pytest.mark.parametrize("regularizer", [None, "l2"])
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_no_pass_over_the_whole_table(dtype, regularizer):
    tf = import_tensorflow("operations of a graph")
    layer = FusedEmbedding({"user": 12345}, output_dim=7, embeddings_regularizer=regularizer, dtype=dtype)
    layer({"user": np.array([0])})

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.int64)], autograph=False)
    def gradient(users):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.cast(layer({"user": users}), "float32")) + sum(layer.losses)
        return tape.gradient(loss, layer.trainable_weights)

    @tf.function(input_signature=[], autograph=False)
    def control():
        return 2 * layer.table.value

    assert tensors_of_shape(gradient.get_concrete_function(), (12345, 7)) == []
    assert "Mul" in tensors_of_shape(control.get_concrete_function(), (12345, 7))


def test_regularizer_takes_the_present_embeddings_per_row_of_the_batch():
    layer = FusedEmbedding(**KWARGS, embeddings_regularizer=keras.regularizers.L2(0.5))
    layer(INPUTS)
    (table,) = layer.get_weights()
    looked_up = [table[FIRST_ROW["user"] + INPUTS["user"]]]
    for field in ("tags", "history"):
        looked_up.append(table[FIRST_ROW[field] + INPUTS[field]][INPUTS[field + "__weights"] != 0])
    penalty = sum(0.5 * np.square(rows).sum() for rows in looked_up) / 3
    (loss,) = layer.losses
    assert_close(loss, penalty, rtol=1e-5)


def test_gradient_with_a_regularizer_is_sparse():
    layer = FusedEmbedding({"user": 100}, output_dim=2, embeddings_regularizer="l2")
    inputs = {"user": np.array([3, 5])}
    layer(inputs)

    def loss():
        layer(inputs)
        return sum(layer.losses)

    (gradient,) = weight_gradients(loss, layer.trainable_weights)
    assert_sparse(gradient)
    table, expected_gradient = layer.get_weights()[0], np.zeros((100, 2))
    expected_gradient[[3, 5]] = 2 * 0.01 * table[[3, 5]] / 2
    assert_close(gradient, expected_gradient, rtol=1e-5, atol=1e-9)


OUTSIDE = pytest.mark.parametrize(
    ("field", "value", "size"), [("tags", 4, 4), ("tags", -1, 4), ("user", 3, 3), ("user", -2, 3), ("history", 99, 5)]
)


def with_id(field, value):
    """The inputs with one id of a field replaced."""
    ids = INPUTS[field].copy()
    ids[(1,) * ids.ndim] = value
    return {**INPUTS, field: ids}


@OUTSIDE
@needs_tensorflow
def test_id_outside_its_field_is_an_error(field, value, size):
    tf = import_tensorflow("errors from compiled code")
    layer = FusedEmbedding(**KWARGS)
    layer(INPUTS)
    message = rf"ids of '{field}' should be in \[0, {size}\)\. Received: {value}\b"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        layer(with_id(field, value))


@OUTSIDE
def test_id_outside_its_field_is_an_error_in_a_graph(field, value, size):
    tf = import_tensorflow("errors from compiled code")
    layer = FusedEmbedding(**KWARGS)
    layer(INPUTS)
    function = tf.function(layer, autograph=False)
    assert_close(function(INPUTS), layer(INPUTS), atol=1e-6)
    message = rf"\[ids of .{{1,2}}{field}.{{1,2}} should be in \[0, {size}\)\. Received:\] \[{value}\]"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        function(with_id(field, value))


def test_ids_are_checked_when_a_model_is_fit():
    tf = import_tensorflow("errors from compiled code")
    inputs = {"user": keras.Input((), dtype="int64", name="user")}
    outputs = keras.layers.Dense(1)(keras.layers.Flatten()(FusedEmbedding({"user": 10}, 4)(inputs)))
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "mse")
    model.fit({"user": np.arange(10)}, np.ones(10), verbose=0)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"should be in \[0, 10\)\. Received:\] \[12\]"):
        model.fit({"user": np.array([1, 12])}, np.ones(2), verbose=0)


def test_function_compiled_by_xla_does_not_check_ids():
    tf = import_tensorflow("XLA")
    layer = FusedEmbedding(**KWARGS)
    outputs = layer(INPUTS)
    function = tf.function(layer, jit_compile=True, autograph=False)
    assert_close(function(INPUTS), outputs, atol=1e-6)
    assert function(with_id("user", 3)).shape == (3, 3, 2)


def test_ids_are_not_checked_where_there_is_a_gpu(monkeypatch):
    tf = import_tensorflow("GPUs")
    layer = FusedEmbedding(**KWARGS)
    layer(INPUTS)
    (table,) = layer.get_weights()
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind=None: ["a GPU"] if kind == "GPU" else [])
    outputs = layer(with_id("user", 3))
    assert_close(outputs[1, 1], table[FIRST_ROW["history"]])


@OUTSIDE
@pytest.mark.skipif(is_tensorflow(), reason="TensorFlow raises an error")
def test_id_outside_its_field_is_nan(field, value, size):
    layer = FusedEmbedding(**KWARGS)
    outputs, marked = to_numpy(layer(INPUTS)), to_numpy(layer(with_id(field, value)))
    index = list(SIZES).index(field)
    assert np.all(np.isnan(marked[1, index]))
    marked[1, index] = outputs[1, index]
    assert_same(marked, outputs)


@pytest.mark.parametrize("missing", ["user", "tags", "history__weights"])
def test_missing_input(missing):
    inputs = {name: value for name, value in INPUTS.items() if name != missing}
    with pytest.raises(ValueError, match=f"`inputs` should hold every field. Received none for: {missing}"):
        FusedEmbedding(**KWARGS)(inputs)


def test_config_with_former_keys():
    """The config that the layer wrote before its arguments were renamed."""
    former = """{
        "name": "embedding", "trainable": true,
        "dtype": {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"},
                  "registered_name": null},
        "rows": {"tags": 4, "user": 3, "history": 5}, "dim": 2, "bags": ["tags", "history"],
        "embeddings_initializer": {"module": "keras.initializers", "class_name": "RandomUniform",
                                   "config": {"seed": null, "minval": -0.05, "maxval": 0.05}, "registered_name": null},
        "apart": ["history"]
    }"""
    layer = FusedEmbedding.from_config(json.loads(former))
    config = layer.get_config()
    assert config["vocab_sizes"] == SIZES
    assert (config["output_dim"], config["multivalent"], config["unpooled"]) == (2, ["tags", "history"], ["history"])
    assert not {"rows", "dim", "bags", "apart"} & set(config)
    assert tuple(layer(INPUTS).shape) == (3, 4, 2)


@pytest.mark.skipif(is_tensorflow(), reason="they run on TensorFlow")
def test_meta_learning_needs_tensorflow():
    layer = FusedEmbedding(**KWARGS)
    with pytest.raises(RuntimeError, match=r"`FusedEmbedding\.unique_rows` should be used with the TensorFlow backend"):
        layer.unique_rows(INPUTS)
    with (
        pytest.raises(RuntimeError, match=r"`FusedEmbedding\.override_rows` should be used with the TensorFlow"),
        layer.override_rows(np.array([0]), np.zeros((1, 2))),
    ):
        pass


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
        ({"unpooled": ["user"]}, r"`unpooled` should be fields of `multivalent`. Received: \['user'\]"),
        ({"shared": {"tags": "user"}}, r"`shared` should map fields to other ones of the same size.*'tags': 'user'"),
        ({"shared": {"tags": "none"}}, r"`shared` should map fields to other ones of the same size"),
        ({"multivalent": ["tag"]}, r"`multivalent` should be fields of `vocab_sizes`. Received: \['tag'\]"),
    ],
)
def test_rejects_wrong_arguments(changed, message):
    with pytest.raises(ValueError, match=message):
        FusedEmbedding(**{**KWARGS, **changed})
