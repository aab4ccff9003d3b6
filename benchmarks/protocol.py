"""Protocol between a benchmark and its processes: jobs as lines of JSON, results as lines of JSON after a mark."""

import json
import sys
import traceback
from collections.abc import Callable
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
