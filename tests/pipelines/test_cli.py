"""Command line: help, exit codes, warnings, and the commands that need no pipeline run."""

import csv
import os
import pathlib
import subprocess
import sys

import pytest
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.commands import demo
from pipelines.terminal import show_renamed_settings

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"
COMMANDS = [
    "init",
    "simulate",
    "ingest",
    "join",
    "schema",
    "run",
    "tune",
    "compare",
    "compile",
    "export-check",
    "models",
    "serve",
    "predict",
    "score",
    "runs",
    "rollback",
    "clean",
    "submit",
    "schedule",
    "training-job",
    "report",
    "ui",
    "completion",
    "settings",
]


def invoke(*words):
    return CliRunner().invoke(main, [str(word) for word in words], terminal_width=100)


def test_help_lists_the_commands():
    result = invoke("--help")
    assert result.exit_code == 0
    assert sorted(main.commands) == sorted(COMMANDS)
    assert all(command in result.output for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(command):
    result = invoke(command, "--help")
    assert result.exit_code == 0
    assert f"Example:\n    tfmtl {command}" in result.output


def test_simulate_writes_a_log(tmp_path):
    result = invoke("simulate", EXAMPLES / "demo.yaml", "--out", tmp_path / "log", "--rows", 500, "--seed", 3)
    assert result.exit_code == 0, result.output
    with (tmp_path / "log" / "impressions.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 500
    assert (tmp_path / "log" / "probabilities.csv").exists()


def test_models_lists_papers():
    result = invoke("models")
    assert result.exit_code == 0
    assert "Ma et al., 2018" in result.output
    result = invoke("models", "mmoe")
    assert result.exit_code == 0
    assert "Multi-gate" in result.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", EXAMPLES / "movielens.yaml"], "data.path should be the folder of the raw log"),
        (["run", EXAMPLES / "movielens.yaml", "--data", "not/there"], "Received: 'not/there'"),
        (["simulate", EXAMPLES / "movielens.yaml", "--out", "x"], "simulator: should be given"),
        (["models", "mmoee"], "Did you mean `mmoe`?"),
    ],
)
def test_wrong_settings_exit_with_code_2_and_a_one_line_message(words, message):
    result = invoke(*words)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output


def run_script(*words, **environment):
    command = [sys.executable, "-c", "from pipelines.cli import program; program()", *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent), **environment}
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def test_the_console_script_exits_with_the_code_of_the_command(tmp_path):
    """`run_program` ends the process itself, which must keep exit code and output."""
    path = tmp_path / "wrong.yaml"
    path.write_text("name: 1\n")
    wrong = run_script("run", path)
    assert wrong.returncode == 2
    assert "wrong.yaml:1: spec: should be given: Settings requires it" in wrong.stderr
    good = run_script("models", "--help")
    assert good.returncode == 0
    assert "List the models" in good.stdout


@pytest.fixture
def old_settings(tmp_path):
    """Settings with the former names of a value and of an option."""
    text = (EXAMPLES / "demo.yaml").read_text()
    path = tmp_path / "old.yaml"
    old = "  options:\n    space: previous\n    max_importance: 50.0\n"
    path.write_text(text.replace("  options:\n", old, 1).replace("rows: 200000", "rows: 100"))
    return path


def assert_names_the_new_names(lines, path):
    number = path.read_text().splitlines().index("    space: previous") + 1
    value, option = lines
    assert value.startswith(f"Warning: {path}:{number}: model.options.space: ")
    assert "write `conditional`" in value
    assert option.startswith(f"Warning: {path}:{number + 1}: model.options.max_importance: ")
    assert "write `max_weight`" in option


@pytest.mark.parametrize("filters", ["default", "ignore"])
def test_old_names_in_settings_cause_one_line_each_on_stderr(tmp_path, old_settings, filters):
    done = run_script("simulate", old_settings, "--out", tmp_path / "log", PYTHONWARNINGS=filters)
    assert done.returncode == 0, done.stderr
    assert_names_the_new_names([line for line in done.stderr.splitlines() if str(old_settings) in line], old_settings)
    assert (tmp_path / "log" / "impressions.csv").exists()


def test_settings_that_are_loaded_twice_cause_each_warning_once(old_settings, tmp_path, capsys):
    with show_renamed_settings():
        for _ in range(2):
            demo.make_log(old_settings, tmp_path / "data")
    assert_names_the_new_names(capsys.readouterr().err.splitlines(), old_settings)


def test_the_demonstration_prints_only_its_own_lines(tmp_path):
    """It starts in a folder without its settings, so that it fails after its imports."""
    choices = ("TF_CPP_MIN_LOG_LEVEL", "GRPC_VERBOSITY", "PYTHONWARNINGS")
    environment = {name: value for name, value in os.environ.items() if name not in choices}
    environment["PYTHONPATH"] = str(EXAMPLES.parent)
    command = [sys.executable, "-m", "pipelines"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" in done.stderr
    assert "ConfigError: examples/demo.yaml: should be a readable YAML file" in done.stderr
