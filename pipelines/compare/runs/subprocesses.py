"""Runs of jobs in subprocesses, whose output is passed on line by line."""

import os
import subprocess
import sys
from collections.abc import Callable

from pipelines.compare.jobs import Job
from pipelines.compare.runs.store import RunStore
from pipelines.prepared.prepared import Prepared

_LAST_LINES = 12


class RunFailedError(RuntimeError):
    """A run ended without a result. The message holds the last lines that it printed."""


def run_in_subprocess(job: Job, prepared: Prepared, store: RunStore, on_line: Callable[[str], object]) -> None:
    """Runs a job in a subprocess, and keeps the result in the store.

    Args:
        job: The job to run.
        prepared: Prepared data.
        store: Store that keeps the run.
        on_line: Called with each line that the run prints.

    Raises:
        RunFailedError: If the run fails, or the prepared data are not those of the store. All lines that it printed are
            in `<store>/<key>.log`.
    """
    log = store.root / f"{job.key(store.data)}.log"
    log.unlink(missing_ok=True)
    with store.writing(job) as folder:
        arguments = [str(prepared.folder), store.data, str(folder)]
        process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.compare.runs.worker", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=_environment(),
        )
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(job.to_json() + "\n")
            process.stdin.flush()
            lines = []
            for line in process.stdout:
                lines.append(line)
                on_line(line.rstrip())
            if process.wait() != 0:
                log.write_text("".join(lines), encoding="utf-8")
                raise RunFailedError("".join(lines[-_LAST_LINES:]))
        finally:
            process.kill()
            process.wait()


def _environment() -> dict[str, str]:
    """Returns the environment of the subprocess, without the variable that TFT sets for TensorFlow in this process."""
    inherited = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    return {"TF_CPP_MIN_LOG_LEVEL": "3", **inherited, "PYTHONUNBUFFERED": "1"}
