"""Swaps under the load of four clients, with atomic and slow copies; memory after many swaps."""

import pathlib
import random
import shutil
import subprocess
import sys
import threading
import time

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from serving import manifest
from serving.server import EmbeddedServer
from tests.serving.conftest import AdsModel

pytestmark = pytest.mark.long

CITIES = [f"city {i}" for i in range(500)]
SECONDS = 60
SWAPS = 10
POLL = 0.05


def export(path, offset, listed):
    """Writes a model that answers sigmoid(0.5 * id + offset), where the id of a city is its line in the vocabulary."""
    path.parent.mkdir(exist_ok=True)
    vocabulary = path.parent / "cities.txt"
    vocabulary.write_text("".join(f"{city}\n" for city in CITIES))
    model = AdsModel(offset, str(vocabulary))
    if listed:
        model.tfmtl_manifest = tf.Module()
    tf.saved_model.save(model, str(path), signatures={"raw": model.raw})
    if listed:
        manifest.write_manifest(str(path))


def slow_copy(source, target, rng, pause):
    """Copies the files in random order, each in pieces cut anywhere, with pauses."""
    paths = [path for path in source.rglob("*") if path.is_file()]
    rng.shuffle(paths)
    for path in paths:
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        content = path.read_bytes()
        cuts = sorted(rng.randrange(len(content) + 1) for _ in range(3))
        with copy.open("wb") as file:
            for start, end in zip([0, *cuts], [*cuts, len(content)], strict=True):
                file.write(content[start:end])
                file.flush()
                time.sleep(pause())


def load(address, stop, failures, seen):
    """Asks for all cities again and again, and checks the scores against the version that answered."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "ads", "raw"
    count = len(CITIES)
    for name, values in {
        "age": np.zeros(count, np.float32), "city": CITIES,
        "tags": [[""]] * count, "weights": np.zeros((count, 1), np.float32),
    }.items():  # fmt: skip
        request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
    ids = np.arange(count)
    with grpc.insecure_channel(address) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        while not stop.is_set():
            try:
                response = stub.Predict(request, timeout=60)
            except grpc.RpcError as error:
                failures.append(f"{error.code().name}: {error.details()}")
                continue
            version = response.model_spec.version.value
            expected = 1.0 / (1.0 + np.exp(-(0.5 * ids - version)))
            seen.append(version)
            if not np.allclose(tf.make_ndarray(response.outputs["ctr"]), expected, atol=1e-5):
                failures.append(f"version {version}: wrong scores")


@pytest.mark.parametrize("copy", ["atomic", "slow", "slow without a manifest"])
def test_no_request_fails_or_is_wrong_while_versions_are_swapped(tmp_path, copy):
    rng = random.Random(7)
    listed = copy != "slow without a manifest"
    # Without a manifest only a copy that never rests for two polls is recognized.
    pause = (lambda: rng.choice([0.0, 0.3 * POLL, 4 * POLL])) if listed else (lambda: rng.uniform(0, 0.4 * POLL))
    base = tmp_path / "ads"
    base.mkdir()
    export(tmp_path / "staged" / "new", -1.0, listed)
    (tmp_path / "staged" / "new").rename(base / "1")
    stop, failures, seen = threading.Event(), [], []
    with EmbeddedServer({"ads": base}, poll_seconds=POLL) as server:
        clients = [threading.Thread(target=load, args=(server.address, stop, failures, seen)) for _ in range(4)]
        for client in clients:
            client.start()
        try:
            start = time.monotonic()
            for version in range(2, SWAPS + 2):
                export(tmp_path / "staged" / "new", -float(version), listed)
                if copy == "atomic":
                    (tmp_path / "staged" / "new").rename(base / str(version))
                else:
                    slow_copy(tmp_path / "staged" / "new", base / str(version), rng, pause)
                    shutil.rmtree(tmp_path / "staged" / "new")
                end = time.monotonic() + 60
                while seen[-1] != version:
                    assert time.monotonic() < end, "the version should be served after the copy"
                    assert not failures, failures[:3]
                    time.sleep(0.05)
                rest = start + SECONDS * (version - 1) / SWAPS - time.monotonic()
                time.sleep(max(rest, 0.0))
        finally:
            stop.set()
            for client in clients:
                client.join()
    assert failures == []
    assert set(seen) == set(range(1, SWAPS + 2))
    assert len(seen) > 1000


MEMORY = """
import pathlib, shutil, sys
import tensorflow as tf
from serving.server import EmbeddedServer
import time

source, base = map(pathlib.Path, sys.argv[1:])

def rss():
    return int(next(l for l in open("/proc/self/status") if l.startswith("VmRSS")).split()[1])

def publish(version):
    shutil.copytree(source, base / "staged")
    (base / "staged").rename(base / str(version))

publish(1)
with EmbeddedServer({"m": base}, poll_seconds=0.05) as server:
    for version in range(2, 14):
        publish(version)
        while True:
            states = {s.version: s.state for s in server._models["m"].statuses()}
            if states.get(version) == 30 and states[version - 1] == 50:
                break
            time.sleep(0.02)
        time.sleep(1.0)
        print(rss(), flush=True)
"""


class LongModel(tf.Module):
    """Model with a graph of 6,000 operations."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")], autograph=False)
    def add(self, x):
        for _ in range(3000):
            x = x + 1.0
        return {"y": x}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_after_ten_swaps_is_that_after_the_second(tmp_path):
    (tmp_path / "base").mkdir()
    model = LongModel()
    tf.saved_model.save(model, str(tmp_path / "export"), signatures={"serving_default": model.add})
    program = [sys.executable, "-W", "ignore", "-c", MEMORY, str(tmp_path / "export"), str(tmp_path / "base")]
    root = pathlib.Path(__file__).parents[2]
    done = subprocess.run(program, cwd=root, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    sizes = [int(line) for line in done.stdout.split()]
    assert len(sizes) == 12
    assert sizes[11] < 1.1 * sizes[1], sizes
