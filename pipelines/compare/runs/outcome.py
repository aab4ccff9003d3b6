"""Finished runs and trials of a comparison, and the choice of the best trial."""

import dataclasses
import statistics
from collections.abc import Sequence

from pipelines.compare.jobs import Job
from pipelines.compare.runs.result import Result
from pipelines.compare.runs.search import is_whole
from pipelines.compare.runs.trial_records import TrialRecord


@dataclasses.dataclass(frozen=True)
class Trial:
    """A finished trial.

    Attributes:
        job: Job of the trial.
        record: Its record, which may be that of another row with the same job.
        value: Monitor on the eval split, higher is better; None if the scores were not finite.
    """

    job: Job
    record: TrialRecord
    value: float | None


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Runs of a comparison, finished and unfinished.

    Attributes:
        runs: Finished runs of the table by row, in the order of the seeds.
        trials: Finished trials by row, in the order in which they were run.
        chosen: Number of the best trial by row, from 0.
        failed: Last lines that each failed run printed, by job.
        missing: Jobs that have not been run.
    """

    runs: dict[str, list[Result]]
    trials: dict[str, list[Trial]]
    chosen: dict[str, int]
    failed: dict[Job, str]
    missing: list[Job]


def whole_trials(trials: Sequence[Trial]) -> dict[int, list[Trial]]:
    """Returns the trials on all rows by their number, that of the search before those with other seeds.

    Trials on a part of the rows are not comparable with them.

    Args:
        trials: Finished trials of a row, in the order in which they were run.
    """
    numbered: dict[int, list[Trial]] = {}
    for trial in trials:
        if is_whole(trial.job):
            numbered.setdefault(int(trial.job.trial or 0), []).append(trial)
    return numbered


def mean_value(trials: Sequence[Trial]) -> float | None:
    """Returns the mean monitor of trials that differ in their seed alone; None if one of them was not finite.

    Args:
        trials: Finished trials with the same settings.
    """
    values = [trial.value for trial in trials if trial.value is not None]
    return statistics.fmean(values) if values and len(values) == len(trials) else None


def best_job(trials: Sequence[Trial]) -> Job | None:
    """Returns the job of the best trial, the first one of equal ones; None if the monitor of none is finite.

    The best trial has the best mean of the monitor on the eval split over the seeds, among those that were run with the
    most seeds. If the means of all of these are not finite, it is the best one of the search's seed.

    Args:
        trials: Finished trials of a row, in the order in which they were run.
    """
    numbered = whole_trials(trials)
    most = max(map(len, numbered.values()), default=0)
    finalists = [ones for ones in numbered.values() if len(ones) == most]
    for groups in (finalists, [ones[:1] for ones in numbered.values()]):
        means = {ones[0].job: mean for ones in groups if (mean := mean_value(ones)) is not None}
        if means:
            return max(means, key=means.__getitem__)
    return None
