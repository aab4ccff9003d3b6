"""Runs a job in a process of its own, and listens to what it prints."""

import os
import subprocess
import sys
from collections.abc import Callable

from pipelines.compare.jobs import Job
from pipelines.compare.data.prepared import Prepared
from pipelines.compare.runs.store import RunStore

_LAST_LINES = 12


class RunFailedError(RuntimeError):
    """A run ended without a result. The message holds the last lines that it printed."""


def run_in_subprocess(job: Job, prepared: Prepared, store: RunStore, listen: Callable[[str], object]) -> None:
    """Runs a job in a child process; the store has it afterwards.

    Args:
        job: what is run.
        prepared: its data.
        store: where it is kept.
        listen: is told each line that the run prints.

    Raises:
        RunFailedError: if it fails, or if its data are not those of the store any more. All that it printed is in
            `<store>/<key>.log`.
    """
    log = store.root / f"{job.key(store.data)}.log"
    log.unlink(missing_ok=True)
    with store.writing(job) as folder:
        arguments = [str(prepared.folder), store.data, str(folder)]
        command = [sys.executable, "-m", "pipelines.compare.runs.worker", *arguments]
        process = subprocess.Popen(
            command,
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
                listen(line.rstrip())
            if process.wait() != 0:
                log.write_text("".join(lines), encoding="utf-8")
                raise RunFailedError("".join(lines[-_LAST_LINES:]))
        finally:
            process.kill()
            process.wait()


def _environment() -> dict[str, str]:
    """Environment of the subprocess: without the variable that TFT sets for TensorFlow in this process."""
    inherited = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    return {**inherited, "PYTHONUNBUFFERED": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
