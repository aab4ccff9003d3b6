"""Command `tfmtl report`: writes the report of a run, or of a comparison, as HTML."""

import pathlib

from rich.text import Text

from pipelines.errors import user_message
from pipelines.output.invocation import present
from pipelines.runners.folders import run_folder
from pipelines.runners.history.runs import find_run, read_runs
from pipelines.terminal import console, working
from tfmtl.config import ConfigError

RESULTS = "results.json"
"""Name of the file with the results of a comparison."""


def report_target(target: str | None, asked: str | None, out: str | None) -> None:
    """Writes the report of a run or of a comparison, and prints its path.

    Args:
        target: Run folder, settings or name of a pipeline; or the folder of a comparison's report, or its results.
        asked: Number or id of the run; None for the newest one.
        out: File to write; None for one in the folder of the run or of the comparison.

    Raises:
        ConfigError: If there is no such run or comparison.
    """
    results = None if target is None else _results(pathlib.Path(target))
    if results is not None:
        if asked is not None:
            raise ConfigError(f"--id should be given with a run only. Received: --id {asked} with a comparison")
        from pipelines.report.comparison_report import write_comparison_report

        print_path(write_comparison_report(results, None if out is None else pathlib.Path(out)))
        return
    folder = run_folder(target)
    past = None if asked is None else find_run(read_runs(folder), asked)
    from pipelines.report.run_report import write_run_report  # Imports TensorFlow.

    with working("writing the report ..."):
        path = write_run_report(folder, past, None if out is None else pathlib.Path(out))
    print_path(path)


def write_report(folder: pathlib.Path) -> None:
    """Writes the report of the newest run, and prints its path.

    An error is printed as a warning: the model is pushed already, and a missing report is no reason to fail a run.

    Args:
        folder: Run folder.
    """
    from pipelines.report.run_report import write_run_report

    try:
        with working("writing the report ..."):
            path = write_run_report(folder.absolute())
    except Exception as error:
        message = user_message(error) or f"{type(error).__name__}: {error}"
        warning = f"Warning: the report was not written: {message.partition(chr(10))[0]}"
        console.print(warning, style="yellow", highlight=False, markup=False)
        console.print(f"to try again: tfmtl --traceback report {folder}", highlight=False, markup=False)
        return
    print_path(path)


def print_path(path: pathlib.Path) -> None:
    """Prints the path of a page, relative to the working directory if it is below it.

    Args:
        path: File of the page.
    """
    shown = path.absolute()
    if shown.is_relative_to(pathlib.Path.cwd()):
        shown = shown.relative_to(pathlib.Path.cwd())
    present({"report": shown}, Text(f"report: {shown}", no_wrap=True))


def _results(target: pathlib.Path) -> pathlib.Path | None:
    """Returns the results of a comparison; None if the target is none."""
    if target.name == RESULTS and target.is_file():
        return target
    return target / RESULTS if (target / RESULTS).is_file() else None
