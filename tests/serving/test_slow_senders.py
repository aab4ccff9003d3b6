"""Clients that send slowly or never finish: others are answered, and such calls end."""

import contextlib
import socket
import struct
import threading
import time

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from serving import protos, tensors
from serving.client import TfmtlClient
from serving.requests import receiving
from serving.server import EmbeddedServer

SENDERS = 60
PREDICT = "/tensorflow.serving.PredictionService/Predict"
METADATA = "/tensorflow.serving.PredictionService/GetModelMetadata"
HEALTH = "/grpc.health.v1.Health/Check"


def frame(kind, flags, stream, payload):
    """Returns a frame of HTTP/2."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def headers(path):
    """Returns the headers of a gRPC call, as literals of HPACK without an index."""
    pairs = {
        ":method": "POST", ":scheme": "http", ":path": path, ":authority": "localhost", "te": "trailers",
        "content-type": "application/grpc", "authorization": "Bearer wrong",
    }  # fmt: skip

    def text(value):
        return bytes([len(value)]) + value.encode()

    return b"".join(b"\0" + text(name) + text(value) for name, value in pairs.items())


@contextlib.contextmanager
def slow_calls(address, path, count):
    """Opens calls that announce a message of 1 MB and send its first bytes only; yields their connection."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b""))
        for number in range(count):
            stream = 2 * number + 1
            connection.sendall(frame(1, 4, stream, headers(path)))
            connection.sendall(frame(0, 0, stream, struct.pack(">BI", 0, 1_000_000) + b"\x0a"))
        time.sleep(0.5)
        yield connection


@pytest.fixture
def served(tmp_path, line_exports, publish):
    publish(line_exports[2], tmp_path / "1")
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(EmbeddedServer({"m": tmp_path}, **options))


def check_answers(server):
    """Checks that a model, its metadata and the health answer."""
    request = protos.PredictRequest()
    request.model_spec.name = "m"
    tensors.write(request.inputs["x"], np.array([1.0, 2.0], np.float32))
    with grpc.insecure_channel(server.address) as channel:
        answer = protos.PredictResponse.FromString(channel.unary_unary(PREDICT)(request.SerializeToString(), timeout=5))
        np.testing.assert_array_equal(tensors.decode(answer.outputs["y"]), [3.0, 5.0])
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
    with TfmtlClient(server.address, "m", deadline=5) as client:
        assert client.status()[0].state == "AVAILABLE"
        client.metadata()


@pytest.mark.parametrize("path", [PREDICT, METADATA, HEALTH])
def test_slow_senders_hold_neither_threads_nor_places(served, path):
    server = served(max_concurrency=2, max_queue=3)
    with slow_calls(server.address, path, SENDERS):
        check_answers(server)
        assert server.load == 0


def test_slow_senders_without_a_token_hold_no_thread(served):
    server = served(token="secret", max_concurrency=2)
    with slow_calls(server.address, PREDICT, SENDERS), grpc.insecure_channel(server.address) as channel:
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)


def test_calls_that_do_not_arrive_in_time_are_cancelled(served, monkeypatch):
    monkeypatch.setattr(receiving, "RECEIVE_SECONDS", 0.4)
    server = served()
    with slow_calls(server.address, PREDICT, 3) as connection:
        connection.settimeout(20)
        received, reset = b"", b"\x00\x00\x04\x03"  # Length and type of a frame RST_STREAM.
        while received.count(reset) < 3:
            received += connection.recv(1 << 16)
        check_answers(server)


def rest_sender(server, count):
    host, _, port = server.rest_address.rpartition(":")
    connections = [socket.create_connection((host, int(port)), timeout=20) for _ in range(count)]
    for connection in connections:
        connection.sendall(b"POST /v1/models/m:predict HTTP/1.1\r\nHost: m\r\nContent-Length: 1000\r\n\r\n{")
    return connections


def test_slow_senders_of_rest_hold_no_place_and_are_answered_in_the_end(served, monkeypatch):
    monkeypatch.setattr(receiving, "RECEIVE_SECONDS", 2.0)
    server = served(max_concurrency=2, max_queue=3, rest_port=0)
    connections = rest_sender(server, 20)
    time.sleep(0.3)
    check_answers(server)
    assert server.load == 0
    for connection in connections:
        assert connection.recv(1 << 12).startswith(b"HTTP/1.1 408 ")
        connection.close()


def test_message_that_arrives_in_pieces_is_answered(served):
    """A slow sender that finishes in time has the answer that it would have at once."""
    server = served(rest_port=0)
    host, _, port = server.rest_address.rpartition(":")
    body = b'{"instances": [1.0, 2.0]}'
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        head = f"POST /v1/models/m:predict HTTP/1.1\r\nHost: m\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode())
        for byte in body:
            connection.sendall(bytes([byte]))
            time.sleep(0.01)
        assert b"5.0" in connection.recv(1 << 12)


def test_threads_end_with_the_server(served):
    others = set(threading.enumerate())  # Servers of other tests may run in this process.

    def inference_threads():
        return [one for one in set(threading.enumerate()) - others if one.name.startswith("inference")]

    server = served(max_concurrency=2, max_queue=3)
    with slow_calls(server.address, PREDICT, SENDERS):
        assert len(inference_threads()) >= SENDERS
    server.stop(0.0)
    end = time.monotonic() + 20
    while time.monotonic() < end and inference_threads():
        time.sleep(0.05)
    assert not inference_threads()
