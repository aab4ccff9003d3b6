"""Searches of the rows' hyper-parameters: each asks for jobs in steps, and continues with their scores."""

import dataclasses
from collections.abc import Generator, Mapping, Sequence
from typing import Any, TypeAlias

from pipelines.compare.fitters import default_values, fitter_of, present_options
from pipelines.compare.jobs import NO_SEED, Job
from pipelines.compare.plan.candidates import Candidate, with_monitor
from pipelines.compare.plan.settings import CompareSettings
from pipelines.search.halving import promoted
from pipelines.search.proposals import Tried, draw_others, propose
from pipelines.search.space import OPTIONS, TRAINING, with_drawn_values
from pipelines.training_settings import TrainingSettings
from tfmtl.config import defaults_of

Scores: TypeAlias = Sequence[float | None]
"""Monitor on the eval split of each job, higher is better; None for a job that failed."""


Step: TypeAlias = Sequence[Job]
"""Jobs that do not depend on each other."""
Search: TypeAlias = Generator[Step, Scores, None]
"""Yields the steps of a search, and is sent the scores of their jobs."""
Method: TypeAlias = Generator[Step, Scores, tuple[Step, Scores]]
"""A search that returns its trials on all rows with their scores."""


def search(candidate: Candidate, settings: CompareSettings) -> Search:
    """Searches the hyper-parameters of a row. The first trial has its settings as they are.

    With `finalist_seeds`, the best trials are trained again with each of these seeds in the last step.

    Args:
        candidate: Row of the table.
        settings: Settings of the comparison.

    Yields:
        Steps of the search; none if the row has nothing to search.
    """
    if not candidate.space or not settings.trials:
        return
    method = _bayesian if settings.search == "bayesian" else _draws
    jobs, scores = yield from method(candidate, settings)
    if settings.finalist_seeds and fitter_of(candidate.model).seeded:
        finalists = [jobs[i] for i in promoted(scores, settings.finalists)]
        yield [dataclasses.replace(job, seed=seed) for seed in settings.finalist_seeds for job in finalists]


def _draws(candidate: Candidate, settings: CompareSettings) -> Method:
    drawn = draw_others(candidate.space, candidate.given, settings.trials - 1, settings.tuning_seed)
    jobs = [trial_job(candidate, values, settings, number) for number, values in enumerate([{}, *drawn])]
    if settings.search == "random":
        return jobs, (yield jobs)
    rungs = settings.halving.schedule(len(jobs))
    for rung, following in zip(rungs, [*rungs[1:], None], strict=True):
        max_epochs = rung.max_epochs if fitter_of(candidate.model).network else None  # Others have no epochs.
        step = [dataclasses.replace(job, rows_fraction=rung.rows_fraction, max_epochs=max_epochs) for job in jobs]
        scores = yield step
        if following is not None:
            jobs = [jobs[i] for i in promoted(scores, following.trials)]
    return step, scores


def is_whole(job: Job) -> bool:
    """Returns whether a trial is trained on all rows and for all epochs; only such a trial is chosen.

    Args:
        job: Job of the trial.
    """
    return job.rows_fraction == 1 and job.max_epochs is None


def trial_job(candidate: Candidate, drawn: Mapping[str, Any], settings: CompareSettings, number: int) -> Job:
    """Returns the job of a trial on all rows.

    Args:
        candidate: Row of the table.
        drawn: Values in place of those of the row's settings, by hyper-parameter.
        settings: Settings of the comparison.
        number: Number of the trial, from 0.
    """
    options = present_options(candidate.model, with_drawn_values(candidate.options, drawn, OPTIONS))
    training = with_monitor(with_drawn_values(candidate.training, drawn, TRAINING))
    defaults = {OPTIONS: default_values(candidate.model, options)}
    if fitter_of(candidate.model).network:
        defaults[TRAINING] = defaults_of(TrainingSettings, training)
    seed = _seed(candidate, settings.tuning_seed)
    return Job(candidate.row, candidate.model, options, training, seed, number, defaults=defaults)


def seed_job(candidate: Candidate, settings: CompareSettings, seed: int, chosen: Job | None) -> Job:
    """Returns the job of a run of the table.

    Args:
        candidate: Row of the table.
        settings: Settings of the comparison.
        seed: Seed of the run.
        chosen: Job of the trial that was chosen; None for the row's settings as they are.
    """
    job = chosen or trial_job(candidate, {}, settings, 0)
    return dataclasses.replace(job, seed=_seed(candidate, seed), trial=None, defaults={})


def changed_values(candidate: Candidate, job: Job) -> dict[str, Any]:
    """Returns the values of a job that differ from the row's settings as they are, by hyper-parameter.

    Args:
        candidate: Row of the table.
        job: Job of a trial or run of the row.
    """
    changed = {}
    for name in candidate.space:
        value: Any = {OPTIONS: job.options, TRAINING: job.training}
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value is not None and value != candidate.given.get(name):
            changed[name] = value
    return changed


def _bayesian(candidate: Candidate, settings: CompareSettings) -> Method:
    tried: list[Tried] = []
    jobs: list[Job] = []
    for number in range(settings.trials):
        proposed = propose(candidate.space, tried, settings.tuning_seed, "bayesian") if tried else candidate.given
        if proposed is None:
            break
        job = trial_job(candidate, proposed if tried else {}, settings, number)
        (score,) = yield [job]
        tried.append(Tried(proposed, score))
        jobs.append(job)
    return jobs, [one.score for one in tried]


def _seed(candidate: Candidate, seed: int) -> int:
    return seed if fitter_of(candidate.model).seeded else NO_SEED
