"""`tfmtl serve`: names and options, mistakes, and its end by a signal."""

import contextlib
import math
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

import grpc
import pytest
import tensorflow as tf
from click.testing import CliRunner
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from pipelines.cli import main

ROOT = pathlib.Path(__file__).parents[3]
PROGRAM = "from pipelines.cli import program; program()"


class SlowModel(tf.Module):
    """Model of y = x + 1 whose requests take some tenths of a second, for 1e-10 of the input."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")], autograph=False)
    def slow(self, x):
        matrix = 1e-10 * tf.eye(200) * tf.reduce_sum(x)
        (product,) = tf.while_loop(lambda _: True, lambda m: (m @ m,), (matrix,), maximum_iterations=500)
        return {"y": x + 1.0 + tf.reduce_sum(product)}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Folder with the models `good`, `mixed` (its newest version is empty), `empty`, `corrupt`; `link` is `good`."""
    root = tmp_path_factory.mktemp("served")
    model = SlowModel()
    tf.saved_model.save(model, str(root / "good" / "1"), signatures={"serving_default": model.slow})
    tf.saved_model.save(model, str(root / "mixed" / "7"), signatures={"serving_default": model.slow})
    for folder in ("mixed/8", "empty/1", "corrupt/1"):
        (root / folder).mkdir(parents=True)
    (root / "corrupt" / "1" / "saved_model.pb").write_bytes(b"\x0a\xff\xff")
    (root / "link").symlink_to("good")
    (root / "models.config").write_text(
        f'model_config_list {{ config {{ name: "a" base_path: "{root}/good" model_platform: "tensorflow" '
        'version_labels { key: "stable" value: 1 } } }'
    )
    return root


