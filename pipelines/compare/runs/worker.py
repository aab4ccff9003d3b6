"""Process of one run: `python -m pipelines.compare.runs.worker PREPARED FINGERPRINT FOLDER`, with the job as input."""

import pathlib
import sys

from pipelines.compare.jobs import Job
from pipelines.compare.runs.run_job import run_job
from pipelines.library_messages import library_messages
from pipelines.terminal import run_program
from pipelines.worker_process import exit_with_parent


def main() -> None:
    """Reads the job, one line of JSON, from the standard input and runs it."""
    prepared, fingerprint, folder = sys.argv[1:]
    job = Job.from_json(sys.stdin.readline())
    exit_with_parent()
    with library_messages(shown=False):
        run_job(job, pathlib.Path(prepared), fingerprint, pathlib.Path(folder))


if __name__ == "__main__":
    run_program(main)
