"""Process of one run: `python -m pipelines.compare.runs.worker PREPARED FINGERPRINT FOLDER`, with the job as input.

A crash loses only this run, the next run inherits no state of TensorFlow, and seeds hold for the whole process.
"""

import os
import pathlib
import sys
import threading

from pipelines.compare.jobs import Job
from pipelines.compare.runs.run_job import run_job
from pipelines.library_messages import library_messages
from pipelines.terminal import run_program


def main() -> None:
    """Reads the job, one line of JSON, from the standard input and runs it."""
    prepared, fingerprint, folder = sys.argv[1:]
    job = Job.from_json(sys.stdin.readline())
    _exit_with_parent()
    with library_messages(shown=False):
        run_job(job, pathlib.Path(prepared), fingerprint, pathlib.Path(folder))


def _exit_with_parent() -> None:
    """Ends this process when its standard input is closed: then no process is left to keep the run."""

    def wait() -> None:
        sys.stdin.buffer.read()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    run_program(main)