@contextlib.contextmanager
def serving(*words, **options):
    """Runs the command in another process; yields it, and the line that it prints when it serves."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-c", PROGRAM, "serve", *map(str, words)]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    ) as process:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def request(name, label=None):
    message = predict_pb2.PredictRequest()
    message.model_spec.name = name
    if label:
        message.model_spec.version_label = label
    message.inputs["x"].CopyFrom(tf.make_tensor_proto([1.0], tf.float32))
    return message


def predict(address, message):
    with grpc.insecure_channel(address) as channel:
        response = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(message, timeout=60)
    assert response.outputs["y"].float_val[0] == 2.0
    return response.model_spec.version.value


def keep_asking(address, stop, seen):
    """Sends one request after another; notes when each began, its status (None while it runs), and when it ended."""
    with grpc.insecure_channel(address) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        while not stop.is_set():
            entry = [time.monotonic(), None, math.inf]
            seen.append(entry)
            try:
                assert stub.Predict(request("good"), timeout=60).outputs["y"].float_val[0] == 2.0
                entry[1:] = "OK", time.monotonic()
            except grpc.RpcError as error:
                entry[1:] = error.code().name, time.monotonic()
                time.sleep(0.05)


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "the condition did not come about in time"
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 0), pytest.param(signal.SIGINT, 130, marks=pytest.mark.long)]
)
def test_signal_under_load_fails_no_running_request(served, number, code):
    stop, seen = threading.Event(), []
    with serving(served / "good", "--port", 0, "--poll-seconds", 0.2, "--grace-seconds", 60) as (process, line):
        address = line.removeprefix("serving good on ")
        clients = [threading.Thread(target=keep_asking, args=(address, stop, seen)) for _ in range(6)]
        for client in clients:
            client.start()
        wait_for(lambda: len(seen) > 18)
        time.sleep(0.05)
        signalled = time.monotonic()
        process.send_signal(number)
        output, _ = process.communicate(timeout=60)
        stop.set()
        for client in clients:
            client.join(60)
    assert process.returncode == code
    assert output == "stopping\n"
    before = [(status, ended) for began, status, ended in seen if began < signalled - 0.03]
    assert {status for status, _ in before} == {"OK"}
    assert sum(ended > signalled for _, ended in before) >= 3, "requests were running"
    after = {status for began, status, _ in seen if began >= signalled - 0.03}
    assert "UNAVAILABLE" in after, "requests after the signal are refused"
    assert after <= {"OK", "UNAVAILABLE", "CANCELLED"}  # gRPC cancels what arrives at the moment of its own stop.


@pytest.mark.long
def test_grace_ends(served):
    stop, seen = threading.Event(), []
    with serving(served / "good", "--port", 0, "--poll-seconds", 0.2, "--grace-seconds", 0) as (process, line):
        address = line.removeprefix("serving good on ")
        clients = [threading.Thread(target=keep_asking, args=(address, stop, seen)) for _ in range(6)]
        for client in clients:
            client.start()
        wait_for(lambda: len(seen) > 12)
        time.sleep(0.05)
        signalled = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        stop.set()
        for client in clients:
            client.join(60)
    assert process.returncode == 0
    assert "OK" not in {status for began, status, ended in seen if began < signalled < ended - 0.2}
    assert len([status for began, status, ended in seen if began < signalled < ended and status != "OK"]) >= 3


def test_swap_is_logged_and_a_broken_newest_version_is_passed_over(served, tmp_path):
    words = (f"shop={served / 'mixed'}", "--port", 0, "--poll-seconds", 0.2)
    with serving(*words) as (process, line):
        assert line.startswith("serving shop on 127.0.0.1:")
        assert predict(line.removeprefix("serving shop on "), request("shop")) == 7
        process.terminate()
        _, log = process.communicate(timeout=60)
    lines = log.splitlines()
    assert len(lines) == 2
    assert " ERROR model shop: version 8 cannot be loaded from " in lines[0]
    assert lines[1].endswith(" INFO model shop: version 7 is served, after 0 warm-up requests")


def test_config_file_and_unix_socket(served, tmp_path):
    address = f"unix:{tmp_path / 'socket'}"
    words = ("--model-config-file", served / "models.config", "--model-config-poll-seconds", 0.2, "--host", address)
    with serving(*words, "--poll-seconds", 0.2) as (process, line):
        assert line == f"serving a on {address}"
        assert predict(address, request("a", "stable")) == 1
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 0


@pytest.fixture
def started(monkeypatch):
    """Arguments of each server that the command starts; it does not wait."""
    found = []

    class Started(Exception):
        pass

    def start(self, require_models):
        assert require_models
        found.append({name: str(model._source[0]) for name, model in self._models.items()})
        raise KeyboardInterrupt

    monkeypatch.setattr("serving.server.EmbeddedServer.start", start)
    return found


@pytest.mark.parametrize(
    ("words", "models"),
    [
        (["good"], {"good": "good"}),
        (["good/"], {"good": "good"}),
        (["good", "mixed"], {"good": "good", "mixed": "mixed"}),
        (["good", "--name", "ads"], {"ads": "good"}),
        (["ads=good", "shop=mixed"], {"ads": "good", "shop": "mixed"}),
        (["link"], {"link": "link"}),
        (["--model-config-file", "models.config"], {"a": "good"}),
    ],
)
def test_names(served, started, monkeypatch, words, models):
    monkeypatch.chdir(served)
    done = CliRunner().invoke(main, ["serve", *words])
    assert done.exit_code == 130, done.output
    assert started == [{name: str(served / folder) for name, folder in models.items()}]


def test_name_of_the_present_folder(served, started, monkeypatch):
    monkeypatch.chdir(served / "good")
    assert CliRunner().invoke(main, ["serve", "."]).exit_code == 130
    assert started == [{"good": str(served / "good")}]


def mistakes(words):
    """Runs the command, which ends with exit code 2; returns the lines of the error."""
    done = CliRunner().invoke(main, ["serve", *map(str, words)])
    assert isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == 2
    lines = done.output.splitlines()
    errors = lines[next(i for i, line in enumerate(lines) if line.startswith("Error: ")) :]
    assert 1 <= len(errors) <= 3
    return "\n".join(errors)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "MODEL_DIR or --model-config-file should be given. Received: neither"),
        (["gone"], "Directory 'gone' does not exist."),
        (["ads=gone"], "Directory 'gone' does not exist."),
        (["=good"], "should have different names, not empty"),
        (["good", "m=mixed", "--name", "x"], "--name should be given with one MODEL_DIR"),
        (["good", "good"], "model_dirs should have different names"),
        (["good", "good=mixed"], "model_dirs should have different names"),
        (
            ["good/1"],
            "good/1 should have a folder for each version, such as 1795853324. Received: none. Did you mean good?",
        ),
        (["."], "Did you mean corrupt?"),
        (
            ["empty"],
            "model empty should have a version that can be loaded. Received: version 1: Could not find SavedModel",
        ),
        (
            ["corrupt"],
            "model corrupt should have a version that can be loaded. Received: version 1: Can't load SavedModel",
        ),
        (["good", "empty"], "model empty should have a version that can be loaded."),
        (["good", "--model-config-file", "models.config"], "--model-config-file should be given without MODEL_DIR"),
        (["--model-config-file", "gone"], "File 'gone' does not exist."),
        (["--model-config-file", "corrupt/1/saved_model.pb"], "should be a readable text file"),
        (
            ["good", "--model-config-poll-seconds", 1],
            "--model-config-poll-seconds should be given with --model-config-",
        ),
        (["good", "--poll-seconds", 0], "--poll-seconds should be above 0. Received: 0"),
        (["good", "--poll-seconds", -1], "--poll-seconds should be above 0. Received: -1"),
        (["good", "--poll-seconds", "nan"], "--poll-seconds should be above 0. Received: nan"),
        (["good", "--poll-seconds", "inf"], "--poll-seconds should be above 0. Received: inf"),
        (["good", "--grace-seconds", -1], "--grace-seconds should be at least 0. Received: -1"),
        (["good", "--port", 70000], "127.0.0.1:70000 should be a free address of this machine"),
        (["good", "--port", -1], "127.0.0.1:-1 should be a free address of this machine"),
        (
            ["good", "--host", "no.such.host.invalid"],
            "no.such.host.invalid:8500 should be a free address of this machine",
        ),
        (
            ["good", "--host", "unix:gone/s"],
            "unix:gone/s should be the path of a socket to create in a folder that exists",
        ),
        (["good", "--tls-cert", "c.pem"], "--tls-cert and --tls-key should be given together"),
        (["good", "--tls-client-ca", "c.pem"], "--tls-client-ca should be given with --tls-cert and --tls-key"),
        (
            ["good", "--tls-cert", "c.pem", "--tls-key", "k.pem"],
            "c.pem should be a file that can be read. Received: No such",
        ),
        (["good", "--max-message-bytes", 0], "--max-message-bytes should be from 1 to 2147483647. Received: 0"),
        (["good", "--max-batch", 0], "--max-batch should be at least 1. Received: 0"),
        (["good", "--max-concurrency", 0], "--max-concurrency should be at least 1. Received: 0"),
        (["good", "--max-queue", -1], "--max-queue should be at least 0. Received: -1"),
        (["good", "--rest-port", 70000], "127.0.0.1:70000 should be a free address of this machine for REST"),
        (["good", "--request-log-sampling-rate", 1], "should be given with --request-log. Received: no folder"),
        (
            ["good", "--request-log", "l", "--request-log-sampling-rate", 0],
            "--request-log-sampling-rate should be above 0 and at most 1. Received: 0",
        ),
        (
            ["good", "--request-log", "l", "--request-log-max-bytes", 10],
            "--request-log-max-bytes should be at least 1048576. Received: 10",
        ),
        (["good", "--request-log", "good/1/saved_model.pb/l"], "should be a folder that this server can write to"),
        (["good", "--token-file", "gone"], "gone should be a file that can be read. Received: No such file"),
    ],
)
def test_mistakes(served, monkeypatch, words, message):
    monkeypatch.chdir(served)
    if "--host" not in words and "--port" not in words:
        words = [*words, "--port", 0]
    if "--poll-seconds" not in words:
        words = [*words, "--poll-seconds", 0.05]
    assert message in mistakes(words)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
def test_port_in_use(served, host):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        message = mistakes([served / "good", "--host", host, "--port", port])
    expected = f"{host}:{port} should be a free address of this machine; --port 0 chooses a free port. Received: "
    assert message.startswith(f"Error: {expected}")
