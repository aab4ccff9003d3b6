"""Requests, retries and validation of the client, tested against a server with scripted failures."""

import threading
import time
import types
from concurrent import futures

import grpc
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2

from serving.client import PredictionError, TfmtlClient
from tests.serving.blocking_facade import CLIENTS


class Fake:
    """Server whose `raw` signature answers `score` = age + 100 version, or with the next one of `failures`."""

    def __init__(self):
        self.requests: list[predict_pb2.PredictRequest] = []
        self.metadata_calls = 0
        self.failures: list[grpc.StatusCode | None] = []
        self.version = 1
        self.extra_input: str | None = None
        self.swap_at: int | None = None
        self.unload = False
        self.seconds = 0.0
        self.headers: list[dict[str, str]] = []
        self.in_flight = self.most_in_flight = 0
        self._lock = threading.Lock()
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
        with self._lock:
            self.requests.append(request)
            self.headers.append(dict(context.invocation_metadata()))
            failure = self.failures.pop(0) if self.failures else None
            if len(self.requests) == self.swap_at:
                self.version += 1
            version = self.version
            self.in_flight += 1
            self.most_in_flight = max(self.in_flight, self.most_in_flight)
        time.sleep(self.seconds)
        with self._lock:
            self.in_flight -= 1
        if failure:
            context.abort(failure, "not now")
        if self.unload and request.model_spec.version.value not in (0, version):
            context.abort(grpc.StatusCode.NOT_FOUND, "Servable not found for request: Specific(ads, 1)")
        response = predict_pb2.PredictResponse()
        response.model_spec.version.value = version
        ages = tf.make_ndarray(request.inputs["age"])
        response.outputs["score"].CopyFrom(tf.make_tensor_proto(ages + np.float32(100 * version)))
        return response

    def metadata(self, request, context):
        self.metadata_calls += 1
        signature = meta_graph_pb2.SignatureDef()
        for name, dtype, rank in [("age", 1, 1), ("city", 7, 1), ("tags", 7, 2), ("weights", 1, 2), ("visits", 9, 1)]:
            if name == "visits" and self.extra_input != name:
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


@pytest.fixture(params=CLIENTS)
def asker(request, fake):
    with CLIENTS[request.param](fake.address, "ads", deadline=10.0, retries=2, max_batch=4) as client:
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


def test_unavailable_is_retried(fake, asker):
    fake.failures = [grpc.StatusCode.UNAVAILABLE] * 2
    begin = time.monotonic()
    assert asker.predict([{"age": 1.0}])["score"].tolist() == [101.0]
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
    monkeypatch.setattr("serving.client.calls.time", clock)
    monkeypatch.setattr("serving.connection.random.uniform", lambda low, high: high)
    fake.failures = [grpc.StatusCode.UNAVAILABLE] * 100
    with TfmtlClient(fake.address, "ads", retries=100) as client, pytest.raises(PredictionError) as caught:
        client.predict([{}], deadline=5.0)
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE
    assert len(fake.requests) == 7  # At 0, 0.05, 0.15, 0.35, 0.75, 1.55 and 3.15 s; 5.15 s would be too late.
    assert now == [pytest.approx(103.15)]


@pytest.mark.parametrize("code", ["INVALID_ARGUMENT", "INTERNAL", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION"])
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
    assert 1 <= len(fake.requests) <= 6


def versions(fake):
    return [request.model_spec.version.value for request in fake.requests]


def test_parts_are_pinned_to_the_version_that_answers_the_first(fake, asker):
    fake.version = 5
    scores = asker.predict({"age": [float(age) for age in range(10)]})
    assert scores.version == 5
    assert versions(fake) == [0, 5, 5]
    assert asker.predict([{"age": 1.0}]).version == 5
    assert versions(fake)[3:] == [0]


@pytest.mark.parametrize("swap_at", [1, 2, 3, 4])
def test_no_call_mixes_two_versions(fake, asker, swap_at):
    """The model is swapped before a request; a pinned version that was unloaded answers NOT_FOUND, as a server does."""
    asker.predict([{"age": 1.0}])
    fake.requests.clear()
    fake.swap_at, fake.unload = swap_at, True
    ages = [float(age) for age in range(14)]
    scores = asker.predict({"age": ages})
    assert scores.version in (1, 2)
    assert scores["score"].tolist() == [age + 100.0 * scores.version for age in ages]
    assert scores.version == (2 if swap_at < 5 else 1)


def test_second_attempt_is_the_last(fake, asker):
    fake.failures = [grpc.StatusCode.NOT_FOUND] * 5
    with pytest.raises(PredictionError, match="NOT_FOUND: not now"):
        asker.predict([{"age": 1.0}])
    assert versions(fake) == [0, 1]


def test_signature_of_a_new_version(fake, asker):
    """The rows are converted again to the inputs of the version that answers."""
    asker.predict([{"age": 1.0}])
    fake.version, fake.extra_input = 2, "visits"
    scores = asker.predict([{"age": 1.0, "visits": 3}])
    assert scores.version == 2
    assert "visits" in fake.requests[-1].inputs
    assert versions(fake) == [0, 2]
    fake.version, fake.extra_input = 3, None
    fake.failures = [grpc.StatusCode.INVALID_ARGUMENT]  # As a server answers that has fewer inputs than were sent.
    assert asker.predict([{"age": 1.0, "visits": 3}], extra="ignore").version == 3
    assert "visits" not in fake.requests[-1].inputs
    with pytest.raises(ValueError, match=r"row 0: a feature should be one of the model's.*'visits'"):
        asker.predict([{"visits": 3}])


def test_version_that_answers_with_another_signature(fake, asker):
    """A server that accepts a request of the former signature does not give scores of rows that were read by it."""
    asker.predict([{"age": 1.0}])
    fake.version, fake.extra_input = 2, "visits"
    with pytest.raises(ValueError, match="feature 'visits' should be an integer"):
        asker.predict([{"age": 1.0}])
    assert asker.predict([{"age": 1.0, "visits": 1}]).version == 2


def test_versions_in_turn_are_asked_for_their_signatures_once(fake, asker):
    """As behind a balancer during a rollout."""
    for version in (1, 2, 1, 2, 1):
        fake.version = version
        assert asker.predict([{"age": 1.0}]).version == version
    assert fake.metadata_calls == 2


@pytest.mark.parametrize("kind", CLIENTS)
def test_several_parts_are_in_flight(fake, kind):
    fake.seconds = 0.4
    with CLIENTS[kind](fake.address, "ads", max_batch=4, max_in_flight=3) as client:
        ages = [float(age) for age in range(28)]
        assert client.predict({"age": ages})["score"].tolist() == [age + 100 for age in ages]
    assert fake.most_in_flight == 3


def test_failed_part_cancels_the_others(fake, asker):
    fake.failures = [None, grpc.StatusCode.INTERNAL]
    with pytest.raises(PredictionError, match="INTERNAL"):
        asker.predict({"age": [0.0] * 400})
    assert len(fake.requests) < 20
    fake.failures = [None, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAVAILABLE]
    assert asker.predict({"age": [1.0] * 20})["score"].tolist() == [101.0] * 20


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
