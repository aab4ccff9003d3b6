import shutil

import numpy as np
import pytest
import tensorflow as tf

from pipelines.gates.export_gates import export_gates
from pipelines.gates.gate import FAILED, PASSED, failed
from pipelines.gates.thresholds import ExportThresholds
from serving import protos, tensors
from serving.export import export
from serving.manifest import write_manifest
from serving.replay import WARMUP_FILE
from serving.server_check import check_through_server
from tests.serving.export_cases import SIZES, SPEC, HashTransform, examples
from tests.tfmtl.tiny_models import tiny_randomized


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "Format-Serving"
    export(tiny_randomized("mmoe", SPEC, SIZES), HashTransform(), str(folder), warmup_examples=examples(40))
    return folder


@pytest.fixture
def other_scores(exported, tmp_path):
    """The export with a recorded score that the model does not give."""
    folder = tmp_path / "changed"
    shutil.copytree(exported, folder)
    path = folder / WARMUP_FILE
    logs = [protos.PredictionLog.FromString(one) for one in tf.data.TFRecordDataset(str(path)).as_numpy_iterator()]
    tensor = logs[0].predict_log.response.outputs["cvr"]
    scores = tensors.decode(tensor)
    tensor.Clear()
    tensors.write(tensor, np.float32(1.01 * scores))
    with tf.io.TFRecordWriter(str(path)) as writer:
        for log in logs:
            writer.write(log.SerializeToString())
    write_manifest(str(folder))
    return folder


def test_the_server_gives_the_recorded_scores(exported):
    check = check_through_server(exported)
    assert check.error == ""
    assert (check.requests, check.compared) == (9, 3 * 3 * 289)
    assert check.difference < 1e-5
    assert check.median_ms > 0


def test_gates_of_an_export(exported):
    gates = export_gates(exported, ExportThresholds(max_latency_ms=None))
    assert [gate.name for gate in gates] == ["export", "size (MB)", "scores of the server", "latency (ms)"]
    assert {gate.status for gate in gates} == {PASSED}
    size = sum(file.stat().st_size for file in exported.rglob("*") if file.is_file())
    assert gates[1].value == pytest.approx(size / 1e6)


def test_size_and_latency_have_bounds(exported):
    gates = export_gates(exported, ExportThresholds(max_megabytes=0.001, max_latency_ms=1e-6))
    assert [gate.name for gate in failed(gates)] == ["size (MB)", "latency (ms)"]
    assert failed(gates)[0].reason.startswith("the size (MB) of the export is ")


def test_another_score_than_the_recorded_one(other_scores):
    """The export check finds it, so that no server is started; the server finds it too."""
    gates = export_gates(other_scores, ExportThresholds())
    assert [(gate.name, gate.status) for gate in gates] == [("export", FAILED), ("size (MB)", PASSED)]
    assert "differ from the recorded ones by up to 0.0099" in gates[0].reason
    assert "a score differs from the recorded one by 0.0099" in check_through_server(other_scores).error


def test_an_export_that_cannot_be_loaded(exported, tmp_path):
    folder = tmp_path / "broken"
    shutil.copytree(exported, folder)
    for file in (folder / "variables").iterdir():
        file.write_bytes(b"")
    assert check_through_server(folder).error
    assert [gate.name for gate in failed(export_gates(folder, ExportThresholds()))] == ["export"]
