"""Which of Beam's runners a job gets that names none."""

from collections.abc import Sequence

from apache_beam.options.pipeline_options import StandardOptions

IN_PROCESS = "FnApiRunner"
"""Runs a job in this process. Beam's own default first downloads another runner, Prism, and would run that."""


def run_in_process() -> None:
    """Lets Beam's jobs of this process run in it, unless their arguments name a runner."""
    StandardOptions.DEFAULT_RUNNER = IN_PROCESS


def with_runner(arguments: Sequence[str]) -> list[str]:
    """Arguments that name a runner, for processes that are not ours."""
    named = any(argument.partition("=")[0] == "--runner" for argument in arguments)
    return [*arguments] if named else [f"--runner={IN_PROCESS}", *arguments]
