"""Rows as pandas reads them from a file: whole numbers as ids, and lists as text."""

import io

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from serving import raw_features
from serving.description import ModelDescription
from serving.rows import Batch, features_of
from tfmtl.features import CategoricalFeature, MultiValuedFeature, NumberSequenceFeature, NumericalFeature
from tfmtl.spec import DatasetSpec, Task

SPEC = DatasetSpec(
    "shop",
    (
        CategoricalFeature("user"),
        NumericalFeature("price"),
        MultiValuedFeature("tags", weights="tag_weights", separator=";"),
        NumberSequenceFeature("clicks", max_length=3),
    ),
    (Task("buy", "bought"),),
)


def sent(rows, spec=SPEC):
    signature = meta_graph_pb2.SignatureDef()
    for i in raw_features.raw_inputs(SPEC):
        info = signature.inputs[i.name]
        info.dtype = i.dtype.as_datatype_enum
        info.tensor_shape.CopyFrom(tf.TensorShape(i.shape).as_proto())
    protos = {name: tensor_pb2.TensorProto() for name in signature.inputs}
    batch = Batch(rows, features_of(signature), spec and ModelDescription(spec))
    batch.write(protos, 0, len(batch))
    return {name: tf.make_ndarray(proto) for name, proto in protos.items()}


def test_a_frame_of_a_csv_file():
    text = "user,price,tags,tag_weights,clicks\n12,1.5,a;b,0.5;2,3||4|5\n,2,,,\n7,,c,1,0\n"
    found = sent(pd.read_csv(io.StringIO(text)))
    assert found["user"].tolist() == [b"12", b"", b"7"]
    np.testing.assert_array_equal(found["price"], np.float32([1.5, 2, np.nan]))
    assert found["tags"].tolist() == [[b"a", b"b"], [b"", b""], [b"c", b""]]
    np.testing.assert_array_equal(found["tag_weights"], np.float32([[0.5, 2], [np.nan] * 2, [1, np.nan]]))
    np.testing.assert_array_equal(found["clicks"], np.float32([[np.nan, 4, 5], [np.nan] * 3, [np.nan, np.nan, 0]]))


def test_lists_of_one_item():
    found = sent(pd.DataFrame({"tags": [5, 6], "tag_weights": [0.5, 1.5], "clicks": [3, 4]}))
    assert found["tags"].tolist() == [[b"5"], [b"6"]]
    np.testing.assert_array_equal(found["tag_weights"], np.float32([[0.5], [1.5]]))
    np.testing.assert_array_equal(found["clicks"][:, -1], [3, 4])


@pytest.mark.parametrize("value", [12, 12.0, np.int64(12), np.float32(12), "12", b"12"])
def test_whole_numbers_are_tokens(value):
    assert sent([{"user": value}])["user"].tolist() == [b"12"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"user": 1.5}, "row 0, feature 'user' should be a string or a whole number. Received: 1.5"),
        ({"user": float("inf")}, "row 0, feature 'user' should be a string or a whole number. Received: inf"),
        ({"clicks": "1|x"}, "row 0, feature 'clicks' should be a list of finite numbers. Received: '1|x'"),
        ({"tags": {"a"}}, "row 0, feature 'tags' should be a list of strings. Received: {'a'}"),
    ],
)
def test_values_that_do_not_fit(row, message):
    with pytest.raises(ValueError) as caught:
        sent([row])
    assert str(caught.value) == message


def test_without_a_spec_texts_are_no_lists_and_numbers_no_tokens():
    with pytest.raises(ValueError, match="'tags' should be a list of strings"):
        sent([{"tags": "a;b"}], None)
    with pytest.raises(ValueError, match="'user' should be a string"):
        sent([{"user": 12}], None)
