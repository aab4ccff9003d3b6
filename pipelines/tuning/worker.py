"""Process of one trial: `python -m pipelines.tuning.worker PREPARED RESULT`, with the request as input."""

import json
import pathlib
import sys

from pipelines.library_messages import library_messages
from pipelines.terminal import run_program
from pipelines.tuning.request import TrialRequest
from pipelines.tuning.run_trial import run_trial
from pipelines.worker_process import exit_with_parent


def main() -> None:
    """Reads the request, one line of JSON, from the standard input, runs the trial, and writes its outcome."""
    prepared, result = sys.argv[1:]
    request = TrialRequest.from_json(sys.stdin.readline())
    exit_with_parent()
    with library_messages(shown=False):
        outcome = run_trial(request, pathlib.Path(prepared))
    pathlib.Path(result).write_text(json.dumps(outcome), encoding="utf-8")


if __name__ == "__main__":
    run_program(main)
