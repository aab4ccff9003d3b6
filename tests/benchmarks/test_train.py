"""Command `python -m benchmarks.train` with tiny sizes, and its errors."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import pytest

from benchmarks.page import without_paths
from benchmarks.rows import DEFAULT_SECTIONS, IDS, Sizes, all_rows, chosen_rows

ROOT = pathlib.Path(__file__).parents[2]


def call(*words):
    # So many columns that no label is wrapped.
    environment = {**os.environ, "COLUMNS": "240", "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-m", "benchmarks.train", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.mark.long
def test_quick_run_prints_and_writes_every_row(tmp_path):
    done = call("--quick", "--no-rivals", "--json", tmp_path / "out.json", "--markdown", tmp_path / "out.md")
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads((tmp_path / "out.json").read_text())["rows"]
    rows = chosen_rows(all_rows(Sizes(quick=True, rivals=False)), DEFAULT_SECTIONS["tensorflow"])
    assert set(results) == {row.name for row in rows}
    written = (tmp_path / "out.md").read_text()
    for row in rows:
        assert row.label in done.stdout
        assert f"| {row.label} |" in written
        assert results[row.name][0]["seconds"] > 0
    models = [row for row in rows if row.job["kind"] == "model"]
    assert all(results[row.name][0]["flops"] > 0 and results[row.name][0]["peak_mb"] > 0 for row in models)
    assert "share of the limit" in done.stdout


def test_rows_have_the_number_of_ids_of_their_label():
    rows = {row.name: row for row in all_rows(Sizes())}
    for label, ids in IDS.items():
        row = rows[f"mmoe/{ids}/float32"]
        assert (row.label, row.job["ids"]) == (f"{label} ids: tfmtl, float32", ids)


def test_missing_gpu_ends_with_one_line_and_exit_code_2():
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        pytest.skip("TensorFlow finds a GPU")
    done = call("--quick", "--device", "gpu", "--rows", "limit")
    assert done.returncode == 2
    assert done.stderr == "Error: `--device` should be a device that TensorFlow finds. Received: gpu\n"
    assert done.stdout == ""


def test_missing_backend_ends_with_one_line_and_exit_code_2():
    if importlib.util.find_spec("jax"):
        pytest.skip("JAX is installed")
    done = call("--quick", "--backend", "jax")
    assert done.returncode == 2
    assert done.stderr == "Error: `--backend` should be installed in this environment. Received: jax\n"


@pytest.mark.parametrize(
    ("backend", "section", "known"),
    [("tensorflow", "speed", "limit,layers,mmoe,models,strategies"), ("jax", "mmoe", "limit,layers")],
)
def test_rejects_unknown_sections(backend, section, known):
    done = call("--rows", f"limit,{section}", "--backend", backend)
    assert done.returncode == 2
    assert f"should be some of {known} with --backend {backend}. Received: {section}" in done.stderr


def test_command_of_the_page_contains_no_paths():
    words = ["--rows", "limit", "--json", "/home/me/a.json", "--rivals-env=/b", "--rounds", "1", "--markdown", "c.md"]
    assert without_paths(words) == ["--rows", "limit", "--rounds", "1"]
