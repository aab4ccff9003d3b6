"""Training, scoring and measuring of one run. The hash of a run's code begins here (`jobs.run_code_hash`)."""

import pathlib
import time

from pipelines.compare.fitters import fitter_of
from pipelines.compare.jobs import Job, run_code_hash
from pipelines.compare.metrics.evaluate import evaluate
from pipelines.compare.metrics.scenarios import evaluate_scenarios
from pipelines.compare.runs.result import Result, write_run
from pipelines.prepared.prepared import Prepared


def run_job(job: Job, prepared: pathlib.Path, fingerprint: str, folder: pathlib.Path) -> Result:
    """Runs a job, and writes its result and test scores.

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
    fitted = fitter_of(job.model).fit(job, data)
    truths = {"test": data.truth()}
    metrics = {
        split: evaluate(data.spec, data.columns(split), scores, truths.get(split))
        for split, scores in fitted.scores.items()
    }
    result = Result(
        job=job,
        code=code,
        metrics=metrics,
        parameters=fitted.parameters,
        training_seconds=fitted.training_seconds,
        scoring_seconds=fitted.scoring_seconds,
        epochs=fitted.epochs,
        history=fitted.history,
        seconds=time.perf_counter() - start,
        rows=data.rows["test"],
        scenarios=evaluate_scenarios(data.spec, data.columns("test"), fitted.scores["test"]),
        health=fitted.health,
    )
    write_run(folder, result, fitted.scores["test"])
    return result
