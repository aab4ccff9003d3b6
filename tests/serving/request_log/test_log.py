"""Request log: what is logged of each method, the share of it, full queues and disks, and its use as warm-up."""

import json
import shutil
import threading
import time
import urllib.request

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    inference_pb2,
    predict_pb2,
    prediction_log_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from serving.replay import warm_up
from serving.request_log import RequestLog, RequestLogOptions, log
from serving.request_metrics import RequestMetrics
from serving.servable import Servable
from serving.server import EmbeddedServer

COUNT = ':tensorflow:serving:request_log_count{{model_name="{}",status_code="{}"}} {}'


def logs(folder):
    """Parses the completed files with TensorFlow and the messages of TensorFlow Serving."""
    paths = [str(path) for path in sorted(folder.glob("*.tfrecord"))]
    return [prediction_log_pb2.PredictionLog.FromString(r) for r in tf.data.TFRecordDataset(paths).as_numpy_iterator()]


def example(x):
    made = tf.train.Example()
    made.features.feature["x"].float_list.value.append(x)
    return made


def ask(server, request):
    with grpc.insecure_channel(server.address) as channel:
        return prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, timeout=20)


def wait_for(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition did not come about in time"
        time.sleep(0.01)


@pytest.fixture
def models(tmp_path, line_exports, examples_export, publish):
    for name in ("m", "e"):
        (tmp_path / name).mkdir()
    publish(line_exports[2], tmp_path / "m" / "7")
    publish(examples_export, tmp_path / "e" / "1")
    return {name: tmp_path / name for name in ("m", "e")}


def test_each_method_is_logged_and_the_file_serves_as_warm_up(models, tmp_path, publish, examples_export):
    options = RequestLogOptions(tmp_path / "log", sampling_rate=1.0)
    predict = predict_pb2.PredictRequest()
    predict.model_spec.name = "e"
    predict.inputs["inputs"].CopyFrom(tf.make_tensor_proto([example(0.25).SerializeToString()]))
    classify, regress = classification_pb2.ClassificationRequest(), regression_pb2.RegressionRequest()
    multi = inference_pb2.MultiInferenceRequest()
    for request, signature in ((classify, "classify"), (regress, "regress")):
        request.model_spec.name, request.model_spec.signature_name = "e", signature
        request.input.example_list.examples.append(example(0.5))
        task = multi.tasks.add(method_name=f"tensorflow/serving/{signature}")
        task.model_spec.CopyFrom(request.model_spec)
    multi.input.CopyFrom(regress.input)
    before = int(time.time())
    with EmbeddedServer(models, request_log=options, rest_port=0) as server:
        with grpc.insecure_channel(server.address) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            answers = [
                stub.Predict(predict), stub.Classify(classify), stub.Regress(regress), stub.MultiInference(multi)
            ]  # fmt: skip
            with pytest.raises(grpc.RpcError):  # A request that fails is not logged.
                stub.Predict(predict_pb2.PredictRequest(model_spec=predict.model_spec))
        body = json.dumps({"instances": [1.0, 2.0]}).encode()
        with urllib.request.urlopen(f"http://{server.rest_address}/v1/models/m:predict", body, timeout=20) as answer:
            assert json.load(answer) == {"predictions": [3.0, 5.0]}
        wait_for(lambda: COUNT.format("m", "OK", 1) in server._metrics.text())
        assert COUNT.format("e", "OK", 4) in server._metrics.text()
    logged = logs(tmp_path / "log")
    kinds = ["predict_log", "classify_log", "regress_log", "multi_inference_log", "predict_log"]
    assert [one.WhichOneof("log_type") for one in logged] == kinds
    for one, kind, request, answer in zip(logged, kinds, [predict, classify, regress, multi], answers, strict=False):
        assert getattr(one, kind).request == request
        assert getattr(one, kind).response == answer
    rest = logged[4].predict_log
    np.testing.assert_array_equal(tf.make_ndarray(rest.request.inputs["x"]), [1.0, 2.0])
    np.testing.assert_array_equal(tf.make_ndarray(rest.response.outputs["y"]), [3.0, 5.0])
    names = [(one.log_metadata.model_spec.name, one.log_metadata.model_spec.version.value) for one in logged]
    assert names == [("e", 1)] * 4 + [("m", 7)]
    assert logged[1].log_metadata.model_spec.signature_name == "classify"
    for one in logged:
        assert before <= one.log_metadata.timestamp_secs <= time.time()
        assert one.log_metadata.sampling_config.sampling_rate == 1.0
        assert list(one.log_metadata.saved_model_tags) == ["serve"]
    _check_warm_up(tmp_path, publish, examples_export, logged[:4])


def _check_warm_up(tmp_path, publish, export, logged):
    """Replays these logs on a new version, as its warm-up requests."""
    (tmp_path / "again").mkdir()
    publish(export, tmp_path / "again" / "2")
    extra = tmp_path / "again" / "2" / "assets.extra"
    extra.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as writer:
        for one in logged:
            writer.write(one.SerializeToString())
    servable = Servable(tmp_path / "again" / "2")
    assert warm_up(servable) == 4
    servable.close()


def test_file_of_one_model_is_copied_as_it_is(models, tmp_path, line_exports, publish):
    options = RequestLogOptions(tmp_path / "log", sampling_rate=1.0)
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.version.value = "m", 7
    request.inputs["x"].CopyFrom(tf.make_tensor_proto([1.0, 2.0, 3.0]))
    with EmbeddedServer({"m": models["m"]}, request_log=options) as server:
        for _ in range(3):
            ask(server, request)
    (file,) = (tmp_path / "log").glob("*.tfrecord")
    staged = tmp_path / "staged"
    shutil.copytree(line_exports[3], staged)
    (staged / "assets.extra").mkdir()
    shutil.copy(file, staged / "assets.extra" / "tf_serving_warmup_requests")
    publish(staged, models["m"] / "8")
    request.model_spec.ClearField("version")
    with EmbeddedServer({"m": models["m"]}, poll_seconds=0.05) as server:
        answer = ask(server, request)
    assert answer.model_spec.version.value == 8


def test_share_of_the_requests_is_that_of_the_sampling_rate(tmp_path):
    written = RequestLog(RequestLogOptions(tmp_path, sampling_rate=0.1), RequestMetrics(()))
    sampled = sum(written.sample() for _ in range(10_000))
    written.close()
    assert 850 < sampled < 1150  # 5 standard deviations


@pytest.fixture
def held(tmp_path, monkeypatch):
    """Log whose thread waits at its first record until it is released."""
    release, waiting = threading.Event(), threading.Event()
    write = log.RecordFiles.write

    def hold(self, record):
        waiting.set()
        assert release.wait(30)
        write(self, record)

    monkeypatch.setattr(log.RecordFiles, "write", hold)
    metrics = RequestMetrics({"m"})
    opened = RequestLog(RequestLogOptions(tmp_path, sampling_rate=1.0), metrics)
    opened.release, opened.waiting, opened.metrics = release, waiting, metrics
    yield opened
    release.set()
    opened.close()


def spec():
    return log.protos.ModelSpec(name="m")


def test_logs_beyond_the_queue_are_dropped_and_counted_and_no_request_waits(held, tmp_path):
    held.add("Predict", spec(), b"", b"")
    assert held.waiting.wait(20)
    start = time.monotonic()
    for _ in range(log.QUEUE_RECORDS + 250):
        held.add("Predict", spec(), b"", b"")
    assert time.monotonic() - start < 10
    assert COUNT.format("m", "RESOURCE_EXHAUSTED", 250) in held.metrics.text()
    held.release.set()
    held.close()
    assert COUNT.format("m", "OK", log.QUEUE_RECORDS + 1) in held.metrics.text()
    assert len(logs(tmp_path)) == log.QUEUE_RECORDS + 1


def test_memory_of_the_queue_is_bounded(held):
    held.add("Predict", spec(), b"", b"")
    assert held.waiting.wait(20)
    for _ in range(10):
        held.add("Predict", spec(), bytes(10 << 20), b"")
    assert COUNT.format("m", "RESOURCE_EXHAUSTED", 4) in held.metrics.text()


def test_log_larger_than_a_file_is_dropped(tmp_path):
    metrics = RequestMetrics({"m"})
    opened = RequestLog(RequestLogOptions(tmp_path, 1.0, max_bytes=1 << 20), metrics)
    opened.add("Predict", spec(), bytes(1 << 18), b"")
    opened.close()
    assert COUNT.format("m", "RESOURCE_EXHAUSTED", 1) in metrics.text()


def test_disk_that_is_full_stops_neither_requests_nor_the_log(tmp_path, monkeypatch, caplog):
    write, full = log.RecordFiles.write, [True]

    def fail(self, record):
        if full[0]:
            raise OSError(28, "No space left on device")
        write(self, record)

    monkeypatch.setattr(log.RecordFiles, "write", fail)
    metrics = RequestMetrics({"m"})
    opened = RequestLog(RequestLogOptions(tmp_path, 1.0), metrics)
    for _ in range(3):
        opened.add("Predict", spec(), b"request", b"response")
    wait_for(lambda: COUNT.format("m", "UNAVAILABLE", 3) in metrics.text())
    full[0] = False
    opened.add("Predict", spec(), b"request", b"response")
    opened.close()
    assert COUNT.format("m", "OK", 1) in metrics.text()
    messages = [message for message in caplog.messages if "request log" in message]
    assert messages == ["the request log cannot be written: [Errno 28] No space left on device"]
