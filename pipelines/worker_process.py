"""Worker processes: each trains one model, so that a crash loses one run and no state of TensorFlow is inherited."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

RunWorker: TypeAlias = Callable[
    [str, Sequence[str], str, Callable[[str], object], Mapping[str, str] | None], tuple[int, list[str]]
]
"""Function that runs a module in a process, with the arguments of `run_worker`."""
ONE_THREAD: Mapping[str, str] = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
}
"""Environment of a process whose TensorFlow, LightGBM and NumPy compute with one thread each."""


def run_worker(
    module: str,
    arguments: Sequence[str],
    request: str,
    on_line: Callable[[str], object],
    environment: Mapping[str, str] | None = None,
) -> tuple[int, list[str]]:
    """Runs a module in a subprocess, which ends with this process.

    Args:
        module: Name of the module; its main function calls `exit_with_parent`.
        arguments: Arguments of the module.
        request: Line that the module reads from its standard input.
        on_line: Called with each line that the module prints.
        environment: Variables of its environment in addition to those of this process.

    Returns:
        Exit code, negative for a signal, and the lines that were printed, with their line breaks.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**environment_of_worker(), **(environment or {})},
    )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(request + "\n")
        process.stdin.flush()
        lines = []
        for line in process.stdout:
            lines.append(line)
            on_line(line.rstrip())
        return process.wait(), lines
    finally:
        process.kill()
        process.wait()


def exit_with_parent() -> None:
    """Ends this process when its standard input is closed: then no process is left to keep the result."""

    def wait() -> None:
        sys.stdin.buffer.read()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def environment_of_worker() -> dict[str, str]:
    """Returns the environment of a worker, without the variable that TFT sets for TensorFlow in this process."""
    inherited = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    return {"TF_CPP_MIN_LOG_LEVEL": "3", **inherited, "PYTHONUNBUFFERED": "1"}
