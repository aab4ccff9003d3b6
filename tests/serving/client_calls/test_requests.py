"""Requests of the client: validation of rows, tensors, parts, headers."""

import grpc
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from serving.client import PredictionError, TfmtlClient
from tests.serving.blocking_facade import CLIENTS


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [{}, {"citty": "c1"}],
            r"row 1: a feature should be one of the model's, the closest is 'city'. Received: 'citty'",
        ),
        ({"agee": [1.0]}, r"columns: a feature should be one of the model's, the closest is 'age'. Received: 'agee'"),
        (pd.DataFrame({"wieghts": [1.0]}), r"the closest is 'weights'. Received: 'wieghts'"),
        ([{}, {"age": "31"}], r"row 1, feature 'age' should be a number. Received: '31'"),
        ([{"age": True}], r"row 0, feature 'age' should be a number. Received: True"),
        ([{"age": 10**400}], r"row 0, feature 'age' should be a number in the range of float"),
        ([{"age": [1.0]}], r"row 0, feature 'age' should be a number. Received: \[1.0\]"),
        ([{"city": 7}], r"row 0, feature 'city' should be a string. Received: 7"),
        ([{}, {}, {"tags": "a"}], r"row 2, feature 'tags' should be a list of strings. Received: 'a'"),
        ([{"tags": ["a", 3]}], r"row 0, feature 'tags' should be a string. Received: 3"),
        ([{"weights": ["a"]}], r"row 0, feature 'weights' should be a number. Received: 'a'"),
        ({"age": [1.0], "city": []}, r"columns should have the same length. Received: {'age': 1, 'city': 0}"),
        ({"age": 1.0}, r"column 'age' should be a list, a value for each row. Received: 1.0"),
        ({"city": "abc"}, r"column 'city' should be a list, a value for each row. Received: 'abc'"),
        (pd.DataFrame([[1.0, 2.0]], columns=["age", "age"]), r"columns should have different names"),
        ([["age", 1.0]], r"row 0 should be a dict. Received: \['age', 1.0\]"),
        ("rows", r"rows should be a list of dicts, a dict of columns, a DataFrame or an Arrow table. Received: 'rows'"),
        (3, r"rows should be a list of dicts, a dict of columns, a DataFrame or an Arrow table. Received: 3"),
    ],
)
def test_invalid_rows_are_rejected_before_sending(fake, rows, message):
    with TfmtlClient(fake.address, "ads") as client, pytest.raises(ValueError, match=message):
        client.predict(rows)
    assert fake.requests == []


def test_batches_are_split_and_answers_keep_the_order(fake, asker):
    ages = [float(age) for age in range(10)]
    assert asker.predict({"age": ages})["score"].tolist() == [age + 100 for age in ages]
    # The second and the third part are in flight at once.
    assert sorted(tf.make_ndarray(request.inputs["city"]).shape for request in fake.requests) == [(2,), (4,), (4,)]
    assert fake.metadata_calls == 1
    asker.predict([{"age": 1.0}])
    assert fake.metadata_calls == 1


def test_request_holds_the_tensors_of_the_rows(fake, asker):
    asker.predict([{"age": 2, "tags": ["a", "b", "c"], "weights": [0.5]}, {"city": "x"}], outputs=["score"])
    (request,) = fake.requests
    assert (request.model_spec.name, request.model_spec.signature_name) == ("ads", "raw")
    assert list(request.output_filter) == ["score"]
    sent = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
    np.testing.assert_array_equal(sent["age"], np.array([2.0, np.nan], np.float32))
    assert sent["city"].tolist() == [b"", b"x"]
    assert sent["tags"].tolist() == [[b"a", b"b", b"c"], [b"", b"", b""]]
    nan = np.nan
    np.testing.assert_array_equal(sent["weights"], [[0.5, nan, nan], [nan, nan, nan]])
    assert {name: array.dtype.name for name, array in sent.items()} == {
        "age": "float32", "city": "object", "tags": "object", "weights": "float32"
    }  # fmt: skip
    asker.predict([{}])
    assert tf.make_ndarray(fake.requests[1].inputs["tags"]).tolist() == [[b""]]


def test_integers_have_no_missing_value(fake, asker):
    fake.extra_input = "visits"
    assert asker.predict([{"age": 1.0, "visits": 2**40}])["score"].tolist() == [101.0]
    assert tf.make_ndarray(fake.requests[0].inputs["visits"]).tolist() == [2**40]
    for value in (None, 1.5, 2**63, True):
        with pytest.raises(ValueError, match="row 0, feature 'visits' should be an integer from -9223372036854775808"):
            asker.predict([{"visits": value}])


@pytest.mark.parametrize("kind", CLIENTS)
def test_several_parts_are_in_flight(fake, kind):
    fake.seconds = 0.4
    with CLIENTS[kind](fake.address, "ads", max_batch=4, max_in_flight=3) as client:
        ages = [float(age) for age in range(28)]
        assert client.predict({"age": ages})["score"].tolist() == [age + 100 for age in ages]
    assert fake.most_in_flight == 3


@pytest.mark.parametrize("kind", CLIENTS)
def test_headers_and_channel_options(fake, kind):
    with CLIENTS[kind](fake.address, "ads", headers={"authorization": "Bearer x"}) as client:
        client.predict([{}])
    assert fake.headers[-1]["authorization"] == "Bearer x"
    options = [("grpc.max_receive_message_length", 20)]
    with (
        CLIENTS[kind](fake.address, "ads", channel_options=options) as client,
        pytest.raises(PredictionError) as caught,
    ):
        client.predict([{}])
    assert caught.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
