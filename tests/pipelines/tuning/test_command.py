"""Command `tfmtl tune` on a small simulated log: results, a diverging trial, a kill, and the run afterwards."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import keras
import pytest
import yaml
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.commands.run import NOT_BLESSED
from pipelines.settings_file import load_settings

pytestmark = pytest.mark.slow
DEMO = pathlib.Path(__file__).parents[3] / "examples" / "demo.yaml"
TIMEOUT = 400


def write(folder, **space):
    plain = yaml.safe_load(DEMO.read_text(encoding="utf-8"))
    plain["simulator"]["rows"] = 3000
    plain |= {
        "name": "small",
        "model": {"name": "shared_bottom", "options": {"embedding_dim": 4, "bottom_units": [8], "tower_units": [4]}},
        "training": {"max_epochs": 2, "batch_size": 256, "learning_rate": 0.02},
        "thresholds": {},
        "reference": False,
        "tune": {"space": {name: {"kind": "choice", "values": values} for name, values in space.items()}},
    }
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(plain, sort_keys=False), encoding="utf-8")
    return path


def trial_files(out):
    return sorted((out / "trials").glob("*/trial-*.json"))


def results(out):
    """Values, status, metric and history of each trial, with all digits."""
    plain = [json.loads(path.read_text(encoding="utf-8")) for path in trial_files(out)]
    return [[one[name] for name in ("number", "values", "status", "metric", "history", "options")] for one in plain]


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """Folder, output and settings of a search of three trials, one of which diverges."""
    folder = tmp_path_factory.mktemp("tune")
    path = write(folder, **{"options.bottom_units": [[8], [16]], "training.learning_rate": [0.02, 1e30]})
    output = CliRunner().invoke(main, ["tune", str(path), "--trials", "3", "--out", str(folder / "out")])
    assert output.exit_code == 0, output.output
    return folder / "out", output.output, path


def test_finds_settings_and_records_a_trial_that_diverges(tuned):
    out, output, _ = tuned
    trials = [json.loads(path.read_text(encoding="utf-8")) for path in trial_files(out)]
    assert [one["number"] for one in trials] == [1, 2, 3]
    failed = [one for one in trials if one["training"]["learning_rate"] == 1e30]
    assert failed
    assert all(one["status"] == "failed" and "loss is nan" in one["error"] for one in failed)
    finished = [one for one in trials if one["training"]["learning_rate"] == 0.02]
    for one in finished:
        history = one["history"]["val_ctcvr_auc"]
        assert one["status"] == "finished"
        assert one["metric"] == max(history) == history[one["epoch"] - 1]
        assert 1 <= len(history) <= 2
        assert len(one["code"]) == 16
        assert one["seconds"] > 0
    assert f"best {max(one['metric'] for one in finished):.4f}" in output
    assert "failed: loss is nan" in output.replace("\n", " ")
    assert f"tfmtl run {out / 'tuned.yaml'}" in output.replace("\n", "")
    best = max(finished, key=lambda one: one["metric"])
    assert list(load_settings(out / "tuned.yaml").model.options["bottom_units"]) == best["options"]["bottom_units"]
    assert not any("test" in name for one in trials for name in one["history"]), "the test split is not used"


def test_same_command_runs_no_trial_again(tuned):
    out, _, path = tuned
    before = {file: file.stat().st_mtime_ns for file in trial_files(out)}
    again = CliRunner().invoke(main, ["tune", str(path), "--trials", "3", "--out", str(out)])
    assert again.exit_code == 0, again.output
    assert "3 of 3 trials were finished before" in again.output
    assert {file: file.stat().st_mtime_ns for file in trial_files(out)} == before


@pytest.mark.long
def test_the_step_of_the_pipeline_gives_what_the_command_gives(tuned, tmp_path):
    out, _, path = tuned
    plain = yaml.safe_load(path.read_text(encoding="utf-8"))
    plain["tune"]["trials"] = 2
    settings = tmp_path / "small.yaml"
    settings.write_text(yaml.safe_dump(plain, sort_keys=False), encoding="utf-8")
    run = CliRunner().invoke(main, ["run", str(settings), "--data", str(out / "log"), "--out", str(tmp_path / "run")])
    assert run.exit_code in (0, NOT_BLESSED), run.output  # After two epochs, the calibration may be poor.
    assert results(tmp_path / "run") == results(out)[:2]
    best = max(results(out)[:2], key=lambda one: -1 if one[3] is None else one[3])
    assert f"tuned: trial {best[0]} of 2, ctcvr_auc {best[3]:.4f} on the eval split" in run.output.replace("\n", " ")
    (model,) = (tmp_path / "run" / "pipeline" / "Trainer" / "model_run").glob("*/model.keras")
    assert list(keras.saving.load_model(model).options.bottom_units) == best[5]["bottom_units"]


def test_a_space_that_is_not_valid_is_refused_before_the_log_is_read(tmp_path):
    path = write(tmp_path, **{"options.bottom_units": [[8], [-1]]})
    path.write_text(path.read_text(encoding="utf-8").replace("tune:\n", "tune:\n  trials: 2\n"), encoding="utf-8")
    run = CliRunner().invoke(main, ["run", str(path), "--data", str(path), "--out", str(tmp_path / "run")])
    assert run.exit_code == 2
    assert "tune.space.options.bottom_units" in run.output
    assert not (tmp_path / "run").exists()


@pytest.mark.long
def test_tuned_settings_run(tuned):
    out, _, _ = tuned
    run = CliRunner().invoke(main, ["run", str(out / "tuned.yaml"), "--out", str(out)])
    assert run.exit_code in (0, NOT_BLESSED), run.output  # After two epochs, the calibration may be poor.
    assert "from the cache: LogExampleGen" in run.output, "the log is not read again"
    assert "Test split" in run.output
    (history,) = (out / "pipeline" / "Trainer" / "model_run").glob("*/history.json")
    assert len(json.loads(history.read_text(encoding="utf-8"))["val_ctcvr_auc"]) <= 2


@pytest.mark.long
def test_killed_search_continues_with_the_same_trials(tmp_path):
    path = write(tmp_path, **{"options.bottom_units": [[4], [8], [16], [32]], "options.dropout": [0.0, 0.1, 0.2, 0.3]})
    command = [sys.executable, "-m", "pipelines.cli", "tune", str(path), "--trials", "5", "--seed", "3", "--out"]
    environment = {**os.environ, "PYTHONPATH": str(DEMO.parents[1])}
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run([*command, str(whole)], env=environment, check=True, capture_output=True, timeout=TIMEOUT)
    process = subprocess.Popen([*command, str(killed)], env=environment, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + TIMEOUT
    while len(trial_files(killed)) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert len(trial_files(killed)) == 2
    subprocess.run([*command, str(killed)], env=environment, check=True, capture_output=True, timeout=TIMEOUT)
    assert results(killed) == results(whole)
