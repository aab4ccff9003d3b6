"""Limits of the embedded server: RESOURCE_EXHAUSTED above them, health and status below any load."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from serving import predict_service, protos, tensors
from serving.client import TfmtlClient
from serving.errors import unexpected
from serving.requests.limits import Limits
from serving.server import EmbeddedServer


def predict_request(rows: int) -> bytes:
    request = protos.PredictRequest()
    request.model_spec.name = "m"
    tensors.write(request.inputs["x"], np.zeros(rows, np.float32))
    return request.SerializeToString()


def send(channel, request: bytes, timeout: float = 20.0) -> tuple[str, str]:
    try:
        channel.unary_unary("/tensorflow.serving.PredictionService/Predict")(request, timeout=timeout)
        return "OK", ""
    except grpc.RpcError as error:
        return error.code().name, error.details()


@pytest.fixture
def served(tmp_path, line_exports, publish):
    """Starts a server of `LineModel` with options and returns it with a channel; both are closed after the test."""
    publish(line_exports[2], tmp_path / "1")
    opened = []

    def start(**options):
        server = EmbeddedServer({"m": tmp_path}, **options).start()
        opened.extend([server.stop, (channel := grpc.insecure_channel(server.address)).close])
        return server, channel

    yield start
    for close in reversed(opened):
        close()


def test_messages_above_the_limit(served):
    _, channel = served(max_message_bytes=10_000)
    assert send(channel, predict_request(2000)) == ("OK", "")
    code, text = send(channel, predict_request(3000))
    assert code == "RESOURCE_EXHAUSTED"
    assert "larger than max (12" in text
    assert send(channel, predict_request(2)) == ("OK", "")


def test_default_limit_of_messages_is_64_mebibytes():
    assert Limits().max_message_bytes == 64 << 20


def test_rows_above_the_limit(served):
    _, channel = served(max_batch=100)
    assert send(channel, predict_request(100)) == ("OK", "")
    expected = "RESOURCE_EXHAUSTED", "request has 101 rows, more than the limit of 100"
    assert send(channel, predict_request(101)) == expected


def test_examples_above_the_limit(tmp_path, examples_export, publish):
    publish(examples_export, tmp_path / "1")
    request = protos.RegressionRequest()
    request.model_spec.name, request.model_spec.signature_name = "e", "regress"
    for _ in range(3):
        request.input.example_list.examples.add()
    with EmbeddedServer({"e": tmp_path}, max_batch=2) as server, grpc.insecure_channel(server.address) as channel:
        call = channel.unary_unary("/tensorflow.serving.PredictionService/Regress")
        error = call.future(request.SerializeToString(), timeout=20).exception()
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert error.details() == "request has 3 rows, more than the limit of 2"


@pytest.fixture
def held(monkeypatch):
    """Holds all Predict requests that run until it is set, and counts them."""
    release, running = threading.Event(), []
    answer = predict_service.predict

    def hold(models, data, limits):
        running.append(threading.get_ident())
        assert release.wait(30)
        return answer(models, data, limits)

    monkeypatch.setattr(predict_service, "predict", hold)
    release.running = running
    yield release
    release.set()


def wait_for(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition did not come about in time"
        time.sleep(0.01)


def test_requests_above_concurrency_and_queue_are_refused_while_health_and_status_answer(served, held):
    server, channel = served(max_concurrency=2, max_queue=3)
    with ThreadPoolExecutor(20) as pool:
        admitted = [pool.submit(send, channel, predict_request(2)) for _ in range(5)]
        wait_for(lambda: len(held.running) == 2 and server.load == 5)
        refused = [send(channel, predict_request(2), timeout=5) for _ in range(12)]
        text = "server has as many requests running and waiting as it may have"
        assert set(refused) == {("RESOURCE_EXHAUSTED", text)}
        health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
        assert health.status == health_pb2.HealthCheckResponse.SERVING
        with TfmtlClient(server.address, "m", deadline=5) as client:
            assert client.status()[0].state == "AVAILABLE"
            assert "serving_default" in client.metadata().signatures
        assert len(held.running) == 2
        held.set()
        assert {future.result() for future in admitted} == {("OK", "")}
    assert len(held.running) == 5
    wait_for(lambda: server.load == 0)
    assert send(channel, predict_request(2)) == ("OK", "")


def test_requests_that_are_cancelled_while_they_wait_free_their_places(served, held):
    server, channel = served(max_concurrency=1, max_queue=4)
    method = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    calls = [method.future(predict_request(2), timeout=30) for _ in range(5)]
    wait_for(lambda: server.load == 5)
    for call in calls:
        call.cancel()
    held.set()
    wait_for(lambda: server.load == 0)
    assert send(channel, predict_request(2)) == ("OK", "")


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (MemoryError(), "RESOURCE_EXHAUSTED", "the request needs more memory than the server has"),
        (KeyError("a\nb"), "INTERNAL", "KeyError: 'a\\nb'"),
        (RuntimeError("first line\nTraceback"), "INTERNAL", "RuntimeError: first line"),
    ],
)
def test_unexpected_errors_have_one_line_and_are_logged(served, monkeypatch, caplog, error, code, text):
    def fail(models, data, limits):
        raise error

    monkeypatch.setattr(predict_service, "predict", fail)
    _, channel = served()
    assert send(channel, predict_request(2)) == (code, text)
    (record,) = [record for record in caplog.records if record.name == "serving.predict_service"]
    assert record.exc_info[1] is error


def test_text_of_an_unexpected_error_is_valid_utf_8():
    assert unexpected(RuntimeError("\udcff")).wire_details == "RuntimeError: \\udcff"
