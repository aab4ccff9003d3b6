"""Commands that answer without importing TensorFlow, TFX or Beam."""

import os
import pathlib
import subprocess
import sys

import pytest

from tests.pipelines.runners.past_runs import PastRuns

ROOT = pathlib.Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
HEAVY = ("keras", "tensorflow", "tfx", "apache_beam", "tensorflow_transform", "tensorflow_model_analysis", "pandas")
PROGRAM = """
import sys
from pipelines.cli import main
try:
    main(sys.argv[1:], prog_name="tfmtl")
except SystemExit as stop:
    print("modules:", *sys.modules)
    sys.exit(stop.code)
"""


def invoke(*words):
    """Runs a command in a new process; returns its exit code, its messages and the heavy modules that it imported."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PROGRAM, *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    output, _, modules = done.stdout.rpartition("modules:")
    assert "pipelines.cli" in modules.split(), done.stderr
    return done.returncode, output + done.stderr, set(HEAVY) & set(modules.split())


@pytest.mark.parametrize(
    "words",
    [["--help"], ["run", "--help"], ["models"], ["models", "mmoe"], ["settings"], ["settings", "--json-schema"]],
)
def test_help_models_and_settings_are_shown_without_heavy_modules(words):
    code, output, heavy = invoke(*words)
    assert code == 0, output
    assert len(output) > 100
    assert heavy == set()


def test_the_history_of_runs_is_shown_without_heavy_modules(tmp_path):
    PastRuns(tmp_path / "run").day("2026-11-17T03:00:00")
    code, output, heavy = invoke("runs", tmp_path / "run")
    assert code == 0, output
    assert "pushed" in output
    assert heavy == set()


@pytest.fixture
def wrong(tmp_path):
    """Settings of an experiment and of a comparison, each with an error."""
    text = (EXAMPLES / "demo.yaml").read_text().replace("max_epochs:", "max_epoch:")
    (tmp_path / "wrong.yaml").write_text(text)
    text = (EXAMPLES / "demo.yaml").read_text().replace("num_experts: 4", "num_expert: 4")
    (tmp_path / "wrong_option.yaml").write_text(text)
    text = (EXAMPLES / "compare_demo.yaml").read_text().replace("base: ", f"base: {EXAMPLES}/", 1)
    (tmp_path / "wrong_compare.yaml").write_text(text.replace("models:", "model:", 1))
    return tmp_path


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "{}/wrong.yaml"], "wrong.yaml:{line}: training.max_epoch: should be a field"),
        (["run", "{}/wrong_option.yaml"], "Did you mean `num_experts`?"),
        (["simulate", "{}/wrong.yaml", "--out", "{}/out"], "training.max_epoch"),
        (["ingest", "panels", "{}/wrong.yaml", "--raw", "{}", "--out", "{}/out"], "training.max_epoch"),
        (["compile", "{}/wrong.yaml", "--image", "i", "--root", "r", "--out", "{}/out.yaml"], "training.max_epoch"),
        (["compare", "{}/wrong_compare.yaml"], "model: should be a field of CompareSettings"),
        (["compare", EXAMPLES / "compare_movielens.yaml"], "--data should be the folder of the raw log"),
        (["models", "mmoee"], "Did you mean `mmoe`?"),
    ],
)
def test_wrong_settings_are_refused_without_heavy_modules(wrong, words, message):
    code, output, heavy = invoke(*(str(word).replace("{}", str(wrong)) for word in words))
    assert code == 2, output
    number = 1 + next(
        (i for i, row in enumerate((wrong / "wrong.yaml").read_text().splitlines()) if "max_epoch:" in row)
    )
    assert message.replace("{line}", str(number)) in output
    assert "Traceback" not in output
    assert heavy == set()


def test_a_missing_log_is_reported_before_tensorflow_is_imported(tmp_path):
    code, output, heavy = invoke("run", EXAMPLES / "movielens.yaml", "--data", tmp_path / "missing")
    assert code == 2
    assert "data.path should be the folder of the raw log" in output
    assert heavy <= {"pandas"}, "Arrow imports pandas with its first array"


def test_the_garbage_collector_runs_seldom_while_modules_are_imported():
    """An import keeps nearly all objects that it creates: 100,000 of them here, for which the default is 140 runs."""
    program = (
        "import gc, pipelines\n"
        "before = gc.get_stats()[0]['collections']\n"
        "kept = [[] for _ in range(100_000)]\n"
        "print(gc.get_stats()[0]['collections'] - before)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) <= 2
