"""Program of the workers of a training job: what it gives the Trainer, its exit codes, and two workers as processes."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipelines.kubeflow import train_worker
from tests.pipelines.training.day_log import MODEL, SPEC, make_day
from tfmtl.config import ConfigError

REPOSITORY = pathlib.Path(__file__).parents[3]
SECONDS = 600
TRAINING = {"max_epochs": 2, "patience": 2, "learning_rate": 0.02, "batch_size": 64, "shuffle_rows": 200}


@pytest.fixture
def folders(tmp_path):
    """Folders with the names of files that the Trainer reads."""
    for name in ("examples/Split-train", "examples/Split-eval", "graph/transform_fn", "prepared"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("examples/Split-train/b.gz", "examples/Split-train/a.gz", "examples/Split-eval/c.gz"):
        (tmp_path / name).touch()
    for split in ("train", "eval", "test"):
        (tmp_path / "prepared" / f"{split}-00000-of-00001.gz").touch()
    return tmp_path


def run(folders, examples="examples", transform="graph"):
    words = ["--config", '{"name": "log"}', "--examples", str(folders / examples)]
    return train_worker.main([*words, "--transform", str(folders / transform), "--out", str(folders / "out")])


def test_the_trainer_receives_the_files_in_one_order(folders, monkeypatch):
    given = []
    monkeypatch.setattr(train_worker, "run_fn", given.append)
    assert run(folders) == 0
    assert run(folders, "prepared") == 0
    one, two = given
    assert [pathlib.Path(name).name for name in one.train_files] == ["a.gz", "b.gz"]
    assert [pathlib.Path(name).name for name in one.eval_files] == ["c.gz"]
    assert [pathlib.Path(name).name for name in two.train_files + two.eval_files] == [
        "train-00000-of-00001.gz",
        "eval-00000-of-00001.gz",
    ]
    assert one.transform_output == str(folders / "graph")
    assert one.serving_model_dir == str(folders / "out" / "model" / "Format-Serving")
    assert one.model_run_dir == str(folders / "out" / "model_run")
    assert one.custom_config == {"name": "log", "checkpoints": str(folders / "out" / "checkpoints")}
    assert (one.base_model, one.hyperparameters) == (None, None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"examples": "graph"}, "Error: --examples should have files Split-train/* or train-*. Received: "),
        ({"transform": "examples"}, "Error: --transform should be the output of Transform. Received: "),
    ],
)
def test_wrong_folders_end_the_job(folders, capsys, options, message):
    assert run(folders, **options) == 2
    assert capsys.readouterr().err.startswith(message)


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (tf.errors.UnavailableError(None, None, "Graph execution error:\n\nCollective ops is aborted by: Reset"), 138,
         "this one should start again. Collective ops is aborted by: Reset"),
        (tf.errors.InvalidArgumentError(None, None, "wrong shape"), 1, "wrong shape"),
        (ConfigError("training.batch_size should be 1"), 2, "Error: training.batch_size should be 1"),
        (KeyError("user"), 1, "KeyError: 'user'"),
    ],
)  # fmt: skip
def test_only_a_lost_worker_has_an_exit_code_after_which_the_job_restarts(
    folders, monkeypatch, capsys, error, code, message
):
    def fail(arguments):
        raise error

    monkeypatch.setattr(train_worker, "run_fn", fail)
    assert run(folders) == code
    assert message in capsys.readouterr().err


class Workers:
    """Processes that train on a day of a log, the last word of whose command is the folder to write to."""

    def __init__(self, folder):
        day = make_day(folder / "day", 1, range(30))
        self.folder, self.graph = folder, day.graph
        for split in ("train", "eval"):
            (folder / f"Split-{split}").mkdir()
            os.link(day.file, folder / f"Split-{split}" / "rows.gz")

    def start(self, name, count, **training):
        """Starts processes on free ports, with logs NAME0.txt and so on."""
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
        hosts = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
        for one in sockets:
            one.close()
        kind = "multi_worker" if count > 1 else "none"
        training = {**TRAINING, **training, "distribution": {"kind": kind}}
        config = {"name": "log", "spec": SPEC.to_dict(), "data": {}, "model": MODEL, "training": training}
        words = ["--config", json.dumps(config), "--examples", self.folder, "--transform", self.graph]
        command = [sys.executable, "-m", "pipelines.kubeflow.train_worker", *words, "--out", self.folder / name]
        processes = []
        for index in range(count):
            # As the training operator sets it.
            cluster = {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": index}, "environment": "cloud"}
            variables = {"TF_CONFIG": json.dumps(cluster)} if count > 1 else {}
            variables |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "PYTHONUNBUFFERED": "1"}
            with (self.folder / f"{name}{index}.txt").open("w") as log:
                options = {"cwd": REPOSITORY, "env": {**os.environ, **variables}, "stdout": log, "stderr": log}
                processes.append(subprocess.Popen([str(word) for word in command], **options))
        return processes

    def log(self, name, index=0):
        return (self.folder / f"{name}{index}.txt").read_text()


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    return Workers(tmp_path_factory.mktemp("workers"))


@pytest.mark.long
def test_two_workers_give_the_model_of_one(workers):
    for name, count in (("one", 1), ("two", 2)):
        processes = workers.start(name, count)
        try:
            assert [process.wait(SECONDS) for process in processes] == [0] * count, workers.log(name)[-4000:]
        finally:
            for process in processes:
                process.kill()
    one, two = (
        json.loads((workers.folder / name / "model_run" / "history.json").read_text()) for name in ("one", "two")
    )
    assert set(one) == set(two)
    for name in set(one) - {"input_wait"}:
        np.testing.assert_allclose(two[name], one[name], rtol=1e-4, err_msg=name)
    expected, found = (
        keras.saving.load_model(workers.folder / name / "model_run" / "model.keras").get_weights()
        for name in ("one", "two")
    )
    for weight, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(weight, other, atol=1e-4)
    loaded = tf.saved_model.load(str(workers.folder / "two" / "model" / "Format-Serving"))
    assert "serving_default" in loaded.signatures


@pytest.mark.long
@pytest.mark.parametrize("killed", [0, 1])
def test_a_worker_asks_to_be_restarted_if_another_one_is_killed(workers, killed):
    name = f"killed_{killed}_"
    processes = workers.start(name, 2, max_epochs=100000, patience=100000, learning_rate=1e-6)
    try:
        end = time.monotonic() + SECONDS
        while "epoch 2/" not in workers.log(name, killed):
            assert time.monotonic() < end, workers.log(name, killed)[-4000:]
            time.sleep(0.5)
        processes[killed].kill()
        assert processes[1 - killed].wait(180) >= 128
    finally:
        for process in processes:
            process.kill()
