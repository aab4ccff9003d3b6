"""Finished trials as lines of JSON, in a file that is committed beside the page of a comparison."""

import dataclasses
import json
import math
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from pipelines.compare.jobs import Job
from pipelines.compare.runs.result import Result
from tfmtl import config
from tfmtl.config import ConfigError

TRIALS = "trials.jsonl"


@dataclasses.dataclass(frozen=True)
class TrialRecord:
    """A finished trial.

    Attributes:
        key: Key of the trial: a hash of the data, the model, its options, the training settings, the seed and the share
            of rows and epochs. It does not depend on the code.
        row: Name of the row of the table.
        model: Name of the model.
        trial: Number of the trial, from 1.
        options: Options that differ from those of the row, by name.
        training: Training settings that differ from those of the row, by name.
        seed: Seed of the training.
        rows_fraction: Share of the training rows.
        max_epochs: Maximum number of epochs, if it is smaller than that of the training settings.
        monitor: Name of the metric by which trials are compared.
        value: Its value on the eval split, higher is better: the negative of a loss; None if the scores were not
            finite.
        metrics: Metrics on the eval split by output and name; None where one is not defined.
        epochs: Number of epochs.
        seconds: Seconds of the trial.
        code: Hash of the code that ran it.
        versions: Versions of the libraries that ran it.
    """

    key: str
    row: str
    model: str
    trial: int
    options: Mapping[str, Any]
    training: Mapping[str, Any]
    seed: int
    rows_fraction: float
    max_epochs: int | None
    monitor: str
    value: float | None
    metrics: Mapping[str, Mapping[str, float | None]]
    epochs: int
    seconds: float
    code: str
    versions: Mapping[str, str]

    def eval_metrics(self) -> dict[str, dict[str, float]]:
        """Returns the metrics by output and name; NaN where one is not defined."""
        return {
            output: {name: math.nan if value is None else value for name, value in metrics.items()}
            for output, metrics in self.metrics.items()
        }


def make_record(
    job: Job, data: str, result: Result, monitor: tuple[str, float], changed: Mapping[str, Any]
) -> TrialRecord:
    """Creates the record of a finished trial.

    Args:
        job: Job of the trial.
        data: Fingerprint of the data.
        result: Result of the trial.
        monitor: Name of the monitor, and its value.
        changed: Values that differ from the row's settings, by hyper-parameter.
    """
    parts: dict[str, dict[str, Any]] = {"options": {}, "training": {}}
    for name, value in changed.items():
        part, _, field = name.partition(".")
        parts[part][field] = value
    metrics = result.metrics.get("eval", {})
    return TrialRecord(
        key=job.key(data),
        row=job.row,
        model=job.model,
        trial=int(job.trial or 0) + 1,
        **parts,
        seed=job.seed,
        rows_fraction=job.rows_fraction,
        max_epochs=job.max_epochs,
        monitor=monitor[0],
        value=_finite(monitor[1]),
        metrics={output: {name: _finite(one) for name, one in values.items()} for output, values in metrics.items()},
        epochs=result.epochs,
        seconds=round(result.seconds, 1),
        code=result.code,
        versions=dict(result.versions),
    )


class TrialRecords:
    """File of finished trials. Lines are only appended; of several with one key, the first one counts.

    A line that an interrupted writer has not completed is left out, and removed by the next `add`.

    Args:
        path: Path of the file, which need not exist; None keeps the records in memory.

    Attributes:
        note: Sentence about an incomplete last line; empty if there is none.

    Raises:
        ConfigError: If a line is not a record; the message names file and line.
    """

    def __init__(self, path: pathlib.Path | None = None):
        self.note = ""
        self._path = path
        self._records: dict[str, TrialRecord] = {}
        self._incomplete_tail = b""
        text = path.read_bytes() if path is not None and path.exists() else b""
        lines = text.split(b"\n")
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            if number == len(lines) and line.startswith(b"{") and not _is_json(line):
                self._incomplete_tail = line
                self.note = f"{path}:{number}: an incomplete last line is ignored; its trial runs again if it is needed"
                continue
            record = _read(line, f"{path}:{number}")
            self._records.setdefault(record.key, record)
        self._needs_newline = bool(lines[-1]) and not self._incomplete_tail

    def get(self, key: str) -> TrialRecord | None:
        """Returns the record of a trial, or None if there is none.

        Args:
            key: Key of the trial.
        """
        return self._records.get(key)

    def add(self, record: TrialRecord) -> None:
        """Appends a record, and waits until it is on the disk.

        Args:
            record: Record of a trial that the file does not have.
        """
        self._records[record.key] = record
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps(dataclasses.asdict(record), allow_nan=False).encode() + b"\n"
        descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            if self._incomplete_tail:
                os.ftruncate(descriptor, os.fstat(descriptor).st_size - len(self._incomplete_tail))
            os.write(descriptor, b"\n" + line if self._needs_newline else line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._incomplete_tail, self._needs_newline = b"", False


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _read(line: bytes, place: str) -> TrialRecord:
    try:
        plain = json.loads(line)
    except ValueError as error:
        shown = line.decode(errors="replace")[:60]
        raise ConfigError(
            f"{place}: should be a JSON object, as `tfmtl compare` writes it. Received: {shown}"
        ) from error
    try:
        record: TrialRecord = config.build(TrialRecord, config.Document({"trial": plain}), ("trial",))
    except ConfigError as error:
        raise ConfigError(f"{place}: {error}") from error
    return record


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
