"""Completion of commands, models, settings files and run folders, by click and by a shell."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.output.completion import SHELLS
from tests.pipelines.test_light_commands import HEAVY

ROOT = pathlib.Path(__file__).parents[3]


def completed(*words):
    """Values to which the last word completes."""
    shell = ShellComplete(main, {}, "tfmtl", "_TFMTL_COMPLETE")
    return [item.value for item in shell.get_completions(list(words[:-1]), words[-1])]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.yaml").touch()
    (tmp_path / "shop.csv").touch()
    (tmp_path / "settings").mkdir()
    (tmp_path / "settings/ads.yml").touch()
    (tmp_path / "runs/shop").mkdir(parents=True)
    (tmp_path / "runs/shop/metadata.sqlite").touch()
    (tmp_path / "runs/other").mkdir()
    return tmp_path


def test_commands_options_and_models():
    assert completed("comp") == ["compare", "compile", "completion"]
    assert "--json" in completed("runs", "list", "--")
    assert completed("models", "mm") == ["mmoe"]


def test_settings_files_and_the_folders_on_the_way(folder):
    assert completed("run", "s") == ["settings/", "shop.yaml"]
    assert completed("run", "settings/") == ["settings/ads.yml"]
    assert completed("compare", "shop.yaml", "settings/a") == ["settings/ads.yml"]
    assert completed("run", "missing/") == []


def test_run_folders(folder):
    assert completed("runs", "list", "sh") == ["shop", "shop.yaml"]
    assert completed("rollback", "o") == []


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_says_where_it_goes(shell):
    text = CliRunner().invoke(main, ["completion", shell]).stdout
    assert f"write this text to {SHELLS[shell]}." in text
    assert "_TFMTL_COMPLETE" in text
    assert text.startswith("#compdef" if shell == "zsh" else "#")


def test_bash_completes_with_the_script(folder):
    """The function of the script is called as bash calls it, with a program `tfmtl` on the path."""
    (folder / "bin").mkdir()
    program = folder / "bin/tfmtl"
    code = 'from pipelines.cli import main; main(prog_name="tfmtl")'
    program.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{code}'\n")
    program.chmod(0o755)
    (folder / "script").write_text(CliRunner().invoke(main, ["completion", "bash"]).stdout)
    test = 'source ./script; COMP_WORDS=(tfmtl run sho); COMP_CWORD=2; _tfmtl_completion tfmtl; echo "${COMPREPLY[@]}"'
    path = f"{folder}/bin:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    bash = shutil.which("bash")
    done = subprocess.run([bash, "-c", test], cwd=folder, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "shop.yaml\n", done.stderr


@pytest.mark.parametrize("words", ["tfmtl run examples/", "tfmtl models m", "tfmtl runs list s", "tfmtl co"])
def test_completion_imports_nothing_heavy(words):
    program = """
import sys
from pipelines.cli import main
try:
    main(prog_name="tfmtl")
except SystemExit:
    print("modules:", *sys.modules)
"""
    count = str(len(words.split()) - 1)
    variables = {"_TFMTL_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": count}
    environment = {**os.environ, **variables, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    answers, _, modules = done.stdout.partition("modules:")
    assert answers.startswith("plain,")
    assert set(HEAVY) & set(modules.split()) == set()
    assert "rich.console" not in modules.split()
