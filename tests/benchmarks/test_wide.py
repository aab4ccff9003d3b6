"""Benchmark of many features and of long lists: its tables by hand, its log, and a run with few rows."""

import csv
import os
import pathlib
import subprocess
import sys

import pytest

from benchmarks import wide_logs
from benchmarks.page import markdown_table
from benchmarks.wide import STEPS, Case, make_steps_table, make_training_table

ROOT = pathlib.Path(__file__).parents[2]


def test_tables_have_times_per_feature_and_the_ratio_of_the_rates():
    seconds = dict.fromkeys([*STEPS, "Pusher"], 2.0)
    few = {"seconds": seconds, "start": 9.0, "milliseconds": 2.5, "rows_per_second": [4000.0]}
    measured = {Case(20): few, Case(10, 200): {**few, "rows_per_second": [36000.0, 12000.0]}}
    steps = markdown_table(make_steps_table(1000, measured)).splitlines()
    assert "| 20 features | 2.0 | 2.0 | 2.0 | 2.0 | 2.0 | 2.0 | 14.0 | 0.70 | 9.0 | 2.5 |" in steps
    training = markdown_table(make_training_table(measured)).splitlines()
    assert "| 20 features | 4,000 |  |  |" in training
    assert "| lists of at most 200 | 36,000 | 12,000 | 3.0 |" in training


def test_log_has_features_and_lists_of_the_given_sizes(tmp_path):
    wide_logs.write(tmp_path, 2000, 10, 21)
    with (tmp_path / wide_logs.LOG).open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2000
    assert len(rows[0]) == 13
    lengths = [len(row["tokens"].split("|")) for row in rows]
    assert max(lengths) == 21
    assert 2.5 < sum(lengths) / len(lengths) < 3.2
    assert {row["f0"].isdigit() for row in rows} == {True}
    assert 0.1 < sum(row["click"] == "1" for row in rows) / len(rows) < 0.4


@pytest.mark.long
def test_measures_a_small_log(tmp_path):
    arguments = ["--rows", "3000", "--features", "12", "--lists", "20", "--markdown", str(tmp_path / "page.md")]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([sys.executable, "-m", "benchmarks.wide", *arguments], cwd=ROOT, env=environment, text=True)
    assert done.returncode == 0
    page = (tmp_path / "page.md").read_text()
    assert "\n| 12 features | " in page
    assert "\n| lists of at most 20 | " in page
