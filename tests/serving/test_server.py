"""Embedded server: version swaps under load, health, start and stop."""

import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import get_model_status_pb2, predict_pb2, prediction_service_pb2_grpc

from serving.client import TfmtlClient
from serving.errors import StatusError
from serving.servable import Servable
from serving.server import EmbeddedServer
from tfmtl.config import ConfigError

X = tf.make_tensor_proto([10.0], tf.float32)


def wait_for(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition did not come about in time"
        time.sleep(0.02)


def predict_request(tensor) -> predict_pb2.PredictRequest:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "m"
    request.inputs["x"].CopyFrom(tensor)
    return request


def test_no_request_fails_while_versions_are_swapped(tmp_path, line_exports, publish):
    publish(line_exports[2], tmp_path / "1")
    done = threading.Event()

    def keep_asking(address: str) -> list[tuple[int, float]]:
        seen = []
        with grpc.insecure_channel(address) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            while not done.is_set():
                response = stub.Predict(predict_request(X), timeout=20)
                seen.append((response.model_spec.version.value, response.outputs["y"].float_val[0]))
        return seen

    with EmbeddedServer({"m": tmp_path}, poll_seconds=0.02) as server, ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(keep_asking, server.address) for _ in range(4)]
        try:
            with TfmtlClient(server.address, "m") as client:
                for version in range(2, 8):
                    publish(line_exports[2 + version % 2], tmp_path / str(version))
                    wait_for(lambda version=version: client.status()[0].version == version)
                    wait_for(lambda: client.status()[0].state == "AVAILABLE" and client.status()[1].state == "END")
        finally:
            done.set()
        seen = [pair for future in asking for pair in future.result()]
    assert set(seen) == {(version, 31.0 if version > 1 and version % 2 else 21.0) for version in range(1, 8)}


def test_status_reports_a_corrupt_version(tmp_path, line_exports, publish):
    publish(line_exports[2], tmp_path / "1")
    with EmbeddedServer({"m": tmp_path}, poll_seconds=0.02) as server, TfmtlClient(server.address, "m") as client:
        (tmp_path / "2").mkdir()
        wait_for(lambda: len(client.status()) == 2 and client.status()[0].state == "END")
        newest, oldest = client.status()
        assert (newest.version, oldest.version, oldest.state, oldest.error) == (2, 1, "AVAILABLE", "")
        assert newest.error.startswith("Could not find SavedModel")
        assert client.metadata().version == 1


def test_health_follows_availability(tmp_path, line_exports, publish):
    serving, not_serving = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    publish(line_exports[2], tmp_path / "a" / "1")
    server = EmbeddedServer({"a": tmp_path / "a", "b": tmp_path / "b"}, poll_seconds=0.02)
    with server, grpc.insecure_channel(server.address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)

        def health():
            return stub.Check(health_pb2.HealthCheckRequest(), timeout=5).status

        assert health() == not_serving
        publish(line_exports[3], tmp_path / "b" / "1")
        wait_for(lambda: health() == serving)
        shutil.rmtree(tmp_path / "a" / "1")
        wait_for(lambda: health() == not_serving)


def test_server_arguments_and_life_cycle(tmp_path, line_exports, publish):
    publish(line_exports[2], tmp_path / "1")
    for arguments, name in [
        ({"models": {}}, "models"),
        ({"poll_seconds": 0}, "poll_seconds"),
        ({"max_message_bytes": 0}, "max_message_bytes"),
        ({"max_message_bytes": 2**31}, "max_message_bytes"),
        ({"max_batch": 0}, "max_batch"),
        ({"max_concurrency": 0}, "max_concurrency"),
        ({"max_queue": -1}, "max_queue"),
    ]:
        with pytest.raises(ValueError, match=f"{name} should"):
            EmbeddedServer(**{"models": {"m": tmp_path}, **arguments})
    server = EmbeddedServer({"m": tmp_path})
    with pytest.raises(RuntimeError, match="started"):
        server.address  # noqa: B018
    with server:
        assert server.address.startswith("127.0.0.1:")
        with pytest.raises(RuntimeError, match="started once"):
            server.start()
        port = int(server.address.split(":")[1])
        with pytest.raises(ConfigError, match=f"127.0.0.1:{port} should be a free address of this machine"):
            EmbeddedServer({"m": tmp_path}, port=port).start()
    server.stop()
    with (
        TfmtlClient(server.address, "m", retries=0, deadline=5) as client,
        pytest.raises(StatusError, match="UNAVAILABLE"),
    ):
        client.status()


def test_stop_waits_for_running_requests(tmp_path, line_exports, publish, monkeypatch):
    publish(line_exports[2], tmp_path / "1")
    server = EmbeddedServer({"m": tmp_path}).start()
    model = server._models["m"]
    started, release = threading.Event(), threading.Event()
    run = Servable.run_plan

    def hold(servable, plan):
        started.set()
        assert release.wait(60)
        return run(servable, plan)

    monkeypatch.setattr(Servable, "run_plan", hold)
    with grpc.insecure_channel(server.address) as channel, ThreadPoolExecutor(1) as pool:
        running = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict.future(predict_request(X))
        try:
            assert started.wait(20)
            stopping = pool.submit(server.stop, grace=60.0)
            wait_for(lambda: refuses(server.address))
            assert not running.done()
            assert not stopping.done()
            assert model.available
        finally:
            release.set()
        assert running.result(timeout=20).outputs["y"].float_val == [21.0]
        stopping.result(timeout=20)
    assert not model.available
    assert model.statuses()[0].state == get_model_status_pb2.ModelVersionStatus.END


def refuses(address: str) -> bool:
    with TfmtlClient(address, "m", retries=0, deadline=5) as client:
        try:
            client.status()
        except StatusError as error:
            return error.code is grpc.StatusCode.UNAVAILABLE
    return False
