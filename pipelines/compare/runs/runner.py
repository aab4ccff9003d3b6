"""Selection of the runs that a comparison needs, and their execution: trials first, then every seed."""

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from pipelines.compare.jobs import Job
from pipelines.compare.metrics.evaluate import monitored_value
from pipelines.compare.plan.candidates import Comparison
from pipelines.compare.runs.outcome import Outcome, Trial, best_job
from pipelines.compare.runs.parallel import for_each
from pipelines.compare.runs.result import Result
from pipelines.compare.runs.search import Search, Step, changed_values, search, seed_job
from pipelines.compare.runs.store import RunStore
from pipelines.compare.runs.subprocesses import RunFailedError
from pipelines.compare.runs.trial_records import TrialRecords, make_record

Execute = Callable[[Job, Callable[[str], object]], None]
"""Runs a job and keeps it in the store; the second argument is called with each line that the run prints."""


class RunObserver(Protocol):
    """Receives the events of a comparison."""

    def plan(self, jobs: Sequence[Job], kept: Mapping[Job, float]) -> None:
        """Called before a series of runs.

        Args:
            jobs: Jobs that will be run.
            kept: Seconds of the runs that were finished before.
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


class Runner:
    """Runs what is missing of a comparison.

    Args:
        comparison: The comparison, with rows, seeds and the number of runs at a time.
        store: Store of the finished runs.
        execute: Function that runs a job; None runs nothing, so that the outcome holds the kept runs.
        observer: Receives the events, one at a time.
        records: Finished trials, which are not run again; those of the store are added to them.
    """

    def __init__(
        self,
        comparison: Comparison,
        store: RunStore,
        execute: Execute | None,
        observer: RunObserver,
        records: TrialRecords | None = None,
    ):
        self.comparison = comparison
        self.store = store
        self.observer = observer
        self._records = records or TrialRecords()
        self._execute = execute
        self._failed: dict[Job, str] = {}
        self._lock = threading.Lock()
        self._candidates = {candidate.row: candidate for candidate in comparison.candidates}

    def run(self) -> Outcome:
        """Runs all trials, then all rows with the first seed, with the second one, and so on.

        An interrupted comparison therefore has about as many seeds of each row.
        """
        settings = self.comparison.settings
        trials = self._search()
        finished = {row: self._trials(row_jobs) for row, row_jobs in trials.items()}
        chosen = {row: job for row, ones in finished.items() if (job := best_job(ones)) is not None}
        jobs = [
            seed_job(candidate, settings, seed, chosen.get(candidate.row))
            for seed in settings.seeds
            for candidate in self.comparison.candidates
            if candidate.row not in trials or candidate.row in chosen
        ]
        jobs = list({(job.row, job.seed): job for job in jobs}.values())
        self._run_missing(jobs)
        runs: dict[str, list[Result]] = {row: [] for row in self._candidates}
        for job in jobs:
            if (result := self.store.get(job)) is not None:
                runs[job.row].append(result)
        all_jobs = [*(job for row_trials in trials.values() for job in row_trials), *jobs]
        missing = [job for job in all_jobs if job not in self._failed and self._seconds(job) is None]
        numbers = {row: int(job.trial or 0) for row, job in chosen.items()}
        return Outcome(runs, finished, numbers, self._failed, missing)

    def _search(self) -> dict[str, list[Job]]:
        """Searches the hyper-parameters of all rows, step by step; an interrupted search is equally far in each.

        Returns:
            The jobs of each row that has something to search. If nothing is to be run, they end with the first step
            that has not been run.
        """
        settings = self.comparison.settings
        searches: dict[str, Search] = {row: search(one, settings) for row, one in self._candidates.items()}
        steps: dict[str, Step] = {row: step for row, one in searches.items() if (step := next(one, None)) is not None}
        jobs: dict[str, list[Job]] = {row: [] for row in steps}
        while steps:
            self._run_missing([job for step in steps.values() for job in step])
            for row, step in list(steps.items()):
                jobs[row].extend(step)
                following = self._following(searches[row], step)
                steps.pop(row)
                if following is not None:
                    steps[row] = following
        return jobs

    def _following(self, one: Search, step: Step) -> Step | None:
        """Returns the next step of a search, None at its end."""
        trials = [self._trial(job) for job in step]
        if self._execute is None and None in trials:
            return None
        try:
            return one.send([None if trial is None else trial.value for trial in trials])
        except StopIteration:
            return None

    def _trials(self, jobs: Sequence[Job]) -> list[Trial]:
        return [trial for job in jobs if (trial := self._trial(job)) is not None]

    def _trial(self, job: Job) -> Trial | None:
        """Returns a finished trial, from the records or, if they do not have it yet, from the store."""
        key = job.key(self.store.data)
        record = self._records.get(key)
        if record is None:
            result = self.store.get(job)
            if result is None:
                return None
            changed = changed_values(self._candidates[job.row], job)
            value = self._monitored(result.metrics.get("eval"))
            record = make_record(job, self.store.data, result, (self.comparison.monitor, value), changed)
            self._records.add(record)
        value = self._monitored(record.eval_metrics())
        return Trial(job, record, value if math.isfinite(value) else None)

    def _monitored(self, metrics: Mapping[str, Mapping[str, float]] | None) -> float:
        return monitored_value(self.comparison.spec, metrics, self.comparison.monitor) if metrics else math.nan

    def _seconds(self, job: Job) -> float | None:
        """Returns the seconds of a finished run or trial, None if it is not finished."""
        if job.trial is not None:
            trial = self._trial(job)
            return None if trial is None else trial.record.seconds
        result = self.store.get(job)
        return None if result is None else result.seconds

    def _run_missing(self, jobs: Sequence[Job]) -> None:
        """Runs the jobs that are not finished; of several with the same key, the first one."""
        seconds = {job: self._seconds(job) for job in jobs}
        missing: dict[str, Job] = {}
        for job in jobs:
            if seconds[job] is None:
                missing.setdefault(job.key(self.store.data), job)
        kept = {job: one for job, one in seconds.items() if one is not None}
        if missing or any(job.trial is None for job in jobs):
            self.observer.plan(list(missing.values()), kept)
        for_each(self._run, list(missing.values()), self.comparison.settings.jobs)

    def _run(self, job: Job) -> None:
        if self._execute is None:
            return
        with self._lock:
            self.observer.start(job)
        error = ""
        try:
            self._execute(job, lambda text: self._line(job, text))
        except RunFailedError as failure:
            error = str(failure)
        with self._lock:
            if error:
                self._failed[job] = error
            if job.trial is not None:
                self._trial(job)  # Its record is written now, for a search that is interrupted.
            self.observer.end(job, self.store.get(job), error)

    def _line(self, job: Job, text: str) -> None:
        with self._lock:
            self.observer.line(job, text)
