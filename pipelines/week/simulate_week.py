"""Simulation of a week: a run a day by the command line, and a server that answers throughout."""

import os
import pathlib
import shutil
import subprocess
import sys
import time

import yaml

from pipelines.output.invocation import present
from pipelines.prediction.rows import read_rows
from pipelines.runners.local import RunPaths
from pipelines.settings import Settings
from pipelines.settings_file import load_settings, read_document
from pipelines.terminal import console, working
from pipelines.week.daily_log import DAYS, POISONED, DailyLog
from pipelines.week.figure import plot_week
from pipelines.week.results import OUTCOMES, Day, read_day, results_table, write_json
from pipelines.week.traffic import Traffic
from serving.client import TfmtlClient
from serving.server import EmbeddedServer
from tfmtl.config import ConfigError

SETTINGS = pathlib.Path("examples/week.yaml")
OUT = pathlib.Path("runs/week")
BAD_MODEL = DAYS[5]
"""Day whose model is trained with a wrong learning rate."""
RESULTS, PLOT = "week.json", "week.png"
_BAD_LEARNING_RATE = 3.0
_PROGRAM = "from pipelines.cli import program; program()"
_REQUEST_ROWS = 400


def simulate_week(settings_path: pathlib.Path = SETTINGS, out: pathlib.Path = OUT) -> bool:
    """Runs the days of a week, and prints their table.

    Args:
        settings_path: Settings with a simulator.
        out: Folder to write to, which a week that was simulated before may hold; it is replaced.

    Returns:
        True if the log and the model that are wrong were refused, all others were accepted, and the server answered
        every request.

    Raises:
        ConfigError: If the folder holds other files.
    """
    start = time.monotonic()
    _clear(out)
    settings = load_settings(settings_path)
    with working("simulating the log of a week ..."):
        log = DailyLog(settings, out / "log")
    bad_settings = _write_bad_settings(settings_path, out / "bad_model.yaml")
    base = RunPaths(out).serving(settings.name)
    base.mkdir(parents=True)
    outputs = [output.name for output in settings.spec.outputs]
    with EmbeddedServer({settings.name: base}) as server, TfmtlClient(server.address, settings.name) as client:
        days, traffic = _run_days(settings, settings_path, bad_settings, out, log, client)
    write_json(days, traffic.answers, traffic.failures, out / RESULTS)
    plot_week(days, outputs, out / PLOT)
    present({}, results_table(days, outputs))
    count, versions = sum(traffic.answers.values()), len(traffic.answers)
    console.print(
        f"{count:,} requests answered by {versions} versions, {len(traffic.failures)} failed", highlight=False
    )
    console.print(f"plot: {out / PLOT}; {(time.monotonic() - start) / 60:.1f} minutes", highlight=False)
    return not traffic.failures and all(one.outcome == _expected(one.day) for one in days)


def _run_days(
    settings: Settings,
    settings_path: pathlib.Path,
    bad_settings: pathlib.Path,
    out: pathlib.Path,
    log: DailyLog,
    client: TfmtlClient,
) -> tuple[list[Day], Traffic]:
    """Runs each day, and sends requests from the first version on."""
    days: list[Day] = []
    traffic: Traffic | None = None
    for number, day in enumerate(DAYS, 1):
        path = log.write(day)
        console.rule(f"{day}, day {number} of {len(DAYS)}")
        code = _run(bad_settings if day == BAD_MODEL else settings_path, log.folder, out)
        if code not in OUTCOMES or (code and not days):  # Without a first version there is nothing to serve.
            raise SystemExit(code)
        days.append(read_day(RunPaths(out), day, log.rows, code, days[-1].version if days else 0))
        if traffic is None:
            client.wait_until_ready()
            rows = read_rows(str(path), settings.spec, limit=_REQUEST_ROWS)
            traffic = Traffic(client, [rows.features(i) for i in range(_REQUEST_ROWS)])
        traffic.wait_for(days[-1].version)
        console.print(f"{days[-1].outcome} (exit code {code}); version {days[-1].version} answers", highlight=False)
    assert traffic is not None
    traffic.stop()
    return days, traffic


def _run(settings_path: pathlib.Path, log: pathlib.Path, out: pathlib.Path) -> int:
    """Runs `tfmtl run` in a process of its own, and returns its exit code."""
    arguments = ["run", str(settings_path), "--data", str(log), "--out", str(out)]
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", "GRPC_VERBOSITY": "ERROR", **os.environ}
    sys.stdout.flush()
    return subprocess.run([sys.executable, "-W", "ignore", "-c", _PROGRAM, *arguments], env=environment).returncode


def _expected(day: str) -> str:
    return {POISONED: "log refused", BAD_MODEL: "model refused"}.get(day, "pushed")


def _write_bad_settings(settings_path: pathlib.Path, path: pathlib.Path) -> pathlib.Path:
    """Writes the settings with a wrong learning rate."""
    training = {**read_document(settings_path).data["training"], "learning_rate": _BAD_LEARNING_RATE}
    text = yaml.safe_dump({"base": str(settings_path.resolve()), "training": training})
    path.write_text(text, encoding="utf-8")
    return path


def _clear(out: pathlib.Path) -> None:
    """Removes what an earlier week wrote to the folder."""
    if out.exists() and any(out.iterdir()) and not (out / "bad_model.yaml").exists():
        raise ConfigError(f"--out should be a new folder, or one of an earlier week. Received: {out}")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
