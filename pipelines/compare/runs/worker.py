"""One run in a process of its own: `python -m pipelines.compare.runs.worker PREPARED FINGERPRINT FOLDER`.

The job is on its input. A crash takes this run alone, nothing that TensorFlow keeps reaches the next run, and seeds
hold for the whole process.
"""

import os
import pathlib
import sys
import threading
import time
import warnings

from pipelines.compare.metrics.evaluate import evaluate
from pipelines.compare.fitters import fitter_of
from pipelines.compare.jobs import Job, code
from pipelines.compare.data.prepared import Prepared
from pipelines.compare.metrics.scenarios import evaluate_scenarios
from pipelines.compare.runs.store import Result, write_run


def run(job: Job, prepared: pathlib.Path, fingerprint: str, folder: pathlib.Path) -> Result:
    """Fits, scores and measures, and writes the result and the test scores into a folder.

    Raises:
        ValueError: if the prepared data are not those of the fingerprint.
    """
    start = time.perf_counter()
    made_by = code()
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
        code=made_by,
        metrics=metrics,
        parameters=fitted.parameters,
        training_seconds=fitted.training_seconds,
        scoring_seconds=fitted.scoring_seconds,
        epochs=fitted.epochs,
        history=fitted.history,
        seconds=time.perf_counter() - start,
        rows=data.rows["test"],
        scenarios=evaluate_scenarios(data.spec, data.columns("test"), fitted.scores["test"]),
    )
    write_run(folder, result, fitted.scores["test"])
    return result


def _end_with_parent() -> None:
    """Ends this process when its input does: nobody would keep what it makes."""

    def watch() -> None:
        sys.stdin.buffer.read()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    """Reads the job's line from the input, and runs it."""
    prepared, fingerprint, folder = sys.argv[1:]
    job = Job.from_json(sys.stdin.readline())
    _end_with_parent()
    warnings.simplefilter("ignore")
    run(job, pathlib.Path(prepared), fingerprint, pathlib.Path(folder))


if __name__ == "__main__":
    from pipelines.terminal import run_program

    run_program(main)
