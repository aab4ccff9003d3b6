"""Progress lines on the terminal, in which the output of libraries may look like markup."""

import io

import pytest
from rich.console import Console

from pipelines.compare.runs.progress import RunProgress
from tests.pipelines.compare.cases import SPEC, columns, job, noisy, result

LINES = [
    "Could not satisfy device specification. All available devices [/job:localhost/replica:0/task:0/device:CPU:0].",
    "TypeError: x [[{{node a}}]] [Op:Cast]",
    "[/home/x.py:3]",
    "[bold]",
]


@pytest.fixture
def console():
    return Console(width=200, force_terminal=True, color_system=None, file=io.StringIO())


@pytest.mark.parametrize("line", LINES)
def test_prints_markup_like_output_unchanged(console, line):
    one = job("[/red]wide", 1)
    progress = RunProgress(console, SPEC)
    progress.plan([one], [])
    progress.start(one)
    progress.line(one, line)
    progress.end(one, None, f"Traceback\n{line}\n")
    assert f"[/red]wide, seed 1 {'':9} failed: {line}\n" in console.file.getvalue()


def test_prints_a_line_for_a_finished_run(console):
    data = columns()
    done = result("[/red]wide", 1, noisy(data, 2.0, 1), data)
    progress = RunProgress(console, SPEC)
    progress.plan([done.job], [])
    progress.start(done.job)
    progress.end(done.job, done)
    assert "1/1  [/red]wide, seed 1" in console.file.getvalue()
    assert f"ctr {done.metrics['test']['ctr']['auc']:.4f}" in console.file.getvalue()
