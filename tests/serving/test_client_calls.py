"""Requests, retries and validation of the client, tested against a server with scripted failures."""

import pickle
import time
import types
from concurrent import futures

import grpc
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2

from serving.client import PredictionError, TfmtlClient
from serving.errors import StatusError


class Fake:
    """Server whose `raw` signature answers `score` = age after it has failed with each of `failures` in turn."""

    def __init__(self):
        self.requests: list[predict_pb2.PredictRequest] = []
        self.metadata_calls = 0
        self.failures: list[grpc.StatusCode] = []
        self.version = 1
        self.swap_at: int | None = None
        self.seconds = 0.0
        self._server = grpc.server(futures.ThreadPoolExecutor(4))
        metadata = get_model_metadata_pb2
        methods = {
            "Predict": (self.predict, predict_pb2.PredictRequest, predict_pb2.PredictResponse),
            "GetModelMetadata": (
                self.metadata,
                metadata.GetModelMetadataRequest,
                metadata.GetModelMetadataResponse,
            ),
        }
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(method, request.FromString, response.SerializeToString)
            for name, (method, request, response) in methods.items()
        }
        generic = grpc.method_handlers_generic_handler("tensorflow.serving.PredictionService", handlers)
        self._server.add_generic_rpc_handlers((generic,))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def predict(self, request, context):
        self.requests.append(request)
        time.sleep(self.seconds)
        failure = self.failures.pop(0) if self.failures else None
        if len(self.requests) == self.swap_at:
            self.version = 2
        if failure is not None:
            context.abort(failure, "not now")
        response = predict_pb2.PredictResponse()
        response.model_spec.version.value = self.version
        response.outputs["score"].CopyFrom(tf.make_tensor_proto(tf.make_ndarray(request.inputs["age"])))
        return response

    def metadata(self, request, context):
        self.metadata_calls += 1
        signature = meta_graph_pb2.SignatureDef()
        for name, dtype, rank in [("age", 1, 1), ("city", 7, 1), ("tags", 7, 2), ("weights", 1, 2), ("visits", 9, 1)]:
            if name == "visits" and self.version < 2:
                continue
            signature.inputs[name].dtype = dtype
            for _ in range(rank):
                signature.inputs[name].tensor_shape.dim.add().size = -1
        signature.outputs["score"].dtype = 1
        signatures = get_model_metadata_pb2.SignatureDefMap(signature_def={"raw": signature})
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.version.value = self.version
        response.metadata["signature_def"].Pack(signatures)
        return response

    def stop(self):
        self._server.stop(0).wait()


@pytest.fixture
def fake():
    running = Fake()
    yield running
    running.stop()


@pytest.fixture
def asker(fake):
    with TfmtlClient(fake.address, "ads", deadline=10.0, retries=2, max_batch=4) as client:
        yield client


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
        ("rows", r"rows should be a list of dicts, a dict of columns or a DataFrame. Received: 'rows'"),
        (3, r"rows should be a list of dicts, a dict of columns or a DataFrame. Received: 3"),
    ],
)
def test_invalid_rows_are_rejected_before_sending(fake, rows, message):
    with TfmtlClient(fake.address, "ads") as client, pytest.raises(ValueError, match=message):
        client.predict(rows)
    assert fake.requests == []


def test_batches_are_split_and_answers_keep_the_order(fake, asker):
    ages = [float(age) for age in range(10)]
    assert asker.predict({"age": ages})["score"].tolist() == ages
    assert [tf.make_ndarray(request.inputs["city"]).shape for request in fake.requests] == [(4,), (4,), (2,)]
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
    fake.version = 2
    assert asker.predict([{"age": 1.0, "visits": 2**40}])["score"].tolist() == [1.0]
    assert tf.make_ndarray(fake.requests[0].inputs["visits"]).tolist() == [2**40]
    for value in (None, 1.5, 2**63, True):
        with pytest.raises(ValueError, match="row 0, feature 'visits' should be an integer from -9223372036854775808"):
            asker.predict([{"visits": value}])


def test_unavailable_is_retried(fake, asker):
    fake.failures = [grpc.StatusCode.UNAVAILABLE] * 2
    begin = time.monotonic()
    assert asker.predict([{"age": 1.0}])["score"].tolist() == [1.0]
    assert len(fake.requests) == 3
    assert time.monotonic() - begin >= 0.025 + 0.05  # At least half of 50 ms and of 100 ms.


def test_number_of_retries_is_limited(fake, asker):
    fake.failures = [grpc.StatusCode.UNAVAILABLE] * 3
    with pytest.raises(PredictionError) as caught:
        asker.predict([{"age": 1.0}])
    assert (caught.value.code, caught.value.details) == (grpc.StatusCode.UNAVAILABLE, "not now")
    assert str(caught.value) == "UNAVAILABLE: not now"
    assert len(fake.requests) == 3


