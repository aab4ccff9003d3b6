"""FusedEmbedding: fields that share embeddings, and fields that are vectors."""

import numpy as np
import pytest
from keras import ops

from tests.tfmtl.backends import assert_close, assert_same, to_numpy
from tests.tfmtl.layers.layer_harness import run_layer_test
from tests.tfmtl.layers.test_fused_embedding import table_gradient
from tfmtl.layers import FusedEmbedding


def test_fields_share_embeddings():
    sizes = {"user": 3, "item": 4, "history": 4}
    options = {"multivalent": ["history"], "shared": {"history": "item"}, "embeddings_initializer": "glorot_uniform"}
    layer = FusedEmbedding(sizes, 2, **options)
    inputs = {
        "item": np.array([2, 0]),
        "user": np.array([1, 2]),
        "history": np.array([[2, 3], [1, 0]]),
        "history__weights": np.array([[1.0, 1.0], [2.0, 0.0]], "float32"),
    }
    found, table = to_numpy(layer(inputs)), to_numpy(layer.table)
    assert table.shape == (7, 2)
    assert_same(found[:, 0], table[[1, 2]])
    assert_same(found[:, 1], table[[5, 3]])
    assert_close(found[:, 2], np.stack([(table[5] + table[6]) / 2, table[4]]))
    gradient = table_gradient(layer, inputs)
    assert_close(np.unique(np.asarray(to_numpy(ops.convert_to_tensor(gradient)))[5]), [1.5])
    copy = FusedEmbedding.from_config(layer.get_config())
    assert copy.offsets == layer.offsets == {"user": 0, "item": 3, "history": 3}


def test_dense_fields_are_linear_maps_behind_the_others():
    layer = FusedEmbedding({"user": 3, "item": 2}, 4, dense={"title": 2, "image": 1})
    inputs = {
        "user": np.array([0, 2]),
        "item": np.array([1, 0]),
        "title": np.array([[1.0, -2.0], [0.0, 0.0]], "float32"),
        "image": np.array([[3.0], [0.5]], "float32"),
    }
    layer.build()
    layer.biases["title"].assign([1.0, 2.0, 3.0, 4.0])
    found = to_numpy(layer(inputs))
    assert_same(found[:, :2], to_numpy(layer.table)[[[0, 4], [2, 3]]])
    assert_close(found[:, 2], inputs["title"] @ to_numpy(layer.kernels["title"]) + [1.0, 2.0, 3.0, 4.0])
    assert_close(found[:, 3], inputs["image"] @ to_numpy(layer.kernels["image"]))
    by_name = layer.lookup(inputs)
    assert list(by_name) == ["user", "item", "title", "image"]
    assert_same(to_numpy(by_name["title"]), found[:, 2])
    assert layer.compute_output_shape({"user": (2,), "item": (2,), "title": (2, 2)}) == (2, 4, 4)
    assert tuple(FusedEmbedding.from_config(layer.get_config())(inputs).shape) == (2, 4, 4)
    with pytest.raises(ValueError, match="Received none for: image"):
        layer({name: values for name, values in inputs.items() if name != "image"})


def test_layer_contract_with_dense_fields():
    run_layer_test(
        FusedEmbedding,
        {"vocab_sizes": {"user": 3}, "output_dim": 2, "dense": {"title": 2}},
        ({"user": np.array([0, 2, 1], "int64"), "title": np.array([[1.0, 2.0], [0.0, 1.0], [3.0, -1.0]], "float32")},),
        (3, 2, 2),
    )
