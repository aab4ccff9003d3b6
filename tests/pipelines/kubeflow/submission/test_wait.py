"""Command `submit --wait`: each change of a step, and how the run ended."""

import time

from click.testing import CliRunner

from pipelines.cli import main
from pipelines.kubeflow import following
from tests.pipelines.kubeflow.submission.calls import submit


def task(state, minute, start=0):
    day = "2026-11-28T04"
    end = {"end_time": f"{day}:{minute:02}:00Z"} if state in ("SUCCEEDED", "FAILED") else {}
    return {"state": state, "start_time": f"{day}:{start:02}:00Z", **end}


def local(minute):
    return time.strftime("%H:%M:%S", time.localtime(1795838400 + 60 * minute))


def test_wait_prints_each_change_of_a_step_with_its_time(server):
    transform, driver = task("SUCCEEDED", 3, 1), task("SUCCEEDED", 4, 3)
    server.states = [
        ("PENDING", {}),
        ("RUNNING", {"root": task("RUNNING", 0), "Transform-driver": task("RUNNING", 0, 1)}),
        ("RUNNING", {"Transform-driver": task("SUCCEEDED", 1), "Transform": task("RUNNING", 0, 1)}),
        ("RUNNING", {"Transform": transform, "Trainer-driver": driver}),
        ("RUNNING", {"Transform": transform, "Trainer-driver": driver, "Trainer": task("RUNNING", 0, 4)}),
        ("SUCCEEDED", {"Transform": transform, "Trainer-driver": driver, "Trainer": task("SUCCEEDED", 9, 4)}),
    ]
    server.failures = [502]
    assert submit(server, "--wait").splitlines()[1:] == [
        f"  {local(1)}  Transform                running",
        f"  {local(3)}  Transform                succeeded",
        f"  {local(3)}  Trainer                  running",
        f"  {local(9)}  Trainer                  succeeded",
        "run succeeded",
    ]


def test_wait_ends_with_3_and_names_the_failed_steps(server):
    transform = task("SUCCEEDED", 2)
    server.states = [
        ("RUNNING", {"Transform": transform, "Trainer": task("RUNNING", 0, 2)}),
        ("FAILED", {"Transform": transform, "Trainer": task("FAILED", 5, 2)}),
    ]
    assert submit(server, "--wait", code=3).splitlines()[-2:] == [
        f"  {local(5)}  Trainer                  failed",
        "run failed: Trainer: the step was refused",
    ]


def test_a_step_fails_with_its_driver(server):
    server.states = [("FAILED", {"Transform": {"state": "PENDING"}, "Transform-driver": task("FAILED", 2)})]
    assert "run failed: Transform: the step" in submit(server, "--wait", code=3)


def test_wait_ends_if_the_run_is_canceled(server):
    server.states = [("CANCELED", {})]
    assert submit(server, "--wait", code=3).splitlines()[-1] == "run canceled"


def test_wait_ends_if_the_server_is_away_for_long(server, monkeypatch):
    monkeypatch.setattr(following, "PATIENCE_SECONDS", 0.05)
    server.failures = [503] * 1000
    done = CliRunner().invoke(main, ["submit", "pipeline.yaml", "--host", server.address, "--wait"])
    assert done.exit_code == 2
    assert f"Error: {server.address} refused the request: 503 upstream is away" in done.output
