"""Benchmark of the data components: rates and costs computed by hand, and a run with few rows."""

import json
import os
import pathlib
import subprocess
import sys

import pytest
from rich.console import Console

from benchmarks.transform import STEPS, make_cost_table, make_table

ROOT = pathlib.Path(__file__).parents[2]


def measured(kind, total):
    names = STEPS[kind]
    seconds = dict(zip(names, (total / 2, total / 4, 0.5, 0.5, total / 8), strict=True))
    return {"kind": kind, "total": total, "seconds": seconds, "memory": dict.fromkeys(names, 700.0)}


def text(shown):
    console = Console(width=150, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(shown)
    return console.export_text()


def test_table_has_rates_and_ratios():
    shown = text(make_table(1000, {"tfx": measured("tfx", 100.0), "tfmtl": measured("tfmtl", 8.0)}))
    lines = {line.split("  ")[0].strip(" │"): line for line in shown.splitlines()}
    first = next(line for name, line in lines.items() if name.startswith("CsvExampleGen / LogExampleGen"))
    assert "50.0" in first
    assert "250" in first, "1,000 rows in 4 s"
    assert first.rstrip(" │").endswith("12.5")
    everything = next(line for name, line in lines.items() if name.startswith("all"))
    assert "125" in everything, "1,000 rows in 8 s"
    assert everything.rstrip(" │").endswith("12.5")


def test_cost_table_has_fixed_cost_and_rows_per_second():
    """TFX takes 30 s and 10 ms per row; the package takes 5 s and 1 ms per row."""
    sizes = {n: {"tfx": measured("tfx", 30 + n * 0.01), "tfmtl": measured("tfmtl", 5 + n * 0.001)} for n in (100, 9000)}
    shown = text(make_cost_table(sizes))
    fixed = next(line for line in shown.splitlines() if "fixed" in line)
    each = next(line for line in shown.splitlines() if "each further" in line)
    assert "30.0" in fixed
    assert "5.0" in fixed
    assert "100" in each
    assert "1,000" in each


@pytest.mark.long
def test_measures_the_pipeline_of_the_package(tmp_path):
    command = [sys.executable, "-m", "benchmarks.transform", "--rows", "300", "--only", "tfmtl"]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    paths = ["--json", str(tmp_path / "out.json"), "--markdown", str(tmp_path / "page.md")]
    done = subprocess.run([*command, *paths], cwd=ROOT, env=environment, text=True)
    assert done.returncode == 0
    page = (tmp_path / "page.md").read_text()
    assert "Command: `python -m benchmarks.transform --rows 300 --only tfmtl`." in page
    for step in STEPS["tfmtl"]:
        assert f"\n| {step} | " in page
    measured = json.loads((tmp_path / "out.json").read_text())["300"]["tfmtl"]
    assert sorted(measured["seconds"]) == sorted(STEPS["tfmtl"])
    assert measured["total"] > sum(measured["seconds"].values())
    assert all(peak > 100 for peak in measured["memory"].values())
