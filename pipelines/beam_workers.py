"""Number of workers that read a log on this machine."""

from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Literal

import joblib
from apache_beam.options.pipeline_options import PipelineOptions

from transforms.readers.divide_file import MIN_RANGE_BYTES

Workers = int | Literal["auto"]
MAX_THREADS = 8
"""Largest number of workers that are threads of one process, as about a tenth of the work holds Python's lock."""
_WORKER_OPTIONS = ("--runner", "--direct_num_workers", "--direct_running_mode", "--reading_threads")


class ReadingOptions(PipelineOptions):
    """Option of Beam jobs: number of ranges of a log that a worker of Beam reads at a time."""

    @classmethod
    def _add_argparse_args(cls, parser: ArgumentParser) -> None:
        parser.add_argument("--reading_threads", type=int, default=1)


def reading_threads(arguments: Sequence[str]) -> int:
    """Returns the number of ranges that a worker reads at a time.

    Args:
        arguments: Arguments for Beam.
    """
    threads: int = PipelineOptions([*arguments]).view_as(ReadingOptions).reading_threads
    return threads


def choose_workers(log_bytes: float, cores: int) -> int:
    """Returns the number of workers for a log: one for each range of `MIN_RANGE_BYTES`, at most one for each core.

    Args:
        log_bytes: Size of the files of the log in bytes.
        cores: Number of cores that this process may use.
    """
    return max(1, min(cores, int(log_bytes // MIN_RANGE_BYTES)))


def worker_arguments(workers: Workers, log_bytes: float, given: Sequence[str] = ()) -> list[str]:
    """Returns the arguments for Beam of a job that processes every row of a log on this machine.

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
    if count <= MAX_THREADS:
        return [f"--reading_threads={count}"]
    return ["--direct_running_mode=multi_processing", f"--direct_num_workers={count}"]
