"""Runs of several days in one folder: what is trained and pushed again, after repetitions, kills and rollbacks."""

import dataclasses
import os
import pathlib
import pickle
import shutil
import signal
import subprocess
import sys

import pytest

from pipelines.commands.clean import clean_folder
from pipelines.commands.rollback import rollback_model
from pipelines.pushing.destination import fingerprint, newest_version, versions
from pipelines.runners.history.runs import read_runs
from pipelines.runners.local import RunPaths, run_pipeline
from pipelines.runners.metadata_store import property_value
from pipelines.settings import Settings, Thresholds
from tests.pipelines.components.test_spans import DAYS, make_settings, write_day

pytestmark = [pytest.mark.slow, pytest.mark.long]
REPOSITORY = pathlib.Path(__file__).parents[2]
NOT_CACHED = {"latest_blessed_model", "warm_start_model", "accepted_log", "ExampleValidator"}
"""Resolvers, and the check of the log against the accepted one, which run each time."""
KILLED = """
import os, pathlib, pickle, signal, sys
from pipelines.components.pusher import OncePusherExecutor
from pipelines.runners.history.runs import read_runs
from pipelines.runners.local import RunPaths, run_pipeline

OncePusherExecutor.Do = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)
run_pipeline(pickle.loads(pathlib.Path(sys.argv[1]).read_bytes()), RunPaths(pathlib.Path(sys.argv[2])))
"""


def daily_settings(folder) -> Settings:
    settings = make_settings(folder, spans=1)
    training = dataclasses.replace(settings.training, warm_start="latest", max_epochs=2, batch_size=16)
    loose = Thresholds(min_auc=0.0, calibration=(0.01, 100.0), max_auc_drop=1.0, min_rows=1, min_positives=1)
    return dataclasses.replace(settings, training=training, thresholds={"ctr": loose})


def run_day(folder, root="run"):
    return run_pipeline(daily_settings(folder), RunPaths(folder / root))


def executed(run):
    return {name for name, step in run.steps.items() if not step.cached} - NOT_CACHED


def model_of(run, step):
    return [model.id for model in run.steps[step].outputs.get("model", [])]


def test_each_day_is_trained_and_pushed_once(tmp_path, monkeypatch):
    """Also if it is run again, from another folder, after a kill before the push, and after a rollback."""
    serving = str(tmp_path / "run/serving/shop")
    write_day(tmp_path / "log", DAYS[0], 0)
    monkeypatch.chdir(tmp_path)
    first = run_pipeline(daily_settings(tmp_path), RunPaths(pathlib.Path("run")))
    assert first.blessed
    assert list(versions(serving)) == [int(first.pushed_version)]
    assert os.path.isabs(first.uri("Trainer", "model"))

    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = run_day(tmp_path)
    assert executed(again) == {"Pusher"}
    assert again.blessed
    assert again.pushed_version is None
    assert list(versions(serving)) == [int(first.pushed_version)]

    write_day(tmp_path / "log", DAYS[1], 1)
    (tmp_path / "settings.pickle").write_bytes(pickle.dumps(daily_settings(tmp_path)))
    command = [sys.executable, "-W", "ignore", "-c", KILLED, str(tmp_path / "settings.pickle"), str(tmp_path / "run")]
    killed = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    assert list(versions(serving)) == [int(first.pushed_version)]
    second = run_day(tmp_path)
    assert executed(second) == {"Pusher"}
    assert model_of(second, "warm_start_model") == [first.artifact("Trainer", "model").id]
    assert list(versions(serving)) == [int(first.pushed_version), int(second.pushed_version)]
    assert run_day(tmp_path).pushed_version is None
    assert len(versions(serving)) == 2

    served = fingerprint(newest_version(serving))
    shutil.rmtree(serving)
    restored = run_day(tmp_path)
    assert executed(restored) == {"Pusher"}
    assert list(versions(serving)) == [int(restored.pushed_version)]
    assert fingerprint(newest_version(serving)) == served

    write_day(tmp_path / "log", DAYS[2], 2)
    third = run_day(tmp_path)
    assert model_of(third, "warm_start_model") == [second.artifact("Trainer", "model").id]
    assert third.pushed_version
    rollback_model(str(tmp_path / "run"), None, None)
    assert fingerprint(newest_version(serving)) == served
    refused = run_day(tmp_path)
    assert executed(refused) == {"Pusher"}
    assert refused.rolled_back_version == third.pushed_version
    assert not refused.pushed_version
    assert fingerprint(newest_version(serving)) == served

    shutil.move(tmp_path / "run", tmp_path / "moved")
    write_day(tmp_path / "log", "2026-11-20", 3)
    fourth = run_day(tmp_path, "moved")
    good = [second.artifact("Trainer", "model").id]
    assert model_of(fourth, "warm_start_model") == model_of(fourth, "latest_blessed_model") == good
    assert fourth.uri("Trainer", "model").startswith(str(tmp_path / "moved"))
    assert property_value(fourth.artifact("Pusher", "pushed_model"), "pushed") == 1

    history = read_runs(tmp_path / "moved")
    results = ["pushed", "not pushed", "killed", "pushed", "not pushed", "pushed", "pushed", "refused", "pushed"]
    assert [past.result for past in history] == results
    assert [past.record.spans for past in history[-3:]] == [(DAYS[2],), (DAYS[2],), ("2026-11-20",)]
    assert (history[3].started_from, history[-1].started_from, history[-1].compared_with) == (1, 3, 3)
    assert history[0].record.rows == {"read": 240, "rejected": 2, **history[0].record.rows}
    assert 0 < history[0].record.metrics["ctr"]["auc"] < 1

    clean_folder(str(tmp_path / "moved"), 1, True)
    assert fingerprint(newest_version(str(tmp_path / "moved/serving/shop"))) is not None
    assert executed(run_day(tmp_path, "moved")) == {"Pusher"}
    write_day(tmp_path / "log", "2026-11-21", 4)
    fifth = run_day(tmp_path, "moved")
    assert model_of(fifth, "warm_start_model") == [fourth.artifact("Trainer", "model").id]
    assert fifth.pushed_version
    assert [past.result for past in read_runs(tmp_path / "moved")][: len(results)] == results
