"""Entry of a container: a step that is killed, a wrong setting, a bug, and a step that succeeds."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from pipelines.runners import kubeflow_step
from tests.pipelines.kubeflow.small_settings import REPOSITORY

MODEL = {"artifactType": {"instanceSchema": "title: tfx.Model\ntype: object\n"}}


def command(folder, executor):
    invocation = {
        "inputs": {"parameterValues": {"marker": str(folder / "marker")}},
        "outputs": {
            "outputFile": str(folder / "outputs" / "output_metadata.json"),
            "artifacts": {"model": {"artifacts": [{"name": "model", "uri": "s3://bucket/run/model"}]}},
        },
    }
    words = [sys.executable, "-m", "pipelines.runners.kubeflow_step", "--step", "Trainer", "--mounts", str(folder)]
    words += ["--executor_class_path", f"failing_steps.{executor}"]
    words += ["--json_serialized_invocation_args", json.dumps(invocation)]
    words += ["--json_serialized_inputs_spec_args", json.dumps({"parameters": {"marker": {"parameterType": "STRING"}}})]
    return [*words, "--json_serialized_outputs_spec_args", json.dumps({"artifacts": {"model": MODEL}})]


def run(folder, executor, *arguments):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(pathlib.Path(__file__).parent)])}
    return subprocess.run(
        [*command(folder, executor), *arguments], env=environment, capture_output=True, text=True, cwd=folder
    )


@pytest.mark.long
def test_a_killed_step_is_one_line_that_suggests_more_memory_and_a_retry_succeeds(tmp_path):
    killed = run(tmp_path, "KilledOnce")
    assert killed.returncode == 128 + signal.SIGKILL
    (line,) = [line for line in killed.stderr.splitlines() if line.startswith("Error")]
    assert "Traceback" not in killed.stderr
    assert line.startswith("Error: Trainer was killed by SIGKILL after ")
    assert "most likely for lack of memory" in line
    assert line.endswith("give it more with kubeflow.steps.Trainer.memory")
    again = run(tmp_path, "KilledOnce")
    assert again.returncode == 0, again.stderr
    assert again.stdout.startswith("Trainer: finished after ")
    assert (tmp_path / "s3/bucket/run/model/file").read_text() == "done"
    reported = json.loads((tmp_path / "outputs/output_metadata.json").read_text())
    assert reported["artifacts"]["model"]["artifacts"][0]["uri"] == "s3://bucket/run/model"


@pytest.mark.parametrize(
    ("executor", "code", "printed", "traceback"),
    [
        ("WrongSetting", 2, "Error: data.path should be a folder. Received: 'nothing'", False),
        ("Bug", 1, "KeyError: 'a bug'", True),
    ],
)
def test_errors_of_the_user_have_no_traceback(tmp_path, executor, code, printed, traceback):
    done = run(tmp_path, executor)
    assert done.returncode == code
    assert printed in done.stderr
    assert ("Traceback" in done.stderr) == traceback
    assert done.stdout.startswith("Trainer: failed after ")
    assert not (tmp_path / "outputs/output_metadata.json").exists()


def test_workers_on_other_machines_need_a_store_that_they_can_write_to(tmp_path):
    done = run(tmp_path, "Bug", "--keep_uris")
    assert done.returncode == 2
    assert done.stderr == (
        "Error: the pipeline root should be gs://, as Beam's workers of Trainer write there themselves. "
        "Received: s3://bucket/run/model\n"
    )


def test_a_container_that_is_stopped_ends_its_step(tmp_path):
    step = "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(9)); print('ready', flush=True)"
    step += "; time.sleep(60)"
    entry = f"from {kubeflow_step.__name__} import _run; _run([{sys.executable!r}, '-c', {step!r}], 'A')"
    words = ["-c", entry]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen([sys.executable, *words], env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    started = time.monotonic()
    process.terminate()
    assert process.stdout.readline().startswith("A: failed after ")
    process.wait()
    assert time.monotonic() - started < 30
