"""Rows in any form, read by the description of a model, and errors that name row and feature and can be pickled."""

import io
import pickle
import sys

import grpc
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from serving.client import PredictionError, Predictions, RowError
from serving.description import ModelDescription
from serving.errors import StatusError
from serving.raw_features import raw_inputs
from serving.rows import Batch, features_of
from tfmtl import DatasetSpec

SPEC = DatasetSpec.from_yaml("""
name: shop
features:
  - {name: user, kind: categorical, required: true}
  - {name: price, kind: numerical}
  - {name: tags, kind: multi_valued, separator: ";", weights: tag_weights, max_length: 3}
  - {name: history, kind: sequence, separator: " ", max_length: 3}
  - {name: days, kind: number_sequence, max_length: 2}
tasks:
  - {name: click, label: clicked, output: ctr}
group_key: session
split: {kind: time, column: day, eval_from: 1, test_from: 2}
""")
DESCRIPTION = ModelDescription(SPEC, {"null": ["?"], "columns": {"price": "Price (EUR)"}})
CSV = """session,day,user,price,tags,tag_weights,history,days,clicked
1,1,12,2.5,a;;b,0.5;1;2,x  y,1|2|3,0
2,1,13,,,,,,1
"""
NAN = float("nan")
WEIGHTS = "feature 'tag_weights' should be one finite number for each token of tags. Received: "
SENT = {
    "user": [b"12", b"13"],
    "price": [2.5, NAN],
    "tags": [[b"a", b"b"], [b"", b""]],
    "tag_weights": [[0.5, 2.0], [NAN, NAN]],
    "history": [[b"x", b"", b"y"], [b"", b"", b""]],
    "days": [[2.0, 3.0], [NAN, NAN]],
}


def features():
    signature = meta_graph_pb2.SignatureDef()
    for raw in raw_inputs(SPEC):
        signature.inputs[raw.name].dtype = raw.dtype.as_datatype_enum
        signature.inputs[raw.name].tensor_shape.CopyFrom(tf.TensorShape(raw.shape).as_proto())
    return features_of(signature)


def sent(rows, extra="error", description=DESCRIPTION):
    """Returns the tensors that a client sends for all rows."""
    batch = Batch(rows, features(), description, extra)
    protos = {raw.name: tensor_pb2.TensorProto() for raw in raw_inputs(SPEC)}
    batch.write(protos, 0, len(batch))
    return {name: tf.make_ndarray(proto).tolist() for name, proto in protos.items()}


def frame(text=CSV, **options):
    return pd.read_csv(io.StringIO(text), **options)


TYPED = {
    "user": [12, 13.0],
    "price": [2.5, None],
    "tags": [["a", "", "b"], None],
    "tag_weights": [(0.5, 1, 2), []],
    "history": [np.array(["x", None, "y"], object), float("nan")],
    "days": [[1, 2.0, 3], pd.NA],
}


@pytest.mark.parametrize(
    "rows",
    [
        frame(),
        frame(dtype=str),
        frame(dtype=str, keep_default_na=False),
        frame(dtype_backend="pyarrow") if pd.__version__ >= "2" else frame().convert_dtypes(),
        frame(CSV.replace("price", "Price (EUR)")),
        frame(CSV.replace("13,,", "13,?,")),
        frame().to_dict("list"),
        frame().to_dict("records"),
        {name: frame()[name].to_numpy() for name in frame()},
        pa.Table.from_pandas(frame()),
        pa.Table.from_pandas(frame()).to_batches()[0],
        TYPED,
        [dict(zip(TYPED, values, strict=True)) for values in zip(*TYPED.values(), strict=True)],
    ],
    ids=lambda rows: type(rows).__name__,
)
def test_rows_in_any_form(rows):
    np.testing.assert_equal(sent(rows), SENT)


def test_ids_of_any_type_are_texts():
    moment = pd.Timestamp("2026-11-18 10:00:00.25", tz="Europe/Berlin")
    users = ["ü", b"b", 7, np.int8(7), 2**60, 7.0, True, moment, moment.to_datetime64(), moment.date(), ["only"]]
    expected = ["ü", "b", "7", "7", str(2**60), "7", "true"]
    expected += ["2026-11-18T09:00:00.25Z", "2026-11-18T09:00:00.25", "2026-11-18", "only"]
    assert sent({"user": users})["user"] == [text.encode() for text in expected]
    gaps = pd.DataFrame({"user": [1, 2], "days": [1, None]})
    assert gaps["days"].dtype == float
    assert sent(gaps.rename(columns={"days": "x", "user": "days"}).rename(columns={"x": "user"})[:1])["user"] == [b"1"]


