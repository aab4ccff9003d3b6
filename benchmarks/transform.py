"""Measure the time from a raw CSV file to data that are ready for training, compared with TFX's default components.

Both pipelines read the same rows. 2,000,000 rows take the default components a quarter of an hour.
"""

import json
import pathlib
import tempfile
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from benchmarks import page
from benchmarks.protocol import run_job

SETTINGS = pathlib.Path(__file__).with_name("transform.yaml")
KINDS = ("tfx", "tfmtl")
STEPS = {
    "tfx": ("CsvExampleGen", "StatisticsGen", "SchemaGen", "ExampleValidator", "Transform"),
    "tfmtl": ("LogExampleGen", "StatisticsGen", "SchemaGen", "ExampleValidator", "Transform"),
}
Measured = dict[str, Any]
"""Seconds and peak memory of a pipeline."""


def write_log(rows: int, folder: pathlib.Path) -> None:
    """Simulates the log of `SETTINGS`.

    Args:
        rows: Number of rows.
        folder: Folder of the log.
    """
    from pipelines.settings_file import load_settings
    from tfmtl import config
    from transforms.simulation.options import SimulatorOptions
    from transforms.simulation.simulator import simulate

    settings = load_settings(SETTINGS)
    plain = {**config.to_plain(settings.simulator), "rows": rows}
    simulate(settings.spec, config.build(SimulatorOptions, config.Document(plain)), folder)


def run(kind: str, log: pathlib.Path, out: str) -> Measured:
    """Runs one of the pipelines in a process.

    Args:
        kind: Name of the pipeline, one of `KINDS`.
        log: Folder of the log.
        out: Folder of the artifacts.

    Raises:
        click.ClickException: If the process fails; the message has the end of its output.
    """
    job = {"kind": kind, "settings": str(SETTINGS), "log": str(log), "out": out}
    try:
        return run_job("benchmarks.measure_transform", job)
    except RuntimeError as error:
        raise click.ClickException(f"{kind}: {error}") from error


def make_table(rows: int, measured: dict[str, Measured]) -> Table:
    """Creates the table of one size of the log: seconds, rows per second and peak memory of each component.

    Args:
        rows: Number of rows of the log.
        measured: Measurements by pipeline.
    """
    shown = Table(title=f"{rows:,} rows, 20 vocabularies", title_justify="left")
    for column in ("", *(f"{kind}: {unit}" for kind in measured for unit in ("s", "rows/s", "peak MB")), "ratio"):
        shown.add_column(column, justify="right" if column else "left")
    for i in range(len(STEPS["tfx"])):
        names = [STEPS[kind][i] for kind in measured]
        cells, times = [], []
        for kind, name in zip(measured, names, strict=True):
            seconds = measured[kind]["seconds"][name]
            cells += [f"{seconds:.1f}", f"{rows / seconds:,.0f}", f"{measured[kind]['memory'][name]:,.0f}"]
            times.append(seconds)
        shown.add_row(" / ".join(dict.fromkeys(names)), *cells, _ratio(times), end_section=i + 1 == len(STEPS["tfx"]))
    cells, times = [], []
    for one in measured.values():
        cells += [f"{one['total']:.1f}", f"{rows / one['total']:,.0f}", f"{max(one['memory'].values()):,.0f}"]
        times.append(one["total"])
    shown.add_row("all, imports included", *cells, _ratio(times))
    return shown


def make_cost_table(measured: dict[int, dict[str, Measured]]) -> Table:
    """Creates the table of the fixed cost and the rows per second, from the smallest and the largest log.

    Args:
        measured: Measurements by number of rows and pipeline.
    """
    few, many = min(measured), max(measured)
    shown = Table(title=f"From {few:,} and {many:,} rows", title_justify="left")
    for column in ("", *measured[few]):
        shown.add_column(column, justify="right" if column else "left")
    lines: dict[str, list[str]] = {"fixed, s": [], "each further row: rows/s": []}
    for kind in measured[few]:
        first, last = measured[few][kind]["total"], measured[many][kind]["total"]
        seconds_per_row = (last - first) / (many - few)
        lines["fixed, s"].append(f"{first - few * seconds_per_row:.1f}")
        lines["each further row: rows/s"].append(f"{1 / seconds_per_row:,.0f}")
    for name, cells in lines.items():
        shown.add_row(name, *cells)
    return shown


def _ratio(times: list[float]) -> str:
    return f"{times[0] / times[1]:.1f}" if len(times) == 2 else ""


@click.command(help=__doc__)
@click.option("--rows", default="20000,200000,2000000", show_default=True, help="Numbers of rows of the log.")
@click.option("--only", type=click.Choice(KINDS), help="Measure one of the pipelines.")
@click.option(
    "--markdown",
    "markdown_path",
    type=click.Path(dir_okay=False, path_type=pathlib.Path),
    help="Markdown file for the tables, between the marks of this benchmark if the file has them.",
)
@click.option(
    "--json", "json_path", type=click.Path(dir_okay=False, path_type=pathlib.Path), help="File for all measurements."
)
def main(rows: str, only: str | None, markdown_path: pathlib.Path | None, json_path: pathlib.Path | None) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=150)
    measured: dict[int, dict[str, Measured]] = {}
    shown = []
    with tempfile.TemporaryDirectory(prefix="tfmtl_transform_") as folder:
        for count in sorted(int(size) for size in rows.split(",")):
            log = pathlib.Path(folder) / str(count)
            with console.status(f"simulating {count:,} rows ..."):
                write_log(count, log)
            (log / "probabilities.csv").unlink()  # The true probabilities are not part of the log.
            measured[count] = {}
            for kind in [only] if only else KINDS:
                with console.status(f"{kind}, {count:,} rows ..."):
                    measured[count][kind] = run(kind, log, folder)
            shown.append(make_table(count, measured[count]))
            console.print(shown[-1])
    if len(measured) > 1:
        shown.append(make_cost_table(measured))
        console.print(shown[-1])
    if markdown_path:
        page.write_tables(markdown_path, "transform", ("tfx", "tensorflow", "apache-beam", "pyarrow"), shown)
    if json_path:
        json_path.write_text(json.dumps({str(count): one for count, one in measured.items()}, indent=1) + "\n")


if __name__ == "__main__":
    main()
