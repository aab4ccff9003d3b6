"""Loop of a search: proposes, runs and keeps one trial after another, and continues an interrupted search."""

import json
import pathlib
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from pipelines.prepared.prepared import Prepared
from pipelines.search.median_rule import median_thresholds
from pipelines.search.proposals import Tried, propose
from pipelines.search.space import OPTIONS, TRAINING, with_drawn_values
from pipelines.tuning.plan import SearchPlan
from pipelines.tuning.request import TrialRequest, trial_code_hash
from pipelines.tuning.trials import Trial, TrialFolder
from pipelines.worker_process import RunWorker, run_worker

Execute = Callable[[TrialRequest, Callable[[str], object]], tuple[dict[str, Any], str]]
"""Runs a trial; returns the fields of its outcome and the text that it printed. The second argument is called with each
line of that text."""


class SearchObserver(Protocol):
    """Receives the events of a search."""

    def start(self, number: int) -> None:
        """Called when a trial starts.

        Args:
            number: Number of the trial, from 1.
        """

    def line(self, text: str) -> None:
        """Called when the trial prints a line.

        Args:
            text: The line.
        """

    def end(self, trial: Trial) -> None:
        """Called when a trial has ended, and for each trial that ended before the search was interrupted.

        Args:
            trial: The trial.
        """


def search(
    plan: SearchPlan, fingerprint: str, folder: TrialFolder, trials: int, execute: Execute, observer: SearchObserver
) -> list[Trial]:
    """Runs the trials that the folder does not have. The first one has the settings as they are.

    Args:
        plan: Plan of the search.
        fingerprint: Fingerprint of the data.
        folder: Folder of the trials.
        trials: Number of trials, those included that the folder has.
        execute: Function that runs a trial.
        observer: Receives the events.

    Returns:
        All trials; fewer than `trials` if the space has no more settings.
    """
    done = folder.load(trials)
    for trial in done:
        observer.end(trial)
    while len(done) < trials:
        values = propose(plan.space, _tried(plan, done), plan.seed, plan.method) if done else plan.given
        if values is None:
            break
        number = len(done) + 1
        drawn = values if done else {}
        options = with_drawn_values(plan.options, drawn, OPTIONS)
        training = with_drawn_values(plan.training, drawn, TRAINING)
        request = TrialRequest(
            plan.settings.model.name, options, training, plan.maximize, _thresholds(plan, done), fingerprint
        )
        observer.start(number)
        start = time.perf_counter()
        outcome, output = execute(request, observer.line)
        seconds = time.perf_counter() - start
        trial = Trial(number=number, values=values, options=options, training=training, seconds=seconds, **outcome)
        folder.save(trial, output)
        done.append(trial)
        observer.end(trial)
    return done


def ranked(plan: SearchPlan, trials: Sequence[Trial]) -> list[Trial]:
    """Returns the trials that have not failed, the best one first.

    Args:
        plan: Plan of the search.
        trials: Trials of the search.
    """
    sign = _sign(plan)
    return sorted((one for one in trials if one.metric is not None), key=lambda one: -sign * (one.metric or 0.0))


def in_worker(prepared: Prepared, run: RunWorker = run_worker) -> Execute:
    """Returns a function that runs a trial in a process of its own.

    A trial whose process ends without an outcome has failed; its error is the last line that it printed, or the signal
    that ended it.

    Args:
        prepared: Prepared data.
        run: Function that runs the worker.
    """

    def execute(request: TrialRequest, on_line: Callable[[str], object]) -> tuple[dict[str, Any], str]:
        with tempfile.TemporaryDirectory() as folder:
            result = pathlib.Path(folder) / "result.json"
            arguments = [str(prepared.folder), str(result)]
            code, lines = run("pipelines.tuning.worker", arguments, request.to_json(), on_line, None)
            if code == 0:
                return json.loads(result.read_text(encoding="utf-8")), "".join(lines)
        return _failed(_reason(code, lines)), "".join(lines)

    return execute


def _reason(code: int, lines: Sequence[str]) -> str:
    if code < 0:
        return f"the process was ended by signal {-code}{', probably for lack of memory' if code == -9 else ''}"
    return next((line.strip() for line in reversed(lines) if line.strip()), f"the process ended with code {code}")


def _failed(error: str) -> dict[str, Any]:
    fields: dict[str, Any] = {"metric": None, "epoch": None, "history": {}, "code": trial_code_hash(), "error": error}
    return {"status": "failed", **fields}


def _tried(plan: SearchPlan, trials: Sequence[Trial]) -> list[Tried]:
    sign = _sign(plan)
    return [Tried(one.values, None if one.metric is None else sign * one.metric) for one in trials]


def _thresholds(plan: SearchPlan, trials: Sequence[Trial]) -> list[float | None]:
    """Returns the thresholds of the median rule; a training with a second stage is not stopped in its first one."""
    if plan.settings.training.fine_tuning is not None:
        return []
    sign = _sign(plan)
    histories = [one.history[f"val_{plan.objective}"] for one in trials if one.status == "finished"]
    return median_thresholds([[sign * value for value in one] for one in histories], plan.settings.training.max_epochs)


def _sign(plan: SearchPlan) -> int:
    return 1 if plan.maximize else -1