def test_columns_that_are_not_features():
    rows = frame(CSV.replace("session", "note"))
    with pytest.raises(RowError, match=r"columns: a feature should be one of the model's.* Received: 'note'\. extra="):
        sent(rows)
    np.testing.assert_equal(sent(rows, extra="ignore"), SENT)
    with pytest.raises(RowError, match=r"row 1: .*Received: 'usr'") as caught:
        sent([{"user": "a"}, {"usr": "a"}])
    assert (caught.value.row, caught.value.feature) == (1, "usr")


@pytest.mark.parametrize(
    ("row", "message", "feature"),
    [
        ({}, "feature 'user' should be given. Received: nothing", "user"),
        ({"user": "?"}, "feature 'user' should be given. Received: nothing", "user"),
        ({"user": ""}, "feature 'user' should be given. Received: nothing", "user"),
        ({"user": 1.5}, "feature 'user' should be a string or a whole number. Received: 1.5", "user"),
        ({"user": ["a", "b"]}, "feature 'user' should be one value. Received: ['a', 'b']", "user"),
        ({"price": "much"}, "feature 'price' should be a finite number. Received: 'much'", "price"),
        ({"price": float("inf")}, "feature 'price' should be a finite number. Received: inf", "price"),
        ({"tags": [["a", "b"]]}, "feature 'tags' should be a list of strings. Received: [['a', 'b']]", "tags"),
        ({"tags": ["1", "2"], "tag_weights": [0.3]}, WEIGHTS, "tag_weights"),
        ({"tags": "1;2", "tag_weights": "1;x"}, WEIGHTS, "tag_weights"),
        ({"days": [1, "x"]}, "feature 'days' should be a list of finite numbers. Received: [1, 'x']", "days"),
    ],
)
def test_errors_name_row_and_feature(row, message, feature):
    last = {"user": "c", **row} if row else {}
    rows = [{"user": "a"}, {"user": "b"}, last]
    with pytest.raises(RowError) as caught:
        sent(rows)
    assert f"row 2, {message}" in str(caught.value)
    assert (caught.value.row, caught.value.feature) == (2, feature)
    assert isinstance(caught.value, ValueError)


def test_number_of_invalid_rows():
    with pytest.raises(
        RowError, match=r"row 1, feature 'user' should be given. Received: nothing\n3 rows are invalid\."
    ):
        sent({"user": ["a", None, None, None], "price": [1, "x", 1, 1]})


def test_tokens_without_weights():
    """Weights are optional, as every feature that the spec does not require; the transform gives them the value 1."""
    found = sent([{"user": "a", "tags": ["1", "2"]}, {"user": "b", "tags": ["1"], "tag_weights": [0.5]}])
    np.testing.assert_equal(found["tag_weights"], [[NAN, NAN], [0.5, NAN]])


@pytest.mark.parametrize(
    "error",
    [
        StatusError(grpc.StatusCode.INTERNAL, "text"),
        PredictionError(grpc.StatusCode.NOT_FOUND, "text"),
        PredictionError(grpc.StatusCode.INVALID_ARGUMENT, "text", 3, "user"),
        RowError("row 3, feature 'user' should be given", 3, "user"),
    ],
)
def test_errors_can_be_pickled(error):
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        copy = pickle.loads(pickle.dumps(error, protocol))
        assert type(copy) is type(error)
        assert str(copy) == str(error)
        assert vars(copy) == vars(error)
        assert copy.wire_details == "text" or isinstance(error, RowError)


def test_predictions_can_be_pickled():
    predictions = Predictions({"ctr": np.float32([0.5])}, version=7)
    copy = pickle.loads(pickle.dumps(predictions))
    assert (copy, copy.version) == (predictions, 7)
    assert predictions == {"ctr": np.float32([0.5])}


def test_conversion_imports_nothing():
    assert "polars" not in sys.modules
    for module in ("tfmtl.rows.values", "tfmtl.rows.tables", "serving.rows", "serving.inputs"):
        assert not {"pandas", "pyarrow", "tensorflow", "pa", "pd", "tf"} & set(vars(sys.modules[module]))
