"""Training by `multi_worker` in a run: which process runs the pipeline, restarts, and two processes of `tfmtl run`."""

import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import types

import keras
import numpy as np
import pytest

from pipelines.pipeline import create_pipeline
from pipelines.settings_file import load_settings
from pipelines.training import workers as subject
from tfmtl.config import ConfigError
from tfmtl.training import Distribution

REPOSITORY = pathlib.Path(__file__).parents[3]
SECONDS = 900
SETTINGS = """
name: shop
spec:
  name: shop
  features:
    - {name: user, kind: categorical}
    - {name: price, kind: numerical}
  tasks: [{name: click, label: clicked, output: ctr}]
  split: {kind: random, eval: 0.2, test: 0.2}
model: {name: shared_bottom, preset: null, options: {embedding_dim: 4, bottom_units: [16], tower_units: [8]}}
thresholds: {ctr: null}
report: false
data: {pattern: "*.csv"}
"""
TRAINING = {"batch_size": 64, "max_epochs": 3, "patience": 3, "learning_rate": 0.02, "monitor": "loss"}


@pytest.mark.parametrize(
    ("cluster", "task", "first"),
    [
        ({"worker": ["a:1", "b:1"]}, {"type": "worker", "index": 0}, True),
        ({"worker": ["a:1", "b:1"]}, {"type": "worker", "index": 1}, False),
        ({"chief": ["a:1"], "worker": ["b:1"]}, {"type": "worker", "index": 0}, False),
        ({"chief": ["a:1"], "worker": ["b:1"]}, {"type": "chief", "index": 0}, True),
    ],
)
def test_the_first_worker_runs_the_pipeline(monkeypatch, cluster, task, first):
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": task}))
    assert subject.is_first_worker() is first


@pytest.mark.parametrize("text", [None, "{}", "worker 1", '{"cluster": {"worker": ["a:1"]}}'])
def test_workers_must_be_listed(monkeypatch, text):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if text is not None:
        monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ConfigError, match=r"TF_CONFIG should list the workers .*\. Received: "):
        subject.is_first_worker()


@pytest.fixture
def ended(monkeypatch):
    """Codes and lines with which the next workers end, and the requests that they have received."""
    codes, requests = [], []

    def run_worker(module, arguments, request, on_line):
        assert module == "pipelines.training.worker"
        requests.append(json.loads(request))
        return codes.pop(0)

    monkeypatch.setattr(subject, "run_worker", run_worker)
    monkeypatch.setattr(subject.time, "sleep", lambda seconds: None)
    return codes, requests


def test_a_worker_starts_again_until_it_is_done(ended):
    codes, requests = ended
    codes += [(-9, []), (138, ["Lost another worker\n"]), (0, [])]
    lines = []
    subject.run_until_done({"model_run_dir": "run"}, lines.append)
    assert requests == [{"model_run_dir": "run"}] * 3
    assert len(lines) == 2
    assert "starts again (2 of" in lines[1]


@pytest.mark.parametrize(
    ("code", "line", "kind", "message"),
    [
        (3, "Error: the loss became NaN\n", subject.WorkerError, "^the loss became NaN$"),
        (2, "Error: a.gz: is empty\n", subject.WorkerError, "^a.gz: is empty$"),
        (1, "KeyError: 'user'\n", RuntimeError, "KeyError: 'user'"),
    ],
)
def test_other_errors_end_the_training(ended, code, line, kind, message):
    ended[0].append((code, ["    epoch 1/2\n", line]))
    with pytest.raises(kind, match=message) as raised:
        subject.run_until_done({}, lambda line: None)
    assert getattr(raised.value, "exit_code", 1) == code


def test_a_worker_that_is_always_lost_ends_the_training(ended):
    ended[0].extend([(-9, [])] * 11)
    with pytest.raises(subject.WorkerError, match=r"was lost 11 times\. The same command on every machine continues"):
        subject.run_until_done({}, lambda line: None)
    assert not ended[0]


