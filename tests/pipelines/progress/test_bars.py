"""Bars: on a terminal, with the time left; elsewhere, nothing at all."""

import io
import os
import re
import time

import pytest
from rich.console import Console

from pipelines.progress.bars import EPOCH_ROWS, Bars, amount_of
from pipelines.progress.task import FOLDER, State, Task
from pipelines.terminal import ComponentProgress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def _a_terminal_that_can_move_its_cursor(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv(FOLDER, raising=False)


def terminal(width=80):
    return Console(width=width, file=Terminal(), force_terminal=True)


def shown(console):
    return re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", console.file.getvalue())


def wait_for(text, console):
    end = time.monotonic() + 5
    while text not in shown(console) and time.monotonic() < end:
        time.sleep(0.05)
    assert text in shown(console)


@pytest.mark.parametrize("options", [{}, {"force_terminal": True}])
def test_a_pipe_has_no_bars_also_if_colours_are_forced(options):
    console = Console(file=io.StringIO(), **options)
    with Bars(console) as bars:
        bars.show("a", "working")
        assert FOLDER not in os.environ
    assert console.file.getvalue() == ""


def test_the_line_of_a_component_in_a_pipe_has_no_control_characters():
    console = Console(file=io.StringIO(), width=60)
    progress = ComponentProgress(console)
    progress("Trainer", "start")
    progress("Trainer", "end")
    assert re.fullmatch(r"  Trainer +0\.0 s +\d+\.\d GB\n", console.file.getvalue())


def test_a_task_is_shown_with_its_amount_and_the_environment_is_restored():
    console = terminal()
    with Bars(console) as bars:
        bars.show("LogExampleGen", "LogExampleGen ...")
        task = Task("reading", "bytes", 80e6)
        task.update(20e6)
        wait_for("20.0 of 80.0 MB", console)
        assert "LogExampleGen ..." in shown(console)
    assert FOLDER not in os.environ
    assert console.file.getvalue().endswith("\x1b[2K"), "the bars are removed from the terminal"


def test_the_time_left_follows_from_the_speed():
    console = terminal()
    with Bars(console, {"evaluating": 1000}):
        task = Task("evaluating", "rows")
        for done in (100, 200, 300):
            task.update(done)
            time.sleep(0.3)
        wait_for("00:02 left", console)
    assert "300 of 1,000 rows" in shown(console)


def test_an_epoch_is_divided_by_the_rows_that_are_known():
    bars = Bars(terminal(), {EPOCH_ROWS: 1000})
    state = bars._with_total(State("training", done=2, total=5, unit="epochs", part=250))
    assert state.done == 2.25
    assert amount_of(state) == "epoch 3/5"
    assert bars._with_total(State("training", done=2, total=5, unit="epochs", part=9000)).done == 3


def test_a_line_longer_than_the_terminal_is_continued():
    console = terminal(60)
    name = "a_run_with_a_name_of_many_characters_" * 3
    with Bars(console) as bars:
        bars.show("a", name, 1, 2, "1 of 2 runs")
        time.sleep(0.4)
    lines = [line for line in re.split(r"[\r\n]+", shown(console)) if line]
    assert max(map(len, lines)) <= 60
    assert "…" not in shown(console)
