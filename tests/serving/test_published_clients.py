"""Clients of TensorFlow Serving that others have published, asked for the scores of the embedded server."""

import asyncio
import gzip
import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import classification_pb2, predict_pb2, prediction_service_pb2_grpc

UV = Path(sys.executable).with_name("uv")
ROWS = [
    {"age": 31.0, "city": "c2", "tags": ["a", "b"], "weights": [0.5, -1.0]},
    {"age": -4.5, "city": "elsewhere", "tags": ["c", ""], "weights": [2.0, 0.0]},
]


def columns():
    kinds = {"age": tf.float32, "city": tf.string, "tags": tf.string, "weights": tf.float32}
    return {name: tf.make_tensor_proto([row[name] for row in ROWS], kind) for name, kind in kinds.items()}


@pytest.fixture(scope="module")
def scores(expected_scores):
    """Scores of `ROWS` in NumPy; a missing token has no weight."""
    rows = [{**row, "tags": [tag for tag in row["tags"] if tag]} for row in ROWS]
    return expected_scores(rows)


def predict_request():
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "ads", "raw"
    for name, tensor in columns().items():
        request.inputs[name].CopyFrom(tensor)
    return request


def check(response, scores):
    assert (response.model_spec.name, response.model_spec.version.value) == ("ads", 123)
    assert set(response.outputs) == set(scores)
    for name, expected in scores.items():
        np.testing.assert_allclose(tf.make_ndarray(response.outputs[name]), expected, rtol=1e-5)


def test_stub_of_tensorflow_serving(channel, scores):
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    check(stub.Predict(predict_request(), timeout=20), scores)
    check(stub.Predict.future(predict_request(), timeout=20, compression=grpc.Compression.Gzip).result(), scores)


def test_stub_of_tensorflow_serving_with_asyncio(server, scores):
    async def ask():
        async with grpc.aio.insecure_channel(server.address) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            return await asyncio.gather(*(stub.Predict(predict_request(), timeout=20) for _ in range(3)))

    for response in asyncio.run(ask()):
        check(response, scores)


def test_classification_by_the_stub_of_tensorflow_serving(channel):
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name, request.model_spec.signature_name = "e", "classify"
    for x in (0.25, 1.0):
        request.input.example_list.examples.add().features.feature["x"].float_list.value.append(x)
    response = prediction_service_pb2_grpc.PredictionServiceStub(channel).Classify(request, timeout=20)
    classes = [[(one.label, one.score) for one in row.classes] for row in response.result.classifications]
    assert classes == [[("c0", 0.25), ("c1", 0.75)], [("c0", 1.0), ("c1", 0.0)]]


def by_urllib(url, body):
    with urllib.request.urlopen(urllib.request.Request(url, body), timeout=20) as response:
        return response.status, json.load(response)


def by_urllib_compressed(url, body):
    headers = {"Content-Encoding": "gzip", "Accept-Encoding": "gzip"}
    with urllib.request.urlopen(urllib.request.Request(url, gzip.compress(body), headers), timeout=20) as response:
        answer = response.read()
        packed = response.headers.get("Content-Encoding") == "gzip"
        return response.status, json.loads(gzip.decompress(answer) if packed else answer)


def by_requests(url, body):
    requests = pytest.importorskip("requests")
    with requests.Session() as session:
        session.post(url, json=json.loads(body), timeout=20)  # The connection is used twice.
        response = session.post(url, json=json.loads(body), timeout=20)
        return response.status_code, response.json()


def by_httpx(url, body):
    httpx = pytest.importorskip("httpx")

    async def ask():
        async with httpx.AsyncClient(timeout=20) as client:
            return await client.post(url, content=body, headers={"Content-Type": "application/json"})

    response = asyncio.run(ask())
    return response.status_code, response.json()


@pytest.mark.parametrize("post", [by_urllib, by_urllib_compressed, by_requests, by_httpx])
@pytest.mark.parametrize("place", ["ads", "ads/versions/123"])
def test_clients_of_rest(server, scores, post, place):
    if not server.rest_address:
        pytest.skip("TFMTL_SERVER_REST does not give the address of REST")
    body = json.dumps({"signature_name": "raw", "instances": ROWS}).encode()
    status, answer = post(f"http://{server.rest_address}/v1/models/{place}:predict", body)
    assert status == 200
    for i, row in enumerate(answer["predictions"]):
        assert row == pytest.approx({name: values[i] for name, values in scores.items()}, rel=1e-5)


_MIN_TFS_CLIENT = """
import json, sys
import numpy as np
from min_tfs_client.requests import TensorServingClient
from min_tfs_client.tensors import tensor_proto_to_ndarray
host, _, port = sys.argv[1].rpartition(":")
client = TensorServingClient(host, int(port))
x = np.array([1.0, 2.5], np.float32)
for version in (None, 7):
    response = client.predict_request("m", {"x": x}, model_version=version)
    print(response.model_spec.version.value, tensor_proto_to_ndarray(response.outputs["y"]).tolist())
response = client.predict_request("ads", {"examples": np.array([sys.argv[2]])})
print(json.dumps({name: tensor_proto_to_ndarray(tensor).tolist() for name, tensor in response.outputs.items()}))
"""


@pytest.mark.long
def test_min_tfs_client(server, expected_scores, tmp_path):
    """A client from PyPI with messages of its own, in an environment without TensorFlow."""
    if not UV.exists():
        pytest.skip("uv is not installed")
    python = tmp_path / "bin" / "python"
    packages = ["min-tfs-client==1.0.2", "protobuf<3.21", "numpy<2"]
    for command in (["venv", "--python", sys.executable, tmp_path], ["pip", "install", "--python", python, *packages]):
        done = subprocess.run([UV, *command, "--quiet"], capture_output=True, text=True, timeout=600)
        if done.returncode:
            pytest.skip(f"min-tfs-client cannot be installed: {done.stderr.strip()[-300:]}")
    example = tf.train.Example()  # The client sends text only, so that there are no floats in it.
    example.features.feature["city"].bytes_list.value.append(b"c2")
    command = [python, "-c", _MIN_TFS_CLIENT, server.address, example.SerializeToString().decode()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    *lines, answer = done.stdout.splitlines()
    assert lines == ["7 [3.0, 6.0]", "7 [3.0, 6.0]"]
    assert json.loads(answer) == {
        name: [pytest.approx(value, rel=1e-5) for value in values]
        for name, values in expected_scores([{"city": "c2"}]).items()
    }
