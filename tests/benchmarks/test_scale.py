"""Benchmark of large logs: growth computed by hand, the files of the log, and a run with few rows."""

import json
import os
import pathlib
import subprocess
import sys

import pytest
from rich.console import Console

from benchmarks import scale_peers
from benchmarks.scale import STEPS, make_growth_table, make_table
from benchmarks.scale_log import FILES, SETTINGS, write_files
from benchmarks.scale_peers import make_peer_table, measure_peers

ROOT = pathlib.Path(__file__).parents[2]


def measured(rows, seconds):
    steps = {name: {"seconds": seconds, "memory": 1.5e9, "disk": 2e9} for name in STEPS}
    return {"rows": rows, "bytes": 200 * rows, "steps": steps, "blessed": True, "served": 1e9}


def text(shown):
    console = Console(width=150, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(shown)
    return console.export_text()


def cells(shown, name):
    line = next(line for line in text(shown).splitlines() if name in line)
    return [cell.strip() for cell in line.strip(" │").split("│")][1:]


def test_table_of_one_size():
    shown = make_table(measured(1_000_000, 5.0))
    assert "1,000,000 rows, 0.2 GB of CSV" in text(shown)
    assert cells(shown, "reading") == ["5.0", "200,000", "1.5", "2.00"]
    total = 5.0 * len(STEPS)
    assert cells(shown, "all") == [f"{total:.1f}", f"{1e6 / total:,.0f}", "1.5", f"{2 * len(STEPS) + 1:.2f}"]


def test_growth_is_relative_to_the_pace_between_the_smaller_sizes():
    """4 s for 9 rows more are a pace of 4 / 9 s; 90 rows more take 40 s if growth is linear, and took 80."""
    shown = make_growth_table({10: measured(10, 6.0), 100: measured(100, 90.0), 1: measured(1, 2.0)})
    assert cells(shown, "evaluation") == [f"{1e6 * 88 / 99:.2f}", f"{90 / 46:.2f}"]


@pytest.mark.long
def test_the_log_is_written_once_and_an_interrupted_call_continues(tmp_path):
    rows, settings = 200_000, tmp_path / "few_entities.yaml"
    settings.write_text(
        SETTINGS.read_text().replace("count: 238634", "count: 2000").replace("count: 467297", "count: 4000")
    )
    found = write_files(rows, tmp_path, 1, settings)
    files = sorted(tmp_path.glob("*.csv"))
    assert len(files) == FILES
    lines = [path.read_text().splitlines() for path in files]
    assert len({part[0] for part in lines}) == 1
    assert sum(len(part) - 1 for part in lines) == rows == found["rows"]
    assert found["bytes"] == sum(path.stat().st_size for path in files)
    labels = [line.rsplit(",", 2)[-2:] for part in lines for line in part[1:]]
    assert 0.03 < sum(int(click) for click, _ in labels) / rows < 0.05
    times = [path.stat().st_mtime_ns for path in files]
    (tmp_path / "log.json").unlink()
    content = files[2].read_bytes()
    files[2].unlink()
    assert write_files(rows, tmp_path, 1, settings) == found
    assert files[2].read_bytes() == content
    assert [path.stat().st_mtime_ns for i, path in enumerate(files) if i != 2] == [*times[:2], times[3]]
    assert not list(tmp_path.glob(".*"))


def test_table_of_peers():
    """5 s of each of the package's steps beside 10, 20 and 30 s; an epoch of 4 s beside 8 and 2."""
    tfx = {"CsvExampleGen": 10.0, "StatisticsGen": 20.0, "Transform": 30.0}
    peers = {
        "tfx": {"seconds": tfx, "memory": dict.fromkeys(tfx, 2500.0)},
        "tfmtl": {"seconds": 4.0, "rows": 450_000, "peak_mb": 900.0},
        "shipped": {"seconds": 8.0, "rows": 450_000, "peak_mb": 1100.0},
        "sparse": {"seconds": 2.0, "rows": 450_000, "peak_mb": 1000.0},
    }
    shown = make_peer_table(measured(1_000_000, 5.0), peers)
    assert cells(shown, "LogExampleGen") == ["5.0", "1.5", "TFX's CsvExampleGen", "10.0", "2.5", "2.0"]
    assert cells(shown, "data path") == ["15.0", "", "TFX's defaults", "60.0", "", "4.0"]
    assert cells(shown, "as shipped") == ["4.0", "0.9", "torch-rechub as shipped", "8.0", "1.1", "2.0"]
    assert cells(shown, "own loader")[-1] == "0.5"
    assert "one epoch, 450,000 rows" in text(shown)


def test_an_interrupted_measurement_of_peers_continues(tmp_path, monkeypatch):
    """A peer that is measured is not measured again, except that the peers of training need the rows of the package."""
    calls, failing = [], {"benchmarks.measure_transform"}

    def run_job(module, job, python):
        calls.append((module, job.get("as_shipped"), python))
        assert module != "benchmarks.measure_rechub_epoch" or job["batch"] == 64
        if module in failing:
            raise RuntimeError(f"{module} failed")
        return {"seconds": 1.0, "options": {"batch": 64}}

    monkeypatch.setattr(scale_peers, "run_job", run_job)
    monkeypatch.setattr(scale_peers, "rival_python", lambda environment: environment / "python")
    run = {"examples": "examples", "transform": "transform"}
    arguments = (run, tmp_path / "log", tmp_path, tmp_path / "peers.json")
    with pytest.raises(RuntimeError, match="measure_transform failed"):
        measure_peers(*arguments)
    rival = str(tmp_path / "python")
    epochs = [("benchmarks.measure_rechub_epoch", shipped, rival) for shipped in (True, False)]
    own, tfx = [(f"benchmarks.{name}", None, sys.executable) for name in ("measure_epoch", "measure_transform")]
    assert calls == [own, *epochs, tfx]
    failing.clear()
    measure_peers(*arguments)
    assert calls[4:] == [tfx]
    assert set(json.loads((tmp_path / "peers.json").read_text())) == {"tfmtl", "shipped", "sparse", "tfx"}


@pytest.mark.long
def test_measures_the_pipeline(tmp_path):
    command = [
        sys.executable,
        "-m",
        "benchmarks.scale",
        "--rows",
        "20000,40000",
        "--no-peers",
        "--work",
        str(tmp_path / "work"),
    ]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([*command, "--markdown", str(tmp_path / "page.md")], cwd=ROOT, env=environment, text=True)
    assert done.returncode == 0
    page = (tmp_path / "page.md").read_text()
    assert "40,000 rows" in page
    assert "evaluation" in page
    result = json.loads((tmp_path / "work" / "40000" / "result.json").read_text())
    assert set(STEPS) <= set(result["steps"])
    assert not (tmp_path / "work" / "40000" / "log").exists()
