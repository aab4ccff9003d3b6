"""Runs of a folder, oldest first, as ML Metadata has them."""

import dataclasses
import datetime
import pathlib
from collections.abc import Mapping
from typing import Any

from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipelines.runners.history.record import FINISHED, INTERRUPTED, RUNNING, Record, read_record
from pipelines.runners.history.runs_html import runs_html
from pipelines.runners.lineage import Run, read_run
from pipelines.runners.metadata_store import DATABASE, open_store, run_contexts
from pipelines.runners.run_lock import lock_run_folder
from tfmtl.config import ConfigError

KILLED = "killed"
"""Status of a run that has neither ended nor is running."""
_SPAN_STEP = "LogExampleGen_"
_TITLES = {"auc": "AUC", "gini": "Gini", "nmae": "NMAE"}
_MODELS = {"warm_start_model": "started_from", "latest_blessed_model": "compared_with"}


@dataclasses.dataclass(frozen=True)
class PastRun:
    """Run of a folder.

    Attributes:
        number: Number of the run in its folder, from 1.
        id: Its id in ML Metadata, the time of its start.
        started: Time of its start in ISO format.
        record: What was recorded; of a run of an earlier version, what follows from its artifacts.
        steps: `cached`, or `run`, by name of the component, in the order in which they ended.
        started_from: Number of the run whose model the training started from; None for random weights.
        compared_with: Number of the run whose model was the baseline; None for none.
    """

    number: int
    id: str
    started: str
    record: Record
    steps: Mapping[str, str]
    started_from: int | None = None
    compared_with: int | None = None

    @property
    def result(self) -> str:
        """Result of the run: `pushed`, `not pushed`, `refused`, `no model`, or its status if it did not finish."""
        if self.record.status != FINISHED:
            return self.record.status
        if self.record.blessed is None:
            return "no model"
        if not self.record.blessed:
            return "refused"
        return "pushed" if self.record.pushed_version else "not pushed"

    @property
    def data(self) -> str:
        """First and last span of the log, `day=1 to day=7`; empty for a log without spans."""
        return " to ".join(dict.fromkeys((*self.record.spans[:1], *self.record.spans[-1:])))

    @property
    def main_metrics(self) -> list[str]:
        """Main metric of each output on the test split as text: its AUC, the NMAE of a count, the Gini of a value."""
        found = []
        for output, metrics in self.record.metrics.items():
            name = next((name for name in _TITLES if name in metrics), None)
            if name:
                found.append(f"{output} {_TITLES[name]} {metrics[name]:.4f}")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Returns all attributes and `result` as plain data."""
        return {**dataclasses.asdict(self), "result": self.result}


class RunHistory(list[PastRun]):
    """Runs of a folder, oldest first, which a notebook shows as a table."""

    def _repr_html_(self) -> str:
        return runs_html(self)


def read_runs(folder: pathlib.Path) -> RunHistory:
    """Returns the runs of a folder, oldest first.

    Args:
        folder: Run folder.

    Raises:
        FileNotFoundError: If the folder has no store of ML Metadata.
    """
    store = open_store(folder / DATABASE)
    contexts = run_contexts(store)
    runs = [read_run(store, context) for context in contexts]
    trained: dict[int, int] = {}
    for number, run in enumerate(runs, 1):
        for model in _models(run, "Trainer"):
            trained.setdefault(model, number)
    busy = bool(contexts) and _is_locked(folder)
    return RunHistory(
        _past_run(number, context, run, trained, busy and number == len(runs))
        for number, (context, run) in enumerate(zip(contexts, runs, strict=True), 1)
    )


def find_run(runs: list[PastRun], asked: str) -> PastRun:
    """Returns the run of a number or id.

    Args:
        runs: Runs of a folder.
        asked: Number, id or beginning of an id.

    Raises:
        ConfigError: If there is no such run, or several.
    """
    found = [run for run in runs if asked == str(run.number)] or [run for run in runs if run.id.startswith(asked)]
    if len(found) != 1:
        expected = f"ID should be the number of a run, 1 to {len(runs)}, or the beginning of one id"
        raise ConfigError(f"{expected}. Received: {asked}")
    return found[0]


def _past_run(number: int, context: mlmd.Context, run: Run, trained: Mapping[int, int], running: bool) -> PastRun:
    record = read_record(context) or _derived_record(run)
    if record.status == RUNNING and not running:
        record = dataclasses.replace(record, status=KILLED)
    started = datetime.datetime.fromtimestamp(context.create_time_since_epoch / 1000).astimezone()
    steps = {name: "cached" if step.cached else "run" for name, step in run.steps.items() if name not in _MODELS}
    origins = {
        field: next((trained[model] for model in _models(run, step) if model in trained), None)
        for step, field in _MODELS.items()
    }
    return PastRun(number, context.name, started.isoformat(" ", "seconds"), record, steps, **origins)


def _derived_record(run: Run) -> Record:
    """Returns what the artifacts of a run say, of which an earlier version of the package kept no record."""
    spans = tuple(name.removeprefix(_SPAN_STEP) for name in run.steps if name.startswith(_SPAN_STEP))
    blessed = run.blessed if run.steps.get("Evaluator") and run.steps["Evaluator"].outputs.get("blessing") else None
    ended = "Pusher" in run.steps
    return Record(FINISHED if ended else INTERRUPTED, spans=spans, blessed=blessed, pushed_version=run.pushed_version)


def _models(run: Run, step: str) -> list[int]:
    return [model.id for model in run.steps[step].outputs.get("model", [])] if step in run.steps else []


def _is_locked(folder: pathlib.Path) -> bool:
    try:
        with lock_run_folder(folder):
            return False
    except ConfigError:
        return True
    except OSError:  # A folder that cannot be written.
        return False
