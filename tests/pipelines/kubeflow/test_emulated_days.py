"""Daily runs under the emulation of Kubeflow, beside local runs of the same days; a Trainer that is retried."""

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest
import yaml

from pipelines.pushing.destination import fingerprint, versions
from pipelines.pushing.model_record import read_record
from tests.pipelines.compiled import compile_demo
from tests.pipelines.components.test_spans import DAYS, SETTINGS, write_day
from tests.pipelines.kubeflow.launcher import Emulator
from tests.pipelines.kubeflow.small_settings import REPOSITORY
from tests.s3_server import BUCKET
from transforms.storage import files

pytestmark = [pytest.mark.slow, pytest.mark.long]
TRAINING = {
    "warm_start": "latest",
    "keep_days": 3,
    "deterministic": True,
    "max_epochs": 2,
    "batch_size": 32,
    "checkpoint_steps": 3,
}
LOOSE = {"min_auc": 0.0, "calibration": [0.01, 100.0], "max_auc_drop": 1.0, "min_rows": 10, "min_positives": 3}


def write_settings(folder, **sections):
    document = {**yaml.safe_load(SETTINGS), "training": TRAINING, "thresholds": {"ctr": LOOSE}, **sections}
    document["data"] = {**document["data"], "spans": 1}
    document["data_checks"] = {"enabled": False}
    path = folder / "shop.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def emulator(folder, settings, store, environment):
    compiled = compile_demo(folder, settings, **{"--root": f"{store}/tfmtl", "--data": str(folder / "log")})
    variables = {**os.environ, **environment, "PYTHONPATH": str(REPOSITORY)}
    return Emulator.of(compiled, root=f"{store}/artifacts", mounts=folder / "mounts", environment=variables)


def run_locally(settings, folder):
    """Runs the command line in a process of its own, as the name of a layer depends on earlier models of a process."""
    program = [sys.executable, "-c", "from pipelines.cli import program; program()"]
    words = ["run", str(settings), "--data", str(folder / "log"), "--out", str(folder / "run")]
    done = subprocess.run(
        [*program, *words], env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_days_give_the_models_of_local_runs(tmp_path, s3):
    settings, store = write_settings(tmp_path), f"minio://{BUCKET}/days"
    emulated = emulator(tmp_path, settings, store, s3)
    for number, day in enumerate(DAYS):
        write_day(tmp_path / "log", day, number)
        run_locally(settings, tmp_path)
        assert emulated.run(day, {"date": day}) == (None, 0), emulated.printed
        if number:
            assert "    warm start from " in emulated.printed["Trainer"][0]
    served = (f"{store}/tfmtl/serving/shop", str(tmp_path / "run" / "serving" / "shop"))
    pushed, expected = ([fingerprint(folder) for folder in versions(one).values()] for one in served)
    assert pushed == expected
    assert len(set(pushed)) == 3
    spans = [read_record(f"{store}/tfmtl/serving/shop", one).span for one in pushed]
    assert spans == [spans[0], spans[0] + 1, spans[0] + 2]
    assert emulated.run("again", {"date": DAYS[1]}) == (None, 0), emulated.printed
    again = list(versions(f"{store}/tfmtl/serving/shop").values())
    assert fingerprint(again[-1]) == pushed[1], "a second run of a day starts from the same model"


def test_a_killed_trainer_is_retried_from_its_checkpoint(tmp_path, s3):
    volume = tmp_path / "volume"
    settings = write_settings(tmp_path, kubeflow={"checkpoints": str(volume)})
    write_day(tmp_path / "log", DAYS[0], 0)
    emulated = emulator(tmp_path, settings, f"s3://{BUCKET}/killed", s3)
    killed = threading.Thread(target=_kill_after_a_checkpoint, args=(volume,), daemon=True)
    killed.start()
    assert emulated.run("one", retries=True) == (None, 0), emulated.printed
    first, second = emulated.printed["Trainer"]
    assert "Error: Trainer was killed by SIGKILL" in first
    assert "Trainer: finished after " in second
    summary = json.loads(files.read_text(f"{emulated.stored['Trainer']['model_run']['uri']}/training.json"))
    assert summary["resumed_step"] > 0
    whole = emulator(tmp_path, write_settings(tmp_path), f"s3://{BUCKET}/whole", s3)
    assert whole.run("one") == (None, 0), whole.printed
    models = [versions(f"s3://{BUCKET}/{name}/tfmtl/serving/shop") for name in ("killed", "whole")]
    killed_model, whole_model = (fingerprint(folder) for one in models for folder in one.values())
    assert killed_model == whole_model
    assert dataclasses.asdict(read_record(f"s3://{BUCKET}/killed/tfmtl/serving/shop", killed_model))["metrics"]["ctr"]


def _kill_after_a_checkpoint(folder):
    """Kills the process of the Trainer's executor when the first checkpoint is complete."""
    while not list(pathlib.Path(folder).glob("*/*/*")):
        time.sleep(0.05)
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if b"pipelines.kubeflow.run_executor" in words and b"LogTrainerExecutor" in words:
            os.kill(int(process.name), signal.SIGKILL)
