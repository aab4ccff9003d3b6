"""Models that load at the same time, and requests that are answered meanwhile."""

import threading
import time

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from serving.servable import Servable
from serving.server import EmbeddedServer
from tfmtl.config import ConfigError

X = tf.make_tensor_proto([10.0], tf.float32)
PATIENCE = 30.0


def wait_for(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "the condition did not come about in time"
        time.sleep(0.02)


def version(channel, name):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = name
    request.inputs["x"].CopyFrom(X)
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    return stub.Predict(request, timeout=20).model_spec.version.value


@pytest.fixture
def folders(tmp_path, line_exports, publish):
    for name in ("slow", "quick"):
        (tmp_path / name).mkdir()
        publish(line_exports[2], tmp_path / name / "1")
    return {name: tmp_path / name for name in ("slow", "quick")}


def on_load(monkeypatch, call):
    """Calls a function with the path of each version before it is loaded."""

    class Observed(Servable):
        def __init__(self, path):
            call(path)
            super().__init__(path)

    monkeypatch.setattr("serving.versions.loading.Servable", Observed)


def test_models_are_loaded_at_the_same_time(folders, monkeypatch):
    barrier = threading.Barrier(2, timeout=PATIENCE)  # It breaks if one load waits for the other.
    on_load(monkeypatch, lambda path: barrier.wait())
    with EmbeddedServer(folders, poll_seconds=0.05) as server, grpc.insecure_channel(server.address) as channel:
        assert (version(channel, "slow"), version(channel, "quick")) == (1, 1)


def test_slow_load_blocks_neither_its_model_nor_another(folders, line_exports, publish, monkeypatch):
    started, finish = threading.Event(), threading.Event()

    def load(path):
        if path == folders["slow"] / "2":
            started.set()
            assert finish.wait(PATIENCE)

    on_load(monkeypatch, load)
    with EmbeddedServer(folders, poll_seconds=0.05) as server, grpc.insecure_channel(server.address) as channel:
        publish(line_exports[3], folders["slow"] / "2")
        assert started.wait(PATIENCE)
        for number in (2, 3):
            publish(line_exports[3], folders["quick"] / str(number))
            wait_for(lambda number=number: version(channel, "quick") == number)
            assert version(channel, "slow") == 1
        finish.set()
        wait_for(lambda: version(channel, "slow") == 2)


def test_server_stops_while_a_model_is_loaded(folders, line_exports, publish, monkeypatch):
    started, finish = threading.Event(), threading.Event()

    def load(path):
        if path == folders["slow"] / "2":
            started.set()
            assert finish.wait(PATIENCE)

    on_load(monkeypatch, load)
    server = EmbeddedServer(folders, poll_seconds=0.05).start()
    publish(line_exports[3], folders["slow"] / "2")
    assert started.wait(PATIENCE)
    server.stop(grace=0.1)
    finish.set()
    wait_for(lambda: not any("poll-slow" in thread.name for thread in threading.enumerate()))
    assert not server._models["slow"].available, "what is loaded after the stop is not served"


def test_models_may_be_required(folders, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken" / "3").mkdir(parents=True)
    models = {**folders, "empty": tmp_path / "empty", "broken": tmp_path / "broken"}
    server = EmbeddedServer(models, poll_seconds=0.05)
    with pytest.raises(ConfigError) as caught:
        server.start(require_models=True)
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("model empty should have a version that can be loaded. Received: no version folder in ")
    assert lines[1].startswith("model broken should have a version that can be loaded. Received: version 3: Could not ")
    assert len(lines) == 2
    with EmbeddedServer(models, poll_seconds=0.05) as running, grpc.insecure_channel(running.address) as channel:
        assert version(channel, "quick") == 1
