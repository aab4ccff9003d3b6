"""Two runs in one folder: the second one ends with exit code 2 and a line that names the first one."""

import os
import socket

import pytest
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.runners.run_lock import lock_run_folder
from tests.pipelines.runners.past_runs import PastRuns
from tests.pipelines.shop_log import write_shop


@pytest.mark.parametrize("command", ["run", "rollback", "clean"])
def test_a_folder_in_use_is_refused(tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    settings, log = write_shop(tmp_path)
    root = tmp_path / "runs/shop"
    PastRuns(root).day("2026-11-17T03:00:00")
    (root / "serving/shop").mkdir(parents=True)
    before = sorted(root.rglob("*"))
    words = {"run": ["--data", log], "rollback": [], "clean": ["--yes"]}[command]
    with lock_run_folder(root):
        result = CliRunner().invoke(main, [command, str(settings), *words])
    assert result.exit_code == 2
    (line,) = [line for line in result.output.splitlines() if line.startswith("Error: ")]
    assert line.startswith(f"Error: {root} should be used by one run at a time. Received: process {os.getpid()} on ")
    assert f"{socket.gethostname()}, since 20" in line
    assert [path for path in sorted(root.rglob("*")) if "lock" not in path.name] == before
