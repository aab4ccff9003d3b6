"""Default runner of Beam jobs."""

from collections.abc import Sequence

from apache_beam.options.pipeline_options import StandardOptions

IN_PROCESS = "FnApiRunner"
"""Runner that executes a job in this process. Beam's own default downloads another runner, Prism, and uses that."""
_LOCAL = (IN_PROCESS, "DirectRunner", "BundleBasedDirectRunner", "PrismRunner")


def run_in_process() -> None:
    """Makes `IN_PROCESS` the runner of Beam jobs in this process whose arguments name no runner."""
    StandardOptions.DEFAULT_RUNNER = IN_PROCESS


def with_runner(arguments: Sequence[str]) -> list[str]:
    """Returns the arguments with `--runner` added if it is missing, for jobs that start in other processes."""
    named = any(argument.partition("=")[0] == "--runner" for argument in arguments)
    return [*arguments] if named else [f"--runner={IN_PROCESS}", *arguments]


def runs_elsewhere(arguments: Sequence[str]) -> bool:
    """Returns whether a job with these arguments has workers on other machines.

    Args:
        arguments: Arguments for Beam; of several runners, the last one is used.

    Example:
        >>> from pipelines.beam_runner import runs_elsewhere
        >>> runs_elsewhere(["--runner=DataflowRunner"]), runs_elsewhere(["--direct_num_workers=2"])
        (True, False)
    """
    named = [value for name, _, value in (argument.partition("=") for argument in arguments) if name == "--runner"]
    return bool(named) and named[-1] not in _LOCAL
