"""Check of exports: graphs that a server cannot run, files outside of the SavedModel, and scores that have changed."""

import re
import shutil

import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner
from tensorflow.core.protobuf import saved_model_pb2

from pipelines.cli import main
from serving import protos, tensors
from serving.export import export
from serving.export_check import check_export
from serving.replay import WARMUP_FILE
from tests.serving.export_cases import SIZES, SPEC, HashTransform, examples
from tests.tfmtl.tiny_models import tiny_randomized

ROWS = tf.TensorSpec([None], tf.float32, "x")


def save(folder, function, **parts):
    """Saves a function of `x` as the only signature; `parts` are tracked."""
    module = tf.Module()
    for name, part in parts.items():
        setattr(module, name, part)
    module.function = tf.function(function, input_signature=[ROWS])
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.function})
    return folder


def record(folder, inputs, outputs):
    """Records a request of `serving_default` and its scores."""
    log = protos.PredictionLog()
    log.predict_log.request.model_spec.name = "m"
    tensors.write(log.predict_log.request.inputs["x"], np.float32(inputs))
    for name, values in outputs.items():
        tensors.write(log.predict_log.response.outputs[name], np.float32(values))
    (folder / WARMUP_FILE).parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(folder / WARMUP_FILE)) as writer:
        writer.write(log.SerializeToString())


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "m" / "1"
    model = tiny_randomized("mmoe", SPEC, SIZES)
    export(model, HashTransform(), str(folder), warmup_examples=examples(40))
    return folder


def test_our_exports_have_no_errors(exported):
    check = check_export(exported)
    assert check.errors == ()
    replayed = {one.signature: one for one in check.signatures}
    for name in ("raw", "serving_default", "transformed"):
        assert (replayed[name].requests, replayed[name].rows) == (3, 289)
        assert replayed[name].compared == 3 * 289, "three outputs"
        assert replayed[name].difference < 1e-5


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: {"y": tf.py_function(lambda v: v, [x], tf.float32)}, r"\(EagerPyFunc\).* calls Python"),
        (lambda x: {"y": tf.numpy_function(lambda v: v, [x], tf.float32)}, r"\(PyFunc\).* calls Python"),
        (lambda x: {"y": tf.function(lambda v: v + 1, jit_compile=True)(x)}, r"is compiled by XLA \(`jit_compile`\)"),
    ],
)
def test_operations_that_a_server_cannot_run(tmp_path, function, message):
    (error, *_) = check_export(save(tmp_path / "1", function)).errors
    assert re.search(message, error), error


def test_operation_of_a_library_that_a_server_lacks(tmp_path):
    folder = save(tmp_path / "1", lambda x: {"y": tf.raw_ops.Identity(input=x)})
    graph = (folder / "saved_model.pb").read_bytes()
    saved = saved_model_pb2.SavedModel.FromString(graph)
    saved.meta_graphs[0].graph_def.node.add(name="tokens", op="Text>Tokenize")
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())
    (error,) = check_export(folder).errors
    assert error == (
        "the operation tokens (Text>Tokenize) is not one of TensorFlow's: a server needs the library that registers it"
    )


def test_file_outside_of_the_saved_model(tmp_path):
    vocabulary = tmp_path / "vocabulary.txt"
    vocabulary.write_text("a\nb\n")
    path = str(vocabulary)
    folder = save(tmp_path / "1", lambda x: {"y": x + tf.cast(tf.strings.length(tf.io.read_file(path)), tf.float32)})
    (error,) = check_export(folder).errors
    assert error.endswith(f"refers to {path}, a file outside the SavedModel")


def test_missing_asset(tmp_path):
    vocabulary = tmp_path / "vocabulary.txt"
    vocabulary.write_text("a\nb\n")
    initializer = tf.lookup.TextFileInitializer(
        str(vocabulary), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
    )
    table = tf.lookup.StaticHashTable(initializer, -1)
    folder = save(
        tmp_path / "1", lambda x: {"y": x + tf.cast(table.lookup(tf.strings.as_string(x)), tf.float32)}, table=table
    )
    assert check_export(folder).errors == ()
    (folder / "assets" / "vocabulary.txt").unlink()
    (error,) = check_export(folder).errors
    assert error.startswith("the asset vocabulary.txt should be in ")


def test_scores_that_differ_from_the_recorded_ones(tmp_path):
    folder = save(tmp_path / "1", lambda x: {"y": 2 * x})
    record(folder, [1.0, 2.0], {"y": [2.0, 4.0]})
    check = check_export(folder)
    assert check.errors == ()
    assert [(one.compared, one.difference) for one in check.signatures] == [(2, 0.0)]
    record(folder, [1.0, 2.0], {"y": [2.0, 4.1]})
    (error,) = check_export(folder).errors
    assert "serving_default differ from the recorded ones by up to 0.024, relative to them" in error
    record(folder, [1.0, 2.0], {"y": [2.0, np.nan]})
    (error,) = check_export(folder).errors
    assert "up to inf" in error


@pytest.mark.parametrize(
    ("outputs", "message"),
    [({"y": [2.0]}, r"the output y should have the shape (1,). Received: (2,)"), ({"z": [1.0]}, "no such output")],
)
def test_outputs_of_another_shape(tmp_path, outputs, message):
    folder = save(tmp_path / "1", lambda x: {"y": 2 * x})
    record(folder, [1.0, 2.0], outputs)
    (error,) = check_export(folder).errors
    assert message in error


def test_request_that_fails(tmp_path):
    folder = save(tmp_path / "1", lambda x: {"y": tf.reshape(x, [3])})
    record(folder, [1.0, 2.0], {})
    (error,) = check_export(folder).errors
    assert error.startswith("the signature serving_default fails on a recorded request: INVALID_ARGUMENT")


def test_variables_that_are_missing(exported, tmp_path):
    folder = shutil.copytree(exported, tmp_path / "1")
    (next((folder / "variables").glob("*.data*"))).unlink()
    (error,) = check_export(folder).errors
    assert error.startswith("the SavedModel cannot be loaded: ")


def test_the_command_checks_the_newest_version(exported):
    run = CliRunner().invoke(main, ["export-check", str(exported.parent)])
    assert run.exit_code == 0, run.output
    assert "no errors: a server can run this export" in run.output


def test_the_command_fails_for_an_export_with_errors(tmp_path):
    save(tmp_path / "7", lambda x: {"y": tf.numpy_function(lambda v: v, [x], tf.float32)})
    run = CliRunner().invoke(main, ["export-check", str(tmp_path)])
    assert run.exit_code == 1
    assert "ERROR: the operation" in run.output
    assert "calls Python" in run.output


def test_a_folder_without_a_saved_model(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"should be the folder of a SavedModel"):
        check_export(tmp_path)