def test_retries_end_with_the_deadline(fake, monkeypatch):
    """The clock advances only during the pauses."""
    now = [100.0]
    clock = types.SimpleNamespace(monotonic=lambda: now[0], sleep=lambda pause: now.append(now.pop() + pause))
    monkeypatch.setattr("serving.connection.time", clock)
    monkeypatch.setattr("serving.client.time", clock)
    monkeypatch.setattr("serving.connection.random.uniform", lambda low, high: high)
    fake.failures = [grpc.StatusCode.UNAVAILABLE] * 100
    with TfmtlClient(fake.address, "ads", retries=100) as client, pytest.raises(PredictionError) as caught:
        client.predict([{}], deadline=5.0)
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE
    assert len(fake.requests) == 7  # At 0, 0.05, 0.15, 0.35, 0.75, 1.55 and 3.15 s; 5.15 s would be too late.
    assert now == [pytest.approx(103.15)]


@pytest.mark.parametrize("code", ["INVALID_ARGUMENT", "INTERNAL", "RESOURCE_EXHAUSTED", "NOT_FOUND"])
def test_other_errors_are_not_retried(fake, asker, code):
    fake.failures = [grpc.StatusCode[code]]
    with pytest.raises(PredictionError) as caught:
        asker.predict([{}])
    assert (caught.value.code, caught.value.details) == (grpc.StatusCode[code], "not now")
    assert len(fake.requests) == 1


def test_deadline_covers_the_whole_call(fake, asker):
    fake.seconds = 0.3
    begin = time.monotonic()
    with pytest.raises(PredictionError) as caught:
        asker.predict({"age": [0.0] * 40}, deadline=0.8)
    assert caught.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert 0.7 < time.monotonic() - begin < 2.5
    assert 1 <= len(fake.requests) <= 4


def test_signatures_of_a_new_version_are_requested(fake, asker):
    asker.predict([{}])
    fake.version = 2
    asker.predict([{}])
    with pytest.raises(ValueError, match="feature 'visits'"):
        asker.predict([{}])
    assert fake.metadata_calls == 2
    fake.version = 1
    fake.failures = [grpc.StatusCode.INVALID_ARGUMENT]
    found = asker.predict([{"age": 5.0, "visits": 1}])
    assert (found["score"].tolist(), found.version) == ([5.0], 1)
    assert fake.metadata_calls == 3


@pytest.mark.parametrize("code", [grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION])
def test_a_call_whose_version_is_unloaded_is_made_again_by_the_newest(fake, code):
    with TfmtlClient(fake.address, "m", max_batch=2) as client:
        client.predict([{}])
        fake.requests.clear()
        fake.swap_at, fake.failures = 2, [None, code]
        found = client.predict([{"age": float(i), "visits": 1} for i in range(5)], extra="ignore")
    assert (found["score"].tolist(), found.version) == ([0.0, 1.0, 2.0, 3.0, 4.0], 2)
    asked = [request.model_spec.version.value for request in fake.requests]
    assert asked == [0, 1, 0, 2, 2], "the parts after the first are for the version that answered it"


def test_a_chosen_version_that_is_unloaded_is_an_error(fake):
    with TfmtlClient(fake.address, "m", version=1) as client:
        client.predict([{}])
        fake.version, fake.failures = 2, [grpc.StatusCode.NOT_FOUND]
        with pytest.raises(PredictionError, match="NOT_FOUND"):
            client.predict([{}])


def test_an_error_that_no_other_version_causes_is_raised(fake, asker):
    asker.predict([{}])
    fake.failures = [grpc.StatusCode.INVALID_ARGUMENT]
    with pytest.raises(PredictionError, match="INVALID_ARGUMENT"):
        asker.predict([{}])


@pytest.mark.parametrize("make", [PredictionError, StatusError])
def test_errors_are_pickled(make):
    error = pickle.loads(pickle.dumps(make(grpc.StatusCode.NOT_FOUND, "gone")))
    assert (type(error), error.code, error.details, str(error)) == (
        make, grpc.StatusCode.NOT_FOUND, "gone", "NOT_FOUND: gone"
    )  # fmt: skip


def test_predictions_are_pickled(fake, asker):
    found = pickle.loads(pickle.dumps(asker.predict([{"age": 3.0}])))
    assert (found["score"].tolist(), found.version) == ([3.0], 1)
    assert asker.predict([]).version is None


def test_outputs_may_be_one_name(fake, asker):
    assert list(asker.predict([{}], outputs="score")) == ["score"]
    with pytest.raises(ValueError, match=r"outputs should be among score\. Received: 'ctr'"):
        asker.predict([{}], outputs="ctr")


def test_columns_that_are_no_features(fake, asker):
    frame = pd.DataFrame({"age": [1.0, 2.0], "label": [0, 1]})
    table = pa.table({"label": [0, 1], "age": [1.0, 2.0]})
    for rows in (frame, table, frame.to_dict("records"), {"age": [1.0, 2.0], "label": [0, 1]}):
        assert asker.predict(rows, extra="ignore")["score"].tolist() == [1.0, 2.0]
        with pytest.raises(ValueError, match=r"a feature should be one of the model's.* Received: 'label'"):
            asker.predict(rows)
    with pytest.raises(ValueError, match="extra should be 'error' or 'ignore'"):
        asker.predict(frame, extra="drop")
