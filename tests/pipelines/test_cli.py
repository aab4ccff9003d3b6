"""The command line: help, exit codes, and the commands that need no pipeline run."""

import csv
import os
import pathlib
import subprocess
import sys

import pytest
from click.testing import CliRunner

from pipelines.cli import main

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"
COMMANDS = ["simulate", "ingest", "run", "compare", "compile", "models", "serve", "predict"]


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
    assert "mmoe" in result.output
    assert "Multi-gate" in result.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", EXAMPLES / "movielens.yaml"], "data.path should be the folder of the raw log"),
        (["run", EXAMPLES / "movielens.yaml", "--data", "not/there"], "Received: 'not/there'"),
        (["simulate", EXAMPLES / "movielens.yaml", "--out", "x"], "simulator: should be given"),
    ],
)
def test_wrong_settings_end_with_code_2_and_one_line(words, message):
    result = invoke(*words)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output


def test_the_console_script_ends_with_the_commands_code(tmp_path):
    """`run_program` ends the process itself; its exit code and output have to survive that."""
    command = [sys.executable, "-c", "from pipelines.cli import program; program()"]
    path = tmp_path / "wrong.yaml"
    path.write_text("name: 1\n")
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent)}
    wrong = subprocess.run([*command, "run", str(path)], capture_output=True, text=True, env=environment)
    assert wrong.returncode == 2
    assert "wrong.yaml:1: spec: should be given: Settings requires it" in wrong.stderr
    good = subprocess.run([*command, "models", "--help"], capture_output=True, text=True, env=environment)
    assert good.returncode == 0
    assert "List the models" in good.stdout


def test_the_demonstration_prints_its_own_lines_alone(tmp_path):
    """In a folder without its settings, so that it ends soon; what it imports has been by then."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(EXAMPLES.parent),
        "PYTHONWARNINGS": "ignore",
        "GRPC_VERBOSITY": "ERROR",
    }
    command = [sys.executable, "-m", "pipelines"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("Traceback")
    assert "ConfigError: examples/demo.yaml: should be a readable YAML file" in done.stderr
