"""Measure logs of many features and of long lists, from raw log to served prediction.

Each log has its own process, which runs the whole pipeline. "Per feature" is a time divided by the number of features:
it falls, or stays, where no step grows faster than the features. The lists are as long as a seventh of their maximum in
the mean; training is measured with and without lookups of their padding.
"""

import dataclasses
import json
import pathlib
import subprocess
import sys
import tempfile
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from benchmarks import page, serve_start, wide_logs
from benchmarks.protocol import results

STEPS = ("LogExampleGen", "StatisticsGen", "ExampleValidator", "Transform", "Trainer", "Evaluator")
_FEATURES_OF_LISTS = 10


@dataclasses.dataclass(frozen=True)
class Case:
    """Log to measure.

    Attributes:
        features: Number of features that are no lists.
        max_ids: Largest number of tokens of a list; 0 for a log without lists.
    """

    features: int
    max_ids: int = 0

    @property
    def title(self) -> str:
        """Name in the table."""
        return f"lists of at most {self.max_ids}" if self.max_ids else f"{self.features} features"


def run(case: Case, rows: int, folder: pathlib.Path) -> dict[str, Any]:
    """Runs the pipeline on a log, and starts a server of its model.

    Args:
        case: Log.
        rows: Number of rows.
        folder: Empty folder for the log and the run.

    Returns:
        What `benchmarks.measure_wide` returns, with the seconds of the start of `tfmtl serve` under `start`.

    Raises:
        click.ClickException: If a process fails; the message has the end of its output.
    """
    settings = wide_logs.write(folder, rows, case.features, case.max_ids)
    job = {"settings": str(settings), "out": str(folder / "run"), "lists": case.max_ids > 0}
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.measure_wide"]
    done = subprocess.run(command, input=json.dumps(job) + "\n", capture_output=True, text=True, check=False)
    answers = results(done.stdout)
    if not answers or "error" in answers[0]:
        raise click.ClickException(f"{case.title} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    program = "from pipelines.cli import program; program()"
    serve = [sys.executable, "-W", "ignore", "-c", program, "serve", answers[0]["model"], "--port", "0"]
    return {**answers[0], "start": serve_start.start(serve).seconds}


def make_steps_table(rows: int, measured: dict[Case, dict[str, Any]]) -> Table:
    """Creates the table of the seconds of each step, of the start of a server and of a request.

    Args:
        rows: Number of rows of each log.
        measured: Measurements by log.
    """
    table = Table(title=f"{rows:,} rows: seconds of each step", title_justify="left")
    table.add_column("log")
    for column in (*STEPS, "all", "per feature", "serve ready, s", "one row, ms"):
        table.add_column(column, justify="right")
    for case, one in measured.items():
        seconds = one["seconds"]
        total = sum(seconds.values())
        cells = [f"{seconds[step]:.1f}" for step in STEPS]
        cells += [f"{total:.1f}", f"{total / case.features:.2f}", f"{one['start']:.1f}", f"{one['milliseconds']:.1f}"]
        table.add_row(case.title, *cells)
    return table


def make_training_table(measured: dict[Case, dict[str, Any]]) -> Table:
    """Creates the table of the rows per second of training, and their ratio with and without lookups of padding.

    Args:
        measured: Measurements by log.
    """
    table = Table(title="training on rows in memory", title_justify="left")
    table.add_column("log")
    for column in ("rows/s", "rows/s with padding", "ratio"):
        table.add_column(column, justify="right")
    for case, one in measured.items():
        rate, *padded = one["rows_per_second"]
        compared = [f"{padded[0]:,.0f}", f"{rate / padded[0]:.1f}"] if padded else ["", ""]
        table.add_row(case.title, f"{rate:,.0f}", *compared)
    return table


@click.command(help=__doc__)
@click.option("--rows", default=50_000, show_default=True, help="Number of rows of each log.")
@click.option("--features", default="20,100,200", show_default=True, help="Numbers of features; empty for none.")
@click.option("--lists", default="5,50,200", show_default=True, help="Largest lengths of a list; empty for none.")
@click.option(
    "--markdown",
    "markdown_path",
    type=click.Path(dir_okay=False, path_type=pathlib.Path),
    help="Markdown file for the tables, between the marks of this benchmark if the file has them.",
)
def main(rows: int, features: str, lists: str, markdown_path: pathlib.Path | None) -> None:
    cases = [Case(int(count)) for count in features.split(",") if count]
    cases += [Case(_FEATURES_OF_LISTS, int(length)) for length in lists.split(",") if length]
    console = Console()
    if not console.is_terminal:
        console = Console(width=180)
    measured = {}
    for case in cases:
        with tempfile.TemporaryDirectory(prefix="tfmtl_wide_") as folder, console.status(f"{case.title} ..."):
            measured[case] = run(case, rows, pathlib.Path(folder))
    tables = [make_steps_table(rows, measured), make_training_table(measured)]
    for table in tables:
        console.print(table)
    if markdown_path:
        page.write_tables(markdown_path, "wide", ("tensorflow", "tensorflow-transform", "keras"), tables)


if __name__ == "__main__":
    main()
