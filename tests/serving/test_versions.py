import shutil

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    predict_pb2,
    prediction_log_pb2,
)

from serving.errors import StatusError
from serving.replay import warm_up
from serving.servable import Servable
from serving.versions import ModelVersions

LOADING, AVAILABLE, UNLOADING, END = 20, 30, 40, 50
X = tf.make_tensor_proto([10.0], tf.float32)


def states(model: ModelVersions) -> list[tuple[int, int]]:
    return [(status.version, status.state) for status in model.statuses()]


def answer(model: ModelVersions, version: int | None = None) -> float:
    with model.lease(version) as (_, servable):
        return float(servable.predict("serving_default", {"x": X})["y"][0])


def poll(model: ModelVersions) -> None:
    """Polls twice, as these exports have no manifest."""
    model.poll()
    model.poll()


def write_warmup(version_folder, logs: list[prediction_log_pb2.PredictionLog]) -> None:
    folder = version_folder / "assets.extra"
    folder.mkdir()
    with tf.io.TFRecordWriter(str(folder / "tf_serving_warmup_requests")) as writer:
        for log in logs:
            writer.write(log.SerializeToString())


def predict_log(name: str) -> prediction_log_pb2.PredictionLog:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "another name, which a warm-up ignores"
    request.inputs[name].CopyFrom(X)
    return prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))


def test_newest_numbered_folder_is_served(tmp_path, line_exports, publish):
    publish(line_exports[2], tmp_path / "9")
    publish(line_exports[3], tmp_path / "00000123")
    for name in ("latest", "-500", "4_000", "5.0", "²", "1" * 30):
        (tmp_path / name).mkdir()
    (tmp_path / "999").write_text("a file is no version")
    model = ModelVersions("m", tmp_path)
    poll(model)
    assert states(model) == [(123, AVAILABLE)]
    assert answer(model) == answer(model, 123) == 31.0
    with pytest.raises(StatusError, match=r"Servable not found for request: Specific\(m, 9\)"):
        answer(model, 9)


def test_new_version_replaces_the_old_and_a_removed_one_is_unloaded(tmp_path, line_exports, publish):
    model = ModelVersions("m", tmp_path)
    poll(model)
    assert not model.available
    publish(line_exports[2], tmp_path / "1")
    poll(model)
    assert answer(model) == 21.0
    publish(line_exports[3], tmp_path / "2")
    poll(model)
    assert answer(model) == 31.0
    assert states(model) == [(2, AVAILABLE), (1, END)]
    shutil.rmtree(tmp_path / "2")
    poll(model)
    assert answer(model) == 21.0
    assert states(model) == [(2, END), (1, AVAILABLE)]
    shutil.rmtree(tmp_path / "1")
    poll(model)
    assert states(model) == [(2, END), (1, END)]
    with pytest.raises(StatusError, match=r"Servable not found for request: Latest\(m\)"):
        answer(model)


def test_nothing_changes_while_the_base_path_is_missing(tmp_path, line_exports, publish):
    (tmp_path / "m").mkdir()
    publish(line_exports[2], tmp_path / "m" / "1")
    model = ModelVersions("m", tmp_path / "m")
    poll(model)
    (tmp_path / "m").rename(tmp_path / "away")
    poll(model)
    assert answer(model) == 21.0


def test_version_is_unloaded_after_its_last_request(tmp_path, line_exports, publish):
    publish(line_exports[2], tmp_path / "1")
    model = ModelVersions("m", tmp_path)
    poll(model)
    publish(line_exports[3], tmp_path / "2")
    with model.lease() as (version, servable):
        with model.lease(1):
            poll(model)
            assert answer(model) == 31.0
        assert states(model) == [(2, AVAILABLE), (1, UNLOADING)]
        assert (version, servable.predict("serving_default", {"x": X})["y"].tolist()) == (1, [21.0])
    assert states(model) == [(2, AVAILABLE), (1, END)]
    with pytest.raises(StatusError, match="Session has been closed"):
        servable.predict("serving_default", {"x": X})


def truncate(folder):
    (folder / "saved_model.pb").write_bytes(b"\x0a\xff\xff")


def remove_graph(folder):
    (folder / "saved_model.pb").unlink()


def remove_variables(folder):
    shutil.rmtree(folder / "variables")


