"""Progress of one task, as a file that the process with the terminal reads.

A step does not know who looks: the process with the terminal names a folder in the environment, which workers of Beam
and subprocesses inherit. Without that folder, as in a log of CI or in a container, a task does nothing.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import time
import uuid
from typing import Any

FOLDER, TITLE = "TFMTL_PROGRESS", "TFMTL_PROGRESS_TITLE"
"""Environment variables of the folder, and of the title that a subprocess gives its tasks."""
INTERVAL = 0.25
"""Least number of seconds between two states that are written."""


@dataclasses.dataclass(frozen=True)
class State:
    """State of a task.

    Attributes:
        name: What is done.
        title: Title of the process; empty for none.
        done: Amount that is done.
        total: Amount in all; 0 if it is not known.
        unit: Unit of both, such as `bytes` or `rows`.
        part: Rows of the present epoch that are done, for a unit of epochs.
        note: Further words, such as a loss.
    """

    name: str
    title: str = ""
    done: float = 0.0
    total: float = 0.0
    unit: str = ""
    part: int = 0
    note: str = ""


class Task:
    """A task that reports its progress. It can be pickled; each copy reports its own part of the amount.

    Args:
        name: What is done, such as `reading`.
        unit: Unit of the amounts.
        total: Amount in all; 0 if it is not known.

    Example:
        >>> from pipelines.progress.task import Task
        >>> with Task("evaluating", "rows") as task:
        ...     task.update(8192)
    """

    def __init__(self, name: str, unit: str = "", total: float = 0.0):
        self._name, self._unit, self._total = name, unit, total
        self._last = 0.0
        self._path: pathlib.Path | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_path": None}

    def __enter__(self) -> "Task":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def is_due(self) -> bool:
        """True if someone looks, and the last state is old enough for another one."""
        return FOLDER in os.environ and time.monotonic() - self._last >= INTERVAL

    def update(self, done: float, part: int = 0, note: str = "", total: float | None = None) -> None:
        """Reports the amount that is done; a call shortly after the last one does nothing.

        Args:
            done: Amount that is done.
            part: Rows of the present epoch that are done.
            note: Further words.
            total: Amount in all, if it has become known.
        """
        self._total = self._total if total is None else total
        if not self.is_due:
            return
        self._last = time.monotonic()
        state = State(self._name, os.environ.get(TITLE, ""), done, self._total, self._unit, part, note)
        if self._path is None:
            self._path = pathlib.Path(os.environ[FOLDER], f"{uuid.uuid4().hex}.json")
        with contextlib.suppress(OSError):  # A folder that is gone, or on another machine, is no error of the step.
            staged = self._path.with_suffix(".new")
            staged.write_text(json.dumps(dataclasses.asdict(state)), encoding="utf-8")
            staged.replace(self._path)

    def end(self) -> None:
        """Removes the task from what is shown."""
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()
            self._path = None


def read_states(folder: pathlib.Path) -> list[State]:
    """Returns the states of all tasks. Parts of one task by several workers are added.

    Args:
        folder: Folder of the files.
    """
    merged: dict[tuple[str, str], State] = {}
    for path in sorted(folder.glob("*.json")):
        with contextlib.suppress(OSError, ValueError, TypeError):  # A task ends while it is read.
            state = State(**json.loads(path.read_text(encoding="utf-8")))
            key = (state.title, state.name)
            other = merged.get(key)
            done = state.done + (other.done if other else 0.0)
            merged[key] = dataclasses.replace(state, done=done)
    return list(merged.values())
