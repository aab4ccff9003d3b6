"""Options of every command: `-v`, `-q`, `--color` and `--json`."""

import json
import os
import pathlib
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from pipelines.cli import main

ROOT = pathlib.Path(__file__).parents[3]
WITHOUT_RESULT = {"serve", "completion"}


def commands(group, names=()):
    """Pairs of the words of each command and the command."""
    for name, one in group.commands.items():
        if isinstance(one, click.Group):
            yield from commands(one, (*names, name))
        else:
            yield (*names, name), one


def options(command):
    return {option for parameter in command.params for option in parameter.opts}


@pytest.mark.parametrize("words", [words for words, _ in commands(main)], ids=" ".join)
def test_every_command_has_the_options(words):
    command = dict(commands(main))[words]
    assert {"-v", "-q", "--color"} <= options(command)
    assert ("--json" in options(command)) == (words[-1] not in WITHOUT_RESULT)


@pytest.mark.parametrize("words", [["-q", "models"], ["models", "-q"]])
def test_quiet_before_or_after_the_command(words):
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0
    assert "mmoe" in result.stdout
    assert "tfmtl models NAME" not in result.output


@pytest.mark.parametrize("words", [["-v", "models"], ["models", "-v"], ["-v", "models", "-v"]])
def test_verbose_before_or_after_the_command(words):
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0
    assert "tfmtl models: " in result.stderr


def test_quiet_and_verbose_exclude_each_other():
    result = CliRunner().invoke(main, ["-q", "models", "-v"])
    assert result.exit_code == 2
    assert "--quiet should be given without --verbose" in result.stderr


def test_json_of_the_models_is_what_the_tables_show():
    listed = json.loads(CliRunner().invoke(main, ["models", "--json"]).stdout)["models"]
    table = CliRunner().invoke(main, ["models"]).stdout
    assert all(one["name"] in table and one["class"] in table for one in listed)
    mmoe = json.loads(CliRunner().invoke(main, ["models", "mmoe", "--json"]).stdout)
    assert [one["name"] for one in mmoe["options"]] == ["num_experts", "expert_units", "tower_units", "dropout"]
    assert mmoe["options"][1]["default"] == [64]
    assert mmoe["options"][1]["in_python"] == [256, 128]


def test_errors_with_json_are_lines_on_stderr():
    result = CliRunner().invoke(main, ["models", "mmoee", "--json"])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Did you mean `mmoe`?" in result.stderr


def colours(*words, **environment):
    """Returns whether the output of a command in a pipe has control characters."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    program = [sys.executable, "-c", "from pipelines.cli import program; program()", *words]
    environment = {**inherited, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **environment}
    done = subprocess.run(program, cwd=ROOT, env=environment, capture_output=True, check=True)
    return b"\x1b[" in done.stdout


def test_colours_follow_the_environment_and_the_option():
    assert not colours("models", "mmoe")
    assert colours("models", "mmoe", FORCE_COLOR="1")
    assert not colours("models", "mmoe", "--color", "never", FORCE_COLOR="1")
    assert colours("models", "mmoe", "--color", "always")
