"""Measure the time from raw log to pushed model for logs of the shape of Ali-CCP, by their number of rows.

One epoch of Shared-Bottom is trained. The smallest log is also read by TFX's default components and trained on by
torch-rechub. 85,000,000 rows take about an hour on two cores, and 40 GB of disk. A call that
was interrupted continues where it stopped.
"""

import json
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import click
import joblib
from rich.console import Console
from rich.table import Table

from benchmarks import page
from benchmarks.protocol import results
from benchmarks.rivals import DEFAULT_ENVIRONMENT, rival_versions
from benchmarks.scale_log import SETTINGS, write_files
from benchmarks.scale_peers import make_peer_table, measure_peers

STEPS = {
    "imports": "imports",
    "LogExampleGen": "reading",
    "StatisticsGen": "statistics of a sample",
    "Transform": "transform graph",
    "Trainer": "one epoch, validation, export",
    "Evaluator": "evaluation",
    "Pusher": "push",
}
"""Names of the steps by component; the other ones take less than a second each."""
RUN = "run"
PEERS = "peers.json"
_PACKAGES = ("tfx", "tensorflow", "apache-beam", "pyarrow")
Measured = Mapping[str, Any]
"""Rows and bytes of a log, and the measurements of the steps."""


def measure(rows: int, work: pathlib.Path) -> dict[str, Any]:
    """Writes a log and runs the pipeline in a process of its own.

    Args:
        rows: Number of rows of the log.
        work: Folder of the log and of the run.

    Raises:
        click.ClickException: If the process fails; the message has the end of its output.
    """
    log = write_files(rows, work / "log", joblib.cpu_count())
    job = {"settings": str(SETTINGS), "log": str(work / "log"), "out": str(work / RUN)}
    output = work / "output.txt"
    with output.open("a+", encoding="utf-8") as file:
        command = [sys.executable, "-m", "benchmarks.measure_scale"]
        subprocess.run(command, input=json.dumps(job) + "\n", stdout=file, stderr=file, text=True, check=False)
        file.seek(0)
        answers = results(file.read())
    if not answers or "error" in answers[-1]:
        raise click.ClickException(f"{rows:,} rows failed:\n{output.read_text(encoding='utf-8')[-4000:]}")
    return {**log, **answers[-1]}


def make_table(measured: Measured) -> Table:
    """Creates the table of one size: seconds, rows per second, peak memory and size of the outputs of each step.

    Args:
        measured: Measurements of a log.
    """
    rows = measured["rows"]
    title = f"{rows:,} rows, {measured['bytes'] / 1e9:.1f} GB of CSV"
    shown = Table(title=title, title_justify="left")
    for column in ("step", "s", "rows/s", "peak GB", "outputs GB"):
        shown.add_column(column, justify="left" if column == "step" else "right")
    for name, text in STEPS.items():
        step = measured["steps"][name]
        cells = [f"{step['seconds']:.1f}", f"{rows / step['seconds']:,.0f}" if name != "imports" else ""]
        shown.add_row(text, *cells, f"{step['memory'] / 1e9:.1f}", f"{step.get('disk', 0) / 1e9:.2f}")
    shown.add_section()
    seconds, memory, disk = totals(measured)
    cells = [f"{seconds:.1f}", f"{rows / seconds:,.0f}", f"{memory / 1e9:.1f}", f"{disk / 1e9:.2f}"]
    shown.add_row("all", *cells)
    return shown


def totals(measured: Measured) -> tuple[float, float, float]:
    """Returns the seconds of all steps, the largest peak memory, and the size of all outputs, in bytes."""
    steps = measured["steps"].values()
    disk = sum(step.get("disk", 0) for step in steps) + measured["served"]
    return sum(step["seconds"] for step in steps), max(step["memory"] for step in steps), disk


