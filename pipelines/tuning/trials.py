"""Trials of a search and their folder, from which an interrupted search continues."""

import contextlib
import dataclasses
import json
import math
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from transforms.storage.atomic import atomic_file
from transforms.storage.locks import exclusive_lock

_LOCK = ".lock"

TRIALS = "trials"
"""Name of the folder of all searches in the folder of a run."""
Status = Literal["finished", "stopped", "failed"]
"""End of a trial: by early stopping or its last epoch, by the median rule, or by an error."""


@dataclasses.dataclass(frozen=True)
class Trial:
    """A trial that has ended.

    Attributes:
        number: Number of the trial, from 1. The first trial has the settings as they are.
        values: Values that it tried, by hyper-parameter.
        status: End of the trial.
        metric: Best value of the objective; None if the trial failed.
        epoch: Epoch of this value, from 1; None if the trial failed.
        history: Metrics by name and epoch.
        options: Options of the model.
        training: Training settings.
        seconds: Seconds of the trial, the start of its process included.
        code: Hash of the code that ran it.
        error: Reason of the failure.
    """

    number: int
    values: Mapping[str, Any]
    status: Status
    metric: float | None
    epoch: int | None
    history: Mapping[str, Sequence[float]]
    options: Mapping[str, Any]
    training: Mapping[str, Any]
    seconds: float
    code: str
    error: str = ""

    @property
    def epochs(self) -> int:
        """Number of epochs."""
        return max((len(values) for values in self.history.values()), default=0)


def locked_trials(root: pathlib.Path) -> contextlib.AbstractContextManager[None]:
    """Returns a context manager in which no other search uses the trials of a folder.

    Args:
        root: Folder of the run.

    Raises:
        ConfigError: If another search uses them.
    """
    return exclusive_lock(root / TRIALS / _LOCK, f"{root} should be used by one search at a time")


class TrialFolder:
    """Folder with a JSON file for each trial of a search, and the log of each trial that failed.

    Args:
        root: Path of the folder; it is created if it does not exist.
    """

    def __init__(self, root: pathlib.Path):
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def load(self, limit: int) -> list[Trial]:
        """Reads the first trials, up to the first number that is missing.

        Args:
            limit: Maximum number of trials.
        """
        trials: list[Trial] = []
        while len(trials) < limit and (path := self._path(len(trials) + 1)).exists():
            trials.append(Trial(**json.loads(path.read_text(encoding="utf-8"))))
        return trials

    def save(self, trial: Trial, output: str = "") -> None:
        """Writes a trial and waits until it is on the disk.

        Args:
            trial: The trial.
            output: Text that it printed, which is kept if it failed.
        """
        log = self.log(trial.number)
        log.unlink(missing_ok=True)
        if trial.status == "failed":
            log.write_text(output, encoding="utf-8")
        plain = {**dataclasses.asdict(trial), "history": _finite(trial.history)}
        with atomic_file(self._path(trial.number)) as temporary, open(temporary, "w", encoding="utf-8") as file:
            json.dump(plain, file, indent=1, allow_nan=False)
            file.flush()
            os.fsync(file.fileno())

    def log(self, number: int) -> pathlib.Path:
        """Returns the path of the text that a failed trial printed.

        Args:
            number: Number of the trial.
        """
        return self.root / f"trial-{number:04d}.log"

    def _path(self, number: int) -> pathlib.Path:
        return self.root / f"trial-{number:04d}.json"


def _finite(history: Mapping[str, Sequence[float]]) -> dict[str, list[float | None]]:
    """Replaces NaN and infinity, which JSON does not have, by None."""
    return {name: [value if math.isfinite(value) else None for value in values] for name, values in history.items()}
