"""Selection of the runs that a comparison needs, and their execution: trials first, then every seed."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from pipelines.compare.fitters import fitter_of, present_options
from pipelines.compare.jobs import NO_SEED, Job
from pipelines.compare.metrics.evaluate import monitored_value
from pipelines.compare.plan.candidates import Candidate, Comparison, with_monitor
from pipelines.compare.runs.result import Result
from pipelines.compare.runs.store import RunStore
from pipelines.compare.runs.subprocesses import RunFailedError
from pipelines.search.proposals import Tried, draw_settings, propose
from pipelines.search.space import OPTIONS, TRAINING, with_drawn_values

Execute = Callable[[Job, Callable[[str], object]], None]
"""Runs a job and keeps it in the store; the second argument is called with each line that the run prints."""


class RunObserver(Protocol):
    """Receives the events of a comparison."""

    def plan(self, jobs: Sequence[Job], kept: Sequence[Result]) -> None:
        """Called before a series of runs.

        Args:
            jobs: Jobs that will be run.
            kept: Results of the runs that were finished before.
        """

    def start(self, job: Job) -> None:
        """Called when a run starts.

        Args:
            job: Job of the run.
        """

    def line(self, job: Job, text: str) -> None:
        """Called when a run prints a line.

        Args:
            job: Job of the run.
            text: The line.
        """

    def end(self, job: Job, result: Result | None, error: str = "") -> None:
        """Called when a run ends.

        Args:
            job: Job of the run.
            result: Result of the run; None if it failed.
            error: Last lines that a failed run printed.
        """


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Runs of a comparison, finished and unfinished.

    Attributes:
        runs: Finished runs of the table by row, in the order of the seeds.
        trials: Finished trials by row.
        chosen: Number of the best trial by row.
        failed: Last lines that each failed run printed, by job.
        missing: Jobs that have not been run.
    """

    runs: dict[str, list[Result]]
    trials: dict[str, list[Result]]
    chosen: dict[str, int]
    failed: dict[Job, str]
    missing: list[Job]


class Runner:
    """Runs what is missing of a comparison.

    Args:
        comparison: The comparison, with rows and seeds.
        store: Store of the finished runs.
        execute: Function that runs a job; None runs nothing, so that the outcome holds the kept runs.
        observer: Receives the events.
    """

    def __init__(self, comparison: Comparison, store: RunStore, execute: Execute | None, observer: RunObserver):
        self.comparison = comparison
        self.store = store
        self.observer = observer
        self._execute = execute
        self._failed: dict[Job, str] = {}

    def run(self) -> Outcome:
        """Runs all trials, then all rows with the first seed, with the second one, and so on.

        An interrupted comparison therefore has about as many seeds of each row.
        """
        if self.comparison.settings.search == "random":
            trials = {candidate.row: self.trials(candidate) for candidate in self.comparison.candidates}
            self._run_missing([job for jobs in trials.values() for job in jobs])
        else:
            trials = {candidate.row: self._search(candidate) for candidate in self.comparison.candidates}
        finished_trials = {row: self._results(jobs) for row, jobs in trials.items()}
        chosen = {row: self._best(results) for row, results in finished_trials.items() if results}
        jobs = [
            self._seed_job(candidate, seed, chosen.get(candidate.row))
            for seed in self.comparison.settings.seeds
            for candidate in self.comparison.candidates
            if not trials[candidate.row] or candidate.row in chosen
        ]
        jobs = list({(job.row, job.seed): job for job in jobs}.values())
        self._run_missing(jobs)
        runs = {c.row: self._results([job for job in jobs if job.row == c.row]) for c in self.comparison.candidates}
        all_jobs = [*(job for row_trials in trials.values() for job in row_trials), *jobs]
        missing = [job for job in all_jobs if job not in self._failed and self.store.get(job) is None]
        numbers = {row: int(job.trial or 0) for row, job in chosen.items()}
        return Outcome(runs, finished_trials, numbers, self._failed, missing)

    def trials(self, candidate: Candidate) -> list[Job]:
        """Returns the jobs of a row's random search.

        Args:
            candidate: Row of the table.
        """
        settings = self.comparison.settings
        if not candidate.space or not settings.trials:
            return []
        drawn = draw_settings(candidate.space, settings.trials, settings.tuning_seed)
        return [self._job(candidate, values, settings.tuning_seed, number) for number, values in enumerate(drawn)]

    def _search(self, candidate: Candidate) -> list[Job]:
        """Runs the trials of a row one after another, as each proposal depends on the results before it.

        Returns:
            The jobs of the trials. If nothing is to be run, they end with the first one that has not been run.
        """
        settings = self.comparison.settings
        if not candidate.space or not settings.trials:
            return []
        jobs: list[Job] = []
        tried: list[Tried] = []
        planned = False
        while len(jobs) < settings.trials:
            values = propose(candidate.space, tried, settings.tuning_seed, settings.search)
            if values is None:
                break
            job = self._job(candidate, values, settings.tuning_seed, len(jobs))
            if self.store.get(job) is None:
                if not planned:
                    numbers = range(len(jobs), settings.trials)
                    remaining = [self._job(candidate, {}, settings.tuning_seed, number) for number in numbers]
                    self.observer.plan(remaining, self._results(jobs))
                    planned = True
                self._run(job)
            jobs.append(job)
            result = self.store.get(job)
            if self._execute is None and result is None:
                break
            score = None if result is None else self._monitored(result)
            tried.append(Tried(values, score if score is not None and math.isfinite(score) else None))
        return jobs

    def _seed_job(self, candidate: Candidate, seed: int, chosen: Job | None) -> Job:
        seed = seed if fitter_of(candidate.model).seeded else NO_SEED
        if chosen is None:
            return self._job(candidate, {}, seed, None)
        return dataclasses.replace(chosen, seed=seed, trial=None)

    def _job(self, candidate: Candidate, drawn: Mapping[str, Any], seed: int, trial: int | None) -> Job:
        options = present_options(candidate.model, with_drawn_values(candidate.options, drawn, OPTIONS))
        training = with_drawn_values(candidate.training, drawn, TRAINING)
        return Job(candidate.row, candidate.model, options, with_monitor(training), seed, trial)

    def _best(self, results: list[Result]) -> Job:
        """Returns the job of the best trial by the monitor on the eval split."""
        return max(results, key=self._monitored).job

    def _monitored(self, result: Result) -> float:
        value = monitored_value(self.comparison.spec, result.metrics["eval"], self.comparison.monitor)
        return -math.inf if math.isnan(value) else value

    def _results(self, jobs: Sequence[Job]) -> list[Result]:
        return [result for result in map(self.store.get, jobs) if result is not None]

    def _run_missing(self, jobs: Sequence[Job]) -> None:
        missing = [job for job in jobs if self.store.get(job) is None]
        self.observer.plan(missing, self._results(jobs))
        for job in missing:
            if self.store.get(job) is None:  # Else another row has the same run.
                self._run(job)

    def _run(self, job: Job) -> None:
        if self._execute is None:
            return
        self.observer.start(job)
        try:
            self._execute(job, lambda text: self.observer.line(job, text))
        except RunFailedError as error:
            self._failed[job] = str(error)
        self.observer.end(job, self.store.get(job), self._failed.get(job, ""))
