"""Finished runs, one folder each: complete or not there."""

import contextlib
import dataclasses
import fcntl
import json
import os
import pathlib
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from pipelines.compare.jobs import Job
from tfmtl.config import ConfigError

RESULT, SCORES = "result.json", "scores.npz"
_UNFINISHED = ".unfinished-"


@dataclasses.dataclass(frozen=True)
class Result:
    """What a finished run measured.

    Attributes:
        job: what was run.
        code: the hash of the code that ran it.
        metrics: by split (`eval`, `test`), output and name; NaN where a metric is not defined.
        parameters, training_seconds, scoring_seconds, epochs, history: see `pipelines.compare.fitters.Fitted`.
        seconds: of the whole run, from its process's start to its end.
        rows: of the test split.
        scenarios: the metrics of the test split by output, scenario and name; see `pipelines.compare.metrics.scenarios`.
    """

    job: Job
    code: str
    metrics: Mapping[str, Mapping[str, Mapping[str, float]]]
    parameters: int
    training_seconds: float
    scoring_seconds: float
    epochs: int
    history: Mapping[str, list[float]]
    seconds: float
    rows: int
    scenarios: Mapping[str, Mapping[str, Mapping[str, float]]] = dataclasses.field(default_factory=dict)

    def to_json(self) -> str:
        """The text that `from_json` reads."""
        return json.dumps(dataclasses.asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Result":
        """The result of a text."""
        plain: dict[str, Any] = json.loads(text)
        return cls(**{**plain, "job": Job(**plain["job"])})


class RunStore:
    """The folder of the finished runs. A run is written in a folder of another name, which is renamed when it is whole.

    Args:
        root: of it all; made if it is not there.
        data: the fingerprint of the data of the runs.
        code: the hash of the code whose runs count; None lets those of any code count. What this store itself wrote
            counts in any case: the code may be edited while a comparison runs, which the table then says.
    """

    def __init__(self, root: pathlib.Path, data: str, code: str | None = None):
        self.root = root
        self.data = data
        self.code = code
        self._written: set[str] = set()
        root.mkdir(parents=True, exist_ok=True)

    def folder(self, job: Job) -> pathlib.Path:
        """Where a run is, once it is finished."""
        return self.root / job.key(self.data)

    def get(self, job: Job) -> Result | None:
        """The finished run; None if there is none that counts."""
        path = self.folder(job) / RESULT
        if not path.exists():
            return None
        result = Result.from_json(path.read_text(encoding="utf-8"))
        if self.code not in (None, result.code) and job.key(self.data) not in self._written:
            return None
        return dataclasses.replace(result, job=job)

    def scores(self, job: Job) -> dict[str, np.ndarray]:
        """The test scores of a finished run by output."""
        with np.load(self.folder(job) / SCORES) as arrays:
            return dict(arrays)

    @contextlib.contextmanager
    def writing(self, job: Job) -> Iterator[pathlib.Path]:
        """An empty folder for `write_run`; the run is kept if the `with` block ends without an error."""
        folder = self.root / f"{_UNFINISHED}{job.key(self.data)}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            yield folder
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        final = self.folder(job)
        if final.exists():  # Of other code. Renamed first, so that no moment has half a run under this name.
            old = self.root / f"{_UNFINISHED}old-{final.name}"
            shutil.rmtree(old, ignore_errors=True)
            final.rename(old)
            shutil.rmtree(old)
        folder.rename(final)
        self._written.add(job.key(self.data))


@contextlib.contextmanager
def exclusive_lock(root: pathlib.Path) -> Iterator[None]:
    """Inside the `with` block no other comparison runs in a store's folder; what an interrupted one left is removed.

    Args:
        root: of the store; made if it is not there.

    Raises:
        ConfigError: if another one runs.
    """
    root.mkdir(parents=True, exist_ok=True)
    with open(root / ".lock", "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(f"{root} should be of one comparison at a time. Received: another one") from error
        for folder in root.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(folder, ignore_errors=True)
        yield


def write_run(folder: pathlib.Path, result: Result, scores: Mapping[str, Any]) -> None:
    """Writes what `RunStore` reads, and has it on the disk before it returns."""
    np.savez_compressed(folder / SCORES, **scores)
    (folder / RESULT).write_text(result.to_json(), encoding="utf-8")
    for name in (SCORES, RESULT):
        with open(folder / name, "rb") as file:
            os.fsync(file.fileno())