def fail_warmup(folder):
    write_warmup(folder, [predict_log("x"), predict_log("nope")])


def spoil_warmup(folder):
    (folder / "assets.extra").mkdir()
    (folder / "assets.extra" / "tf_serving_warmup_requests").write_bytes(b"no TFRecord at all, but some text")


def flood_warmup(folder):
    write_warmup(folder, [predict_log("x")] * 1001)


def record_session_run(folder):
    write_warmup(folder, [prediction_log_pb2.PredictionLog(session_run_log=prediction_log_pb2.SessionRunLog())])


@pytest.mark.parametrize(
    ("spoil", "code", "part"),
    [
        (truncate, grpc.StatusCode.DATA_LOSS, "Can't load SavedModel"),
        (
            remove_graph,
            grpc.StatusCode.NOT_FOUND,
            "Could not find SavedModel .pb or .pbtxt at supplied export directory",
        ),
        (remove_variables, grpc.StatusCode.DATA_LOSS, "variables"),
        (
            fail_warmup,
            grpc.StatusCode.INVALID_ARGUMENT,
            "Signature input alias: x(feed name: serving_default_x:0) not found",
        ),
        (spoil_warmup, grpc.StatusCode.DATA_LOSS, "Please verify your warmup data is in TFRecord format."),
        (flood_warmup, grpc.StatusCode.INVALID_ARGUMENT, "Number of warmup records exceeds the maximum (1000)"),
        (record_session_run, grpc.StatusCode.UNIMPLEMENTED, "Unsupported log_type for warmup: session_run_log"),
    ],
)
def test_old_version_stays_if_a_new_one_cannot_be_loaded(tmp_path, line_exports, publish, spoil, code, part):
    publish(line_exports[2], tmp_path / "1")
    model = ModelVersions("m", tmp_path)
    poll(model)
    publish(line_exports[3], tmp_path / "2")
    spoil(tmp_path / "2")
    poll(model)
    assert answer(model) == 21.0
    assert states(model) == [(2, END), (1, AVAILABLE)]
    error = model.statuses()[0].error
    assert error.code is code
    assert part in error.details


def test_failed_version_is_loaded_again_only_when_its_files_change(tmp_path, line_exports, monkeypatch):
    loads = []

    class Counted(Servable):
        def __init__(self, path):
            loads.append(states(model))
            super().__init__(path)

    monkeypatch.setattr("serving.versions.loading.Servable", Counted)
    shutil.copytree(line_exports[2], tmp_path / "1", ignore=shutil.ignore_patterns("variables"))
    model = ModelVersions("m", tmp_path)
    for _ in range(3):
        model.poll()
    assert (loads, states(model)) == ([[(1, LOADING)]], [(1, END)])
    shutil.copytree(line_exports[2] / "variables", tmp_path / "1" / "variables")
    for _ in range(3):
        model.poll()
    assert (loads, states(model)) == ([[(1, LOADING)]] * 2, [(1, AVAILABLE)])
    assert answer(model) == 21.0


def test_warm_up_replays_every_request(tmp_path, line_exports, publish):
    publish(line_exports[2], tmp_path / "1")
    write_warmup(tmp_path / "1", [predict_log("x")] * 3)
    model = ModelVersions("m", tmp_path)
    poll(model)
    with model.lease() as (_, servable):
        assert warm_up(servable) == 3
    (tmp_path / "1" / "assets.extra" / "tf_serving_warmup_requests").unlink()
    with model.lease() as (_, servable):
        assert warm_up(servable) == 0


def test_moved_model_keeps_its_vocabulary(tmp_path, ads_export, publish):
    publish(ads_export, tmp_path / "1")
    model = ModelVersions("ads", tmp_path)
    poll(model)
    inputs = {
        "age": tf.make_tensor_proto([0.0, 0.0], tf.float32),
        "city": tf.make_tensor_proto(["c0", "c2"]),
        "tags": tf.make_tensor_proto([[""], [""]]),
        "weights": tf.make_tensor_proto([[0.0], [0.0]], tf.float32),
    }
    with model.lease() as (_, servable):
        ctr = servable.predict("raw", inputs, ["ctr"])["ctr"]
    np.testing.assert_allclose(ctr, 1 / (1 + np.exp([-0.25, -1.25])), rtol=1e-6)
