"""Protocol between a benchmark and its processes: jobs as lines of JSON, results as lines of JSON after a mark."""

import json
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any

MARK = "benchmark-result: "


def answer(run: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Runs the jobs of the standard input, one after another, and prints their results.

    Args:
        run: Runs a job and returns its result; for a job that raises an exception, the result has the entry `error`.
    """
    for line in sys.stdin:
        try:
            result = run(json.loads(line))
        except Exception as error:
            traceback.print_exc()
            result = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
        print(f"\n{MARK}{json.dumps(result)}", flush=True)


def results(output: str) -> list[dict[str, Any]]:
    """Finds the results in the output of a process.

    Args:
        output: Everything that the process printed.
    """
    return [json.loads(line[len(MARK) :]) for line in output.splitlines() if line.startswith(MARK)]


def run_job(module: str, job: Mapping[str, Any], python: str = sys.executable) -> dict[str, Any]:
    """Runs a job in a process of its own.

    Args:
        module: Module that answers jobs.
        job: The job.
        python: Python that runs the module.

    Raises:
        RuntimeError: If the job fails; the message has the end of its output.
    """
    done = subprocess.run(
        [python, "-m", module], input=json.dumps(job) + "\n", capture_output=True, text=True, check=False
    )
    answers = results(done.stdout)
    if not answers or "error" in answers[0]:
        raise RuntimeError(f"{module} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return answers[0]
