"""Result of a finished run, and the files in which it is kept."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from pipelines.compare.fitters import present_options
from pipelines.compare.jobs import Job
from pipelines.compare.metrics.evaluate import Metrics
from pipelines.compare.metrics.scenarios import ScenarioMetrics
from tfmtl.health import Health

RESULT, SCORES = "result.json", "scores.npz"


@dataclasses.dataclass(frozen=True)
class Result:
    """Measurements of a finished run.

    Attributes:
        job: The job that was run.
        code: Hash of the code that ran it.
        metrics: Metrics by split (`eval`, `test`), output and name; NaN where a metric is not defined. A trial has none
            of the test split, and no metrics at all if its scores are not finite.
        parameters: Number of learned numbers.
        training_seconds: Seconds of training, validation included.
        scoring_seconds: Seconds of scoring the test split, with its features in memory; of a trial, the eval split.
        epochs: Number of epochs.
        history: Training and validation metrics by name and epoch.
        seconds: Seconds of the whole run.
        rows: Number of rows of that split.
        scenarios: Metrics of the test split by output, scenario and name.
        health: Health of the model's mechanisms; empty for a model without any, and for a run of older code.
        versions: Versions of the libraries that trained it.
        threads: Number of threads with which it computed; 0 for one for each core.
    """

    job: Job
    code: str
    metrics: Mapping[str, Metrics]
    parameters: int
    training_seconds: float
    scoring_seconds: float
    epochs: int
    history: Mapping[str, list[float]]
    seconds: float
    rows: int
    scenarios: ScenarioMetrics = dataclasses.field(default_factory=dict)
    health: tuple[Health, ...] = ()
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    threads: int = 0

    def to_plain(self) -> dict[str, Any]:
        """Returns the result as plain data."""
        return {**dataclasses.asdict(self), "health": [health.to_plain() for health in self.health]}

    def to_json(self) -> str:
        """Returns the JSON text that `from_json` reads."""
        return json.dumps(self.to_plain(), indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Result":
        """Creates the result from the text of `to_json`; former names of options are replaced by their present ones.

        Args:
            text: JSON text.
        """
        plain: dict[str, Any] = json.loads(text)
        job = Job(**plain["job"])
        job = dataclasses.replace(job, options=present_options(job.model, job.options))
        health = tuple(Health.from_plain(one) for one in plain.get("health", ()))
        return cls(**{**plain, "job": job, "health": health})


def write_run(folder: pathlib.Path, result: Result, scores: Mapping[str, Any] | None) -> None:
    """Writes a finished run and waits until it is on the disk.

    Args:
        folder: Folder to write to.
        result: Measurements of the run.
        scores: Test scores by output, `(rows,)`; None for a trial.
    """
    if scores is not None:
        np.savez_compressed(folder / SCORES, **scores)
    (folder / RESULT).write_text(result.to_json(), encoding="utf-8")
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
