"""The compiled pipeline under `kfp.local`, KFP's own local orchestrator, with each container as a process."""

import dataclasses
import os
import subprocess
import sys

import kfp.local
import pytest
from kfp.components import load_component_from_file
from kfp.local import docker_task_handler, status, task_dispatcher

from pipelines.kubeflow_settings import STEPS
from pipelines.pushing.destination import is_complete, versions
from pipelines.settings_file import load_settings
from tests.pipelines.compiled import compile_demo
from tests.pipelines.kubeflow.small_settings import REPOSITORY, ROWS, write_settings
from transforms.simulation.simulator import simulate

pytestmark = [pytest.mark.slow, pytest.mark.long]


class ProcessHandler(docker_task_handler.DockerTaskHandler):
    """Runs the command of a container as a process, in place of Docker."""

    def run(self):
        command = [sys.executable, *self.full_command[1:]]
        done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(REPOSITORY)})
        return status.Status.SUCCESS if done.returncode == 0 else status.Status.FAILURE


def test_the_pipeline_runs_to_a_pushed_model(tmp_path, monkeypatch):
    monkeypatch.setattr(task_dispatcher.docker_task_handler, "DockerTaskHandler", ProcessHandler)
    settings = load_settings(REPOSITORY / "examples" / "demo.yaml")
    simulate(settings.spec, dataclasses.replace(settings.simulator, rows=ROWS), tmp_path / "log")
    root = tmp_path / "root"
    options = {"--data": "/to/be/replaced", "--root": str(root)}
    pipeline = load_component_from_file(str(compile_demo(tmp_path, write_settings(tmp_path), **options)))
    monkeypatch.chdir(tmp_path)
    kfp.local.init(runner=kfp.local.DockerRunner(), pipeline_root=str(root / "artifacts"))
    pipeline(data=str(tmp_path / "log" / "impressions.csv"))
    (folder,) = versions(str(root / "serving" / "demo")).values()
    assert is_complete(folder)
    (run,) = (root / "artifacts").glob("demo-*")
    assert {path.name for path in run.iterdir()} == set(STEPS) - {"Tuner"}
