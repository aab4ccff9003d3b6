"""Progress lines on the terminal, in which the output of libraries may look like markup."""

import dataclasses
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


class Terminal(io.StringIO):
    """File that says it is a terminal, to which bars are drawn."""

    def isatty(self):
        return True


@pytest.fixture
def console():
    return Console(width=200, force_terminal=True, color_system=None, file=Terminal())


def shown(progress):
    """Returns the lines at the bottom of the terminal."""
    rows = progress._bars._progress
    return [] if rows is None else [task.description for task in rows.tasks]


@pytest.mark.parametrize("line", LINES)
def test_prints_markup_like_output_unchanged(console, line):
    one = job("[/red]wide", 1)
    progress = RunProgress(console, SPEC)
    progress.plan([one], {})
    progress.start(one)
    progress.line(one, line)
    progress.end(one, None, f"Traceback\n{line}\n")
    assert f"[/red]wide, seed 1 {'':9} failed: {line}\n" in console.file.getvalue()


def test_prints_a_line_for_a_finished_run(console):
    data = columns()
    done = result("[/red]wide", 1, noisy(data, 2.0, 1), data)
    progress = RunProgress(console, SPEC)
    progress.plan([done.job], {})
    progress.start(done.job)
    progress.end(done.job, done)
    assert "1/1  [/red]wide, seed 1" in console.file.getvalue()
    assert f"ctr {done.metrics['test']['ctr']['auc']:.4f}" in console.file.getvalue()


def test_shows_all_running_jobs_and_divides_the_remaining_time(console):
    jobs = [job("wide", seed) for seed in (1, 2, 3)]
    data = columns()
    done = result("wide", 1, noisy(data, 2.0, 1), data)
    progress = RunProgress(console, SPEC, at_a_time=2)
    progress.plan(jobs, {job("wide", 9): 60.0})
    assert "4 runs, 1 of them finished before  about 90 s left" in console.file.getvalue()
    progress.start(jobs[0])
    progress.start(jobs[1])
    progress.line(jobs[0], "epoch 1")
    assert shown(progress) == ["all runs", "wide, seed 1: epoch 1", "wide, seed 2 ..."]
    progress.end(jobs[0], done)
    assert shown(progress) == ["all runs", "wide, seed 2 ..."]
    progress.end(jobs[1], None, "killed")
    assert shown(progress) == []
    assert "2/4  wide, seed 1" in console.file.getvalue()


def test_shows_the_metrics_of_a_trial_on_the_eval_split(console):
    data = columns()
    done = result("wide", 1, noisy(data, 2.0, 1), data)
    trial = dataclasses.replace(done.job, trial=4, seed=0, rows_fraction=1 / 9)
    evaluated = dataclasses.replace(done, job=trial, metrics={"eval": done.metrics["eval"]})
    progress = RunProgress(console, SPEC)
    progress.plan([trial], {})
    progress.start(trial)
    progress.end(trial, evaluated)
    progress.start(trial)
    progress.end(trial, dataclasses.replace(evaluated, metrics={}))
    printed = console.file.getvalue()
    assert "1 trial on 11 % of the rows" in printed
    assert f"wide, trial 5 (11 %) {'':10} 0.0 s  eval ctr {done.metrics['eval']['ctr']['auc']:.4f}" in printed
    assert "0.0 s  its scores are not finite" in printed