def make_growth_table(measured: Mapping[int, Measured]) -> Table:
    """Creates the table of the growth of each step between the sizes of the log.

    Between two sizes, a step's growth is the seconds of the larger one over those of the smaller one and of as many
    rows more at the pace that the step has between the smallest two sizes. 1 is linear growth.

    Args:
        measured: Measurements by number of rows, of at least two sizes.
    """
    sizes = sorted(measured)
    shown = Table(title="Growth with the number of rows", title_justify="left")
    for column in ("step", "us a further row", *(f"to {size:,} rows" for size in sizes[2:])):
        shown.add_column(column, justify="left" if column == "step" else "right")
    for name, text in STEPS.items():
        seconds = [measured[size]["steps"][name]["seconds"] for size in sizes]
        pace = (seconds[1] - seconds[0]) / (sizes[1] - sizes[0])
        cells = [f"{1e6 * (seconds[-1] - seconds[0]) / (sizes[-1] - sizes[0]):.2f}"]
        for i in range(2, len(sizes)):
            linear = seconds[i - 1] + max(pace, 0) * (sizes[i] - sizes[i - 1])
            cells.append(f"{seconds[i] / linear:.2f}")
        shown.add_row(text, *cells)
    return shown


@click.command(help=__doc__)
@click.option("--rows", default="1000000,10000000,85000000", show_default=True, help="Numbers of rows of the log.")
@click.option(
    "--work",
    default="build/benchmarks/scale",
    show_default=True,
    type=click.Path(file_okay=False, path_type=pathlib.Path),
)
@click.option("--peers/--no-peers", default=True, help="Measure the peers on the smallest log.")
@click.option(
    "--rivals-env",
    default=str(DEFAULT_ENVIRONMENT),
    type=click.Path(file_okay=False, path_type=pathlib.Path),
    help="Folder of torch-rechub's environment, which is installed once.",
)
@click.option("--keep", is_flag=True, help="Keep the log and the run of a size that is measured.")
@click.option(
    "--markdown",
    "markdown_path",
    type=click.Path(dir_okay=False, path_type=pathlib.Path),
    help="Markdown file for the tables, between the marks of this benchmark if the file has them.",
)
def main(
    rows: str,
    work: pathlib.Path,
    peers: bool,
    rivals_env: pathlib.Path,
    keep: bool,
    markdown_path: pathlib.Path | None,
) -> None:
    console = Console() if Console().is_terminal else Console(width=120)
    measured: dict[int, dict[str, Any]] = {}
    shown: list[Table] = []
    compared: list[Table] = []
    for count in sorted(int(size) for size in rows.split(",")):
        folder = work.absolute() / str(count)
        result = folder / "result.json"
        if not result.exists():
            with console.status(f"{count:,} rows; steps: {folder / RUN / 'steps.json'} ..."):
                found = measure(count, folder)
            result.write_text(json.dumps(found), encoding="utf-8")
        measured[count] = json.loads(result.read_text(encoding="utf-8"))
        if peers and len(measured) == 1:
            with console.status(f"peers on {count:,} rows ..."):
                compared.append(_compare(measured[count], folder, rivals_env.absolute()))
        if not keep:
            for name in ("log", RUN):
                shutil.rmtree(folder / name, ignore_errors=True)
        shown.append(make_table(measured[count]))
        console.print(shown[-1])
    if len(measured) > 1:
        shown.append(make_growth_table(measured))
        console.print(shown[-1])
    for table in compared:
        console.print(table)
    if markdown_path:
        page.write_tables(markdown_path, "scale", _PACKAGES, shown)
        if compared:
            page.write_tables(markdown_path, "scale_peers", _PACKAGES, compared, "scale", rival_versions())


def _compare(measured: Measured, folder: pathlib.Path, environment: pathlib.Path) -> Table:
    try:
        measure_peers(measured, folder / "log", environment, folder / PEERS)
    except RuntimeError as error:
        raise click.ClickException(str(error)) from error
    return make_peer_table(measured, json.loads((folder / PEERS).read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
