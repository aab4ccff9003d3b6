"""Runs of jobs in subprocesses, whose output is passed on line by line."""

from collections.abc import Callable

from pipelines.compare.jobs import Job
from pipelines.compare.runs.store import RunStore
from pipelines.prepared.prepared import Prepared
from pipelines.progress.task import TITLE
from pipelines.worker_process import RunWorker, run_worker

_LAST_LINES = 12


class RunFailedError(RuntimeError):
    """A run ended without a result. The message holds the last lines that it printed."""


def run_in_subprocess(
    job: Job,
    prepared: Prepared,
    store: RunStore,
    on_line: Callable[[str], object],
    run: RunWorker = run_worker,
) -> None:
    """Runs a job in a subprocess, and keeps the result in the store.

    Args:
        job: The job to run.
        prepared: Prepared data.
        store: Store that keeps the run.
        on_line: Called with each line that the run prints.
        run: Function that runs the worker.

    Raises:
        RunFailedError: If the run fails, or the prepared data are not those of the store. All lines that it printed are
            in `<store>/<key>.log`.
    """
    log = store.root / f"{job.key(store.data)}.log"
    log.unlink(missing_ok=True)
    with store.writing(job) as folder:
        arguments = [str(prepared.folder), store.data, str(folder)]
        code, lines = run("pipelines.compare.runs.worker", arguments, job.to_json(), on_line, {TITLE: job.title})
        if code != 0:
            log.write_text("".join(lines), encoding="utf-8")
            raise RunFailedError("".join(lines[-_LAST_LINES:]))
