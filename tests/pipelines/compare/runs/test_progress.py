"""What a person sees while runs go on: what libraries print may look like rich's markup."""

import io

import pytest
from rich.console import Console

from pipelines.compare.runs.progress import RunLines
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
def test_what_looks_like_markup_is_shown_as_it_is(console, line):
    one = job("[/red]wide", 1)
    lines = RunLines(console, SPEC)
    lines.plan([one], [])
    lines.start(one)
    lines.line(one, line)
    lines.end(one, None, f"Traceback\n{line}\n")
    assert f"[/red]wide, seed 1 {'':9} failed: {line}\n" in console.file.getvalue()


def test_a_finished_run_has_a_line(console):
    data = columns()
    done = result("[/red]wide", 1, noisy(data, 2.0, 1), data)
    lines = RunLines(console, SPEC)
    lines.plan([done.job], [])
    lines.start(done.job)
    lines.end(done.job, done)
    assert "1/1  [/red]wide, seed 1" in console.file.getvalue()
    assert f"ctr {done.metrics['test']['ctr']['auc']:.4f}" in console.file.getvalue()
