"""Which runs a comparison needs, and which of them are left to do: trials first, then every seed."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Protocol

from pipelines.compare.plan.candidates import Candidate, Comparison, with_monitor
from pipelines.compare.metrics.evaluate import monitored
from pipelines.compare.fitters import fitter_of
from pipelines.compare.jobs import NO_SEED, Job
from pipelines.compare.runs.subprocesses import RunFailedError
from pipelines.compare.plan.search_space import OPTIONS, TRAINING, draws, put
from pipelines.compare.runs.store import Result, RunStore

Execute = Callable[[Job, Callable[[str], object]], None]
"""Runs a job so that the store has it, and tells each line that it prints."""


class Watcher(Protocol):
    """Sees what happens."""

    def plan(self, jobs: Sequence[Job], kept: Sequence[Result]) -> None:
        """These are left to do, and those were done before."""

    def start(self, job: Job) -> None:
        """A run begins."""

    def line(self, job: Job, text: str) -> None:
        """It printed a line."""

    def end(self, job: Job, result: Result | None, error: str = "") -> None:
        """It ended, with a result or an error."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of the runs.

    Attributes:
        runs: the finished runs of the table by row, in the order of the seeds.
        trials: the finished trials by row.
        chosen: the number of the best trial by row.
        failed: what did not end with a result, with the last lines that it printed.
        missing: what was not run.
    """

    runs: dict[str, list[Result]]
    trials: dict[str, list[Result]]
    chosen: dict[str, int]
    failed: dict[Job, str]
    missing: list[Job]


class Runner:
    """Does what is left of a comparison.

    Args:
        comparison: which rows and seeds.
        store: keeps what is finished.
        execute: runs a job; None runs nothing, so that the outcome is what is kept.
        watcher: sees it.
    """

    def __init__(self, comparison: Comparison, store: RunStore, execute: Execute | None, watcher: Watcher):
        self.comparison = comparison
        self.store = store
        self.watcher = watcher
        self._execute = execute
        self._failed: dict[Job, str] = {}

    def run(self) -> Outcome:
        """All trials, then every seed of all rows before the next seed, so that rows are even after an interruption."""
        trials = {candidate.row: self.trials(candidate) for candidate in self.comparison.candidates}
        self._do([job for jobs in trials.values() for job in jobs])
        finished = {row: self._results(jobs) for row, jobs in trials.items()}
        chosen = {row: self._best(results) for row, results in finished.items() if results}
        jobs = [
            job
            for seed in self.comparison.settings.seeds
            for candidate in self.comparison.candidates
            for job in self._of_seed(candidate, seed, chosen.get(candidate.row))
            if not trials[candidate.row] or candidate.row in chosen
        ]
        jobs = list({(job.row, job.seed): job for job in jobs}.values())
        self._do(jobs)
        runs = {c.row: self._results([job for job in jobs if job.row == c.row]) for c in self.comparison.candidates}
        everything = [*(job for of_row in trials.values() for job in of_row), *jobs]
        missing = [job for job in everything if job not in self._failed and self.store.get(job) is None]
        numbers = {row: int(job.trial or 0) for row, job in chosen.items()}
        return Outcome(runs, finished, numbers, self._failed, missing)

    def trials(self, candidate: Candidate) -> list[Job]:
        """The jobs of a row's search."""
        settings = self.comparison.settings
        if not candidate.space or not settings.trials:
            return []
        drawn = draws(candidate.space, settings.trials, settings.tuning_seed)
        return [self._job(candidate, values, settings.tuning_seed, number) for number, values in enumerate(drawn)]

    def _of_seed(self, candidate: Candidate, seed: int, chosen: Job | None) -> list[Job]:
        seed = seed if fitter_of(candidate.model).seeded else NO_SEED
        if chosen is None:
            return [self._job(candidate, {}, seed, None)]
        return [dataclasses.replace(chosen, seed=seed, trial=None)]

    def _job(self, candidate: Candidate, drawn: dict, seed: int, trial: int | None) -> Job:
        options, training = put(candidate.options, drawn, OPTIONS), put(candidate.training, drawn, TRAINING)
        return Job(candidate.row, candidate.model, options, with_monitor(training), seed, trial)

    def _best(self, results: list[Result]) -> Job:
        """The job of the best trial, by the monitor on the eval split."""

        def value(result: Result) -> float:
            found = monitored(self.comparison.spec, result.metrics["eval"], self.comparison.monitor)
            return -math.inf if math.isnan(found) else found

        return max(results, key=value).job

    def _results(self, jobs: Sequence[Job]) -> list[Result]:
        return [result for result in map(self.store.get, jobs) if result is not None]

    def _do(self, jobs: Sequence[Job]) -> None:
        left = [job for job in jobs if self.store.get(job) is None]
        self.watcher.plan(left, self._results(jobs))
        if self._execute is None:
            return
        for job in left:
            if self.store.get(job) is not None:  # Another row's run was the same.
                continue
            self.watcher.start(job)
            try:
                self._execute(job, lambda text, job=job: self.watcher.line(job, text))  # type: ignore[misc]
            except RunFailedError as error:
                self._failed[job] = str(error)
            self.watcher.end(job, self.store.get(job), self._failed.get(job, ""))
