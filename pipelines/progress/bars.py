"""Bars on a terminal: those of tasks that report their progress, and lines of the program itself."""

import dataclasses
import os
import pathlib
import shutil
import tempfile
import threading
from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Task as Row
from rich.table import Column
from rich.text import Text

from pipelines.progress.task import FOLDER, INTERVAL, State, read_states

EPOCH_ROWS = "rows of an epoch"
"""Key of `Bars.totals` with the number of training rows, by which a bar moves within an epoch."""
_BAR_WIDTH = 12


def on_terminal(console: Console) -> bool:
    """Returns whether a console writes to a terminal, which `FORCE_COLOR` alone does not say.

    Args:
        console: The console.
    """
    return console.file.isatty() and not console.is_dumb_terminal


class Bars:
    """Shows tasks and lines at the bottom of a terminal until it is stopped. Elsewhere, it shows nothing.

    Args:
        console: Console to write to.
        totals: Amounts of tasks by name, where the program knows more than the step.
    """

    def __init__(self, console: Console, totals: Mapping[str, float] | None = None):
        self.totals: dict[str, float] = dict(totals or {})
        self._console = console
        self._progress: Progress | None = None
        self._rows: dict[tuple[str, str], TaskID] = {}
        self._lines: dict[str, TaskID] = {}

    def __enter__(self) -> "Bars":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begins to show the tasks of this process and of those that it starts."""
        if self._progress is not None or not on_terminal(self._console):
            return
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="tfmtl_progress_"))
        self._before = os.environ.get(FOLDER)
        os.environ[FOLDER] = str(self._folder)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", table_column=Column(overflow="fold")),
            _Bar(bar_width=_BAR_WIDTH),
            TextColumn("{task.fields[amount]}", table_column=Column(overflow="fold")),
            _TimeLeft(compact=True),
            console=self._console,
            transient=True,
            refresh_per_second=4,
        )
        self._progress.start()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._poll, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Removes all bars from the terminal."""
        if self._progress is None:
            return
        self._ended.set()
        self._thread.join()
        self._progress.stop()
        self._progress = None
        self._rows, self._lines = {}, {}
        if self._before is None:
            os.environ.pop(FOLDER, None)
        else:
            os.environ[FOLDER] = self._before
        shutil.rmtree(self._folder, ignore_errors=True)

    def show(
        self, key: str, text: str, done: float | None = None, total: float | None = None, amount: str = ""
    ) -> None:
        """Shows a line of the program, with a bar if it has an amount.

        Args:
            key: Key of the line, by which it is replaced or removed.
            text: The line.
            done: Amount that is done.
            total: Amount in all.
            amount: Words behind the bar.
        """
        if self._progress is None:
            return
        values = {"completed": done or 0, "total": total, "amount": escape(amount), "has_bar": done is not None}
        if key in self._lines:
            self._progress.update(self._lines[key], description=escape(text), **values)  # type: ignore[arg-type]
        else:
            self._lines[key] = self._progress.add_task(escape(text), **values)  # type: ignore[arg-type]

    def remove(self, key: str) -> None:
        """Removes a line.

        Args:
            key: Its key.
        """
        if self._progress is not None and key in self._lines:
            self._progress.remove_task(self._lines.pop(key))

    def _poll(self) -> None:
        while not self._ended.wait(INTERVAL):
            self._update(read_states(self._folder))

    def _update(self, states: list[State]) -> None:
        assert self._progress is not None
        shown = {(state.title, state.name): self._with_total(state) for state in states}
        for key in self._rows.keys() - shown.keys():
            self._progress.remove_task(self._rows.pop(key))
        for key, state in shown.items():
            text = f"{state.title}: {state.name}" if state.title else f"  {state.name}"
            if key not in self._rows:
                self._rows[key] = self._progress.add_task(escape(text), total=None, amount="", has_bar=True)
            total = state.total or None
            self._progress.update(self._rows[key], completed=state.done, total=total, amount=escape(amount_of(state)))

    def _with_total(self, state: State) -> State:
        done, rows = state.done, self.totals.get(EPOCH_ROWS)
        if state.part and rows:
            done += min(1.0, state.part / rows)
        return dataclasses.replace(state, done=done, total=state.total or self.totals.get(state.name, 0.0))


def amount_of(state: State) -> str:
    """Returns the amount of a task in words.

    Args:
        state: State of the task.

    Example:
        >>> from pipelines.progress.bars import amount_of
        >>> from pipelines.progress.task import State
        >>> amount_of(State("reading", done=12_300_000, total=80_000_000, unit="bytes"))
        '12.3 of 80.0 MB'
        >>> amount_of(State("training", done=1.25, total=5, unit="epochs", note="loss 0.5"))
        'epoch 2/5, loss 0.5'
    """
    done, total = state.done, state.total
    if state.unit == "bytes":
        text = f"{done / 1e6:,.1f} of {total / 1e6:,.1f} MB"
    elif state.unit == "epochs":
        text = f"epoch {min(int(done) + 1, int(total) or int(done) + 1)}/{int(total)}"
    else:
        text = f"{done:,.0f} of {total:,.0f} {state.unit}" if total else f"{done:,.0f} {state.unit}"
    return f"{text}, {state.note}" if state.note else text


class _Bar(BarColumn):
    """Bar of a row that has an amount."""

    def render(self, task: Row) -> "ProgressColumn | Text":  # type: ignore[override]
        return super().render(task) if task.fields["has_bar"] else Text()  # type: ignore[return-value]


class _TimeLeft(TimeRemainingColumn):
    """Time left of a row whose amount in all is known."""

    def render(self, task: Row) -> Text:
        if not task.fields["has_bar"] or task.total is None or task.time_remaining is None:
            return Text()
        return Text.assemble(super().render(task), " left")
