"""Training, scoring and measuring of one run. The hash of a run's code begins here (`jobs.run_code_hash`)."""

import os
import pathlib
import time

import numpy as np

from pipelines.compare.fitters import Fitted, fitter_of
from pipelines.compare.jobs import Job, library_versions, run_code_hash
from pipelines.compare.metrics.evaluate import Metrics, evaluate
from pipelines.compare.metrics.scenarios import evaluate_scenarios
from pipelines.compare.runs.result import Result, write_run
from pipelines.prepared.prepared import Prepared
from pipelines.prepared.row_sample import sampled


def run_job(job: Job, prepared: pathlib.Path, fingerprint: str, folder: pathlib.Path) -> Result:
    """Runs a job, and writes its result and its test scores, which a trial does not have.

    A trial whose scores are not finite has no metrics.

    Args:
        job: The job to run.
        prepared: Folder of the prepared data.
        fingerprint: Fingerprint that the data should have.
        folder: Folder to write to.

    Returns:
        The measurements of the run.

    Raises:
        ValueError: If the prepared data have another fingerprint.
    """
    start = time.perf_counter()
    code = run_code_hash()
    data = Prepared.load(prepared)
    if data.fingerprint != fingerprint:
        raise ValueError(f"{prepared} should hold the data {fingerprint}. Received: {data.fingerprint}")
    fitted = fitter_of(job.model).fit(job, sampled(data, job.rows_fraction))
    test_scores = fitted.scores.get("test")
    result = Result(
        job=job,
        code=code,
        metrics=_metrics(job, data, fitted),
        parameters=fitted.parameters,
        training_seconds=fitted.training_seconds,
        scoring_seconds=fitted.scoring_seconds,
        epochs=fitted.epochs,
        history=fitted.history,
        seconds=time.perf_counter() - start,
        rows=data.rows[job.splits[-1]],
        scenarios={} if test_scores is None else evaluate_scenarios(data.spec, data.columns("test"), test_scores),
        versions=library_versions(),
        threads=int(os.environ.get("TF_NUM_INTRAOP_THREADS") or 0),
        health=fitted.health,
    )
    write_run(folder, result, test_scores)
    return result


def _metrics(job: Job, data: Prepared, fitted: Fitted) -> dict[str, Metrics]:
    is_finite = all(np.isfinite(values).all() for scores in fitted.scores.values() for values in scores.values())
    if job.trial is not None and not is_finite:
        return {}
    truths = {"test": data.truth()} if "test" in job.splits else {}
    return {
        split: evaluate(data.spec, data.columns(split), scores, truths.get(split))
        for split, scores in fitted.scores.items()
    }
