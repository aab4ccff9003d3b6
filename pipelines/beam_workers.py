"""Number of workers of the local Beam jobs that process every row of a log."""

from collections.abc import Sequence
from typing import Literal

import joblib

from transforms.readers.divide_file import MIN_RANGE_BYTES

Workers = int | Literal["auto"]
MAX_THREADS = 8
"""Largest number of workers that are threads of one process. Arrow, NumPy and zlib release Python's lock, but about a
tenth of the time of a job holds it."""
_WORKER_OPTIONS = ("--runner", "--direct_num_workers", "--direct_running_mode")


def choose_workers(log_bytes: float, cores: int) -> int:
    """Returns the number of workers for a log: one for each range of `MIN_RANGE_BYTES`, at most one for each core.

    Args:
        log_bytes: Size of the files of the log in bytes.
        cores: Number of cores that this process may use.
    """
    return max(1, min(cores, int(log_bytes // MIN_RANGE_BYTES)))


def worker_arguments(workers: Workers, log_bytes: float, given: Sequence[str] = ()) -> list[str]:
    """Returns the arguments for Beam of a job that processes every row of a log in this process or on this machine.

    Args:
        workers: Number of workers, or `auto` for that of `choose_workers`.
        log_bytes: Size of the files of the log in bytes.
        given: Arguments of the settings; if they name a runner or workers, nothing is added.

    Returns:
        The arguments: none for one worker, threads for up to `MAX_THREADS`, processes for more.
    """
    if any(argument.partition("=")[0] in _WORKER_OPTIONS for argument in given):
        return []
    count = choose_workers(log_bytes, joblib.cpu_count()) if workers == "auto" else workers
    if count == 1:
        return []
    mode = "multi_threading" if count <= MAX_THREADS else "multi_processing"
    return [f"--direct_running_mode={mode}", f"--direct_num_workers={count}"]