CUSTOM = {"spec": {"name": "shop"}, "model": {"name": "mmoe"}, "training": {"batch_size": 8}}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Arguments of the Trainer, and the file in which other machines find them."""
    task = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(task))
    trainer = tmp_path / "pipeline" / "Trainer"
    fields = {**dict.fromkeys(subject._FIELDS), "model_run_dir": f"{trainer}/model_run/7", "custom_config": CUSTOM}
    return types.SimpleNamespace(**fields), trainer / subject.REQUEST


def test_other_machines_find_the_arguments_while_the_first_one_trains(ended, run, tmp_path, monkeypatch):
    codes, requests = ended
    arguments, path = run
    codes.append((0, []))
    monkeypatch.setattr(subject.time, "sleep", lambda seconds: subject._write(str(path), vars(arguments)))
    assert subject.join_training(tmp_path / "pipeline", CUSTOM)
    assert requests == [vars(arguments)]
    with pytest.raises(ConfigError, match="training: should be the same on all machines"):
        subject.join_training(tmp_path / "pipeline", {**CUSTOM, "training": {"batch_size": 16}})


@pytest.mark.parametrize("code", [0, 2])
def test_the_arguments_are_there_while_the_first_machine_trains(ended, run, monkeypatch, code):
    arguments, path = run
    found = []

    def run_worker(*_):
        found.append(subject._read(str(path))["arguments"])
        return code, ["Error: wrong\n"]

    monkeypatch.setattr(subject, "run_worker", run_worker)
    with contextlib.nullcontext() if code == 0 else pytest.raises(subject.WorkerError):
        subject.train_in_worker(arguments)
    assert found == [vars(arguments)]
    assert subject._read(str(path))["arguments"] is None


@pytest.mark.parametrize("earlier", [False, True], ids=["first run", "later run"])
def test_other_machines_do_not_wait_for_a_training_that_is_not_needed(run, tmp_path, monkeypatch, earlier):
    path = run[1]
    if earlier:
        subject._write(str(path), None)
    looks = []

    def sleep(seconds):
        looks.append(seconds)
        if len(looks) == 3:
            with subject.other_machines_wait(tmp_path / "pipeline"):
                assert not path.exists()

    monkeypatch.setattr(subject.time, "sleep", sleep)
    assert not subject.join_training(tmp_path / "pipeline", CUSTOM)
    assert len(looks) == 3


class Machines:
    """Processes of `tfmtl run` with one run folder, as machines with a shared disk have them."""

    def __init__(self, folder):
        self.folder, rng = folder, np.random.default_rng(3)
        (folder / "log").mkdir()
        lines = ["user,price,clicked"]
        for user, price, score in zip(rng.integers(12, size=1500), rng.random(1500), rng.random(1500), strict=True):
            lines.append(f"u{user},{9 * price:.2f},{int(score < (user % 3 + 0.5) / 4)}")
        (folder / "log" / "part.csv").write_text("\n".join(lines) + "\n")

    def start(self, name, count, **training):
        """Starts a run on as many machines."""
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
        hosts = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
        for one in sockets:
            one.close()
        distribution = {"kind": "multi_worker" if count > 1 else "none"}
        settings = self.folder / f"{name}.yaml"
        training = json.dumps({**TRAINING, **training, "distribution": distribution})
        settings.write_text(f"{SETTINGS}training: {training}\n")
        words = [settings, "--data", self.folder / "log", "--out", self.folder / name, "--no-reference"]
        command = [sys.executable, "-m", "pipelines.cli", "run", *map(str, words)]
        processes = []
        for index in range(count):
            task = {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": index}}
            variables = {"TF_CONFIG": json.dumps(task)} if count > 1 else {}
            variables |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "PYTHONUNBUFFERED": "1"}
            with (self.folder / f"{name}{index}.txt").open("w") as log:
                options = {"cwd": REPOSITORY, "env": {**os.environ, **variables}, "stdout": log, "stderr": log}
                processes.append(subprocess.Popen(command, **options))
        return processes

    def finish(self, name, processes):
        try:
            assert [process.wait(SECONDS) for process in processes] == [0] * len(processes), self.log(name)[-4000:]
        finally:
            for process in processes:
                process.kill()

    def log(self, name, index=0):
        return (self.folder / f"{name}{index}.txt").read_text()

    def model_run(self, name):
        (folder,) = (self.folder / name / "pipeline" / "Trainer" / "model_run").iterdir()
        return folder


@pytest.fixture(scope="module")
def machines(tmp_path_factory):
    machines = Machines(tmp_path_factory.mktemp("machines"))
    machines.finish("one", machines.start("one", 1))
    return machines


def check_equal(machines, name):
    """Compares losses and weights of a run with those of one machine."""
    runs = [machines.model_run(one) for one in ("one", name)]
    expected, found = (json.loads((run / "history.json").read_text()) for run in runs)
    assert set(found) == set(expected)
    for metric in set(expected) - {"input_wait"}:
        np.testing.assert_allclose(found[metric], expected[metric], atol=1e-3, err_msg=metric)
    weights = [keras.saving.load_model(run / "model.keras").get_weights() for run in runs]
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)
    assert list((machines.folder / name / "serving").rglob("saved_model.pb"))
    assert not (machines.folder / name / "pipeline" / "Trainer" / "checkpoints").exists()


@pytest.mark.slow
def test_two_machines_give_the_model_of_one(machines):
    machines.finish("two", machines.start("two", 2))
    check_equal(machines, "two")
    assert "waits for the training" in machines.log("two", 1)


def training_processes(process):
    """Processes of the training that a process has started."""
    children = pathlib.Path(f"/proc/{process.pid}/task").glob("*/children")
    found = [int(pid) for path in children for pid in path.read_text().split()]
    return [pid for pid in found if b"pipelines.training.worker" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()]


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("killed", [0, 1])
def test_a_training_that_loses_a_worker_continues_from_its_checkpoint(machines, killed):
    name = f"killed_{killed}_"
    processes = machines.start(name, 2, checkpoint_steps=2)
    checkpoints = machines.folder / name / "pipeline" / "Trainer" / "checkpoints"
    try:
        end = time.monotonic() + SECONDS
        while not list(checkpoints.glob("*/*/state.json")):
            assert time.monotonic() < end, machines.log(name)[-4000:]
            time.sleep(0.02)
        (pid,) = training_processes(processes[killed])
        os.kill(pid, signal.SIGKILL)
    except BaseException:
        for process in processes:
            process.kill()
        raise
    machines.finish(name, processes)
    assert "resumed at step" in machines.log(name)
    assert "a worker of the training was lost" in machines.log(name, killed)
    check_equal(machines, name)


@pytest.mark.parametrize(
    ("kind", "function"),
    [("none", "pipelines.training.trainer.run_fn"), ("multi_worker", "pipelines.training.workers.train_in_worker")],
)
def test_the_trainer_starts_a_worker_if_the_settings_ask_for_several(tmp_path, kind, function):
    settings = load_settings(REPOSITORY / "examples" / "demo.yaml", data=str(tmp_path))
    training = dataclasses.replace(settings.training, distribution=Distribution(kind))
    pipeline = create_pipeline(dataclasses.replace(settings, training=training), str(tmp_path), str(tmp_path))
    (trainer,) = [one for one in pipeline.components if one.id == "Trainer"]
    assert trainer.exec_properties["run_fn"] == function
