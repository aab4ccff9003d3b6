"""Default runner of Beam jobs."""

from collections.abc import Sequence

from apache_beam.options.pipeline_options import StandardOptions

IN_PROCESS = "FnApiRunner"
"""Runner that executes a job in this process. Beam's own default downloads another runner, Prism, and uses that."""


def run_in_process() -> None:
    """Makes `IN_PROCESS` the runner of Beam jobs in this process whose arguments name no runner."""
    StandardOptions.DEFAULT_RUNNER = IN_PROCESS


def with_runner(arguments: Sequence[str]) -> list[str]:
    """Returns the arguments with `--runner` added if it is missing, for jobs that start in other processes."""
    named = any(argument.partition("=")[0] == "--runner" for argument in arguments)
    return [*arguments] if named else [f"--runner={IN_PROCESS}", *arguments]
