"""The whole command at the sizes of a test."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from benchmarks.page import without_places
from benchmarks.rows import IDS, Sizes, all_rows

ROOT = pathlib.Path(__file__).parents[2]


def call(*words):
    # Wide enough that no label is broken into lines.
    environment = {**os.environ, "COLUMNS": "240", "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-m", "benchmarks.train", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.mark.slow
def test_quick_prints_and_writes_a_table_with_every_row(tmp_path):
    done = call("--quick", "--no-rivals", "--json", tmp_path / "out.json", "--markdown", tmp_path / "out.md")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "out.json").read_text())["rows"]
    rows = all_rows(Sizes(quick=True, rivals=False))
    assert set(found) == {row.name for row in rows}
    written = (tmp_path / "out.md").read_text()
    for row in rows:
        assert row.label in done.stdout
        assert f"| {row.label} |" in written
        assert found[row.name][0]["seconds"] > 0
    models = [row for row in rows if row.job["kind"] == "model"]
    assert all(found[row.name][0]["flops"] > 0 and found[row.name][0]["peak_mb"] > 0 for row in models)
    assert "share of the limit" in done.stdout


def test_rows_have_the_ids_of_their_label():
    rows = {row.name: row for row in all_rows(Sizes())}
    for label, ids in IDS.items():
        row = rows[f"mmoe/{ids}/float32"]
        assert (row.label, row.job["ids"]) == (f"{label} ids: tfmtl, float32", ids)


def test_a_gpu_that_is_not_there_is_said_so():
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        return
    done = call("--quick", "--device", "gpu", "--rows", "limit")
    assert done.returncode == 1
    assert "the device should be one that TensorFlow sees. Received: gpu" in done.stderr


def test_an_unknown_section_is_refused():
    done = call("--rows", "limit,speed")
    assert done.returncode == 2
    assert "should be some of limit,mmoe,models,strategies. Received: speed" in done.stderr


def test_places_are_not_part_of_the_command():
    words = ["--rows", "limit", "--json", "/home/me/a.json", "--rivals-env=/b", "--rounds", "1", "--markdown", "c.md"]
    assert without_places(words) == ["--rows", "limit", "--rounds", "1"]
