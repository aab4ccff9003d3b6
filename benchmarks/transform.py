"""How fast a raw CSV becomes ready to train: each step, ours beside TFX's default components, on the same rows.

`python -m benchmarks.transform` prints a table; 2,000,000 rows of TFX's defaults take a quarter of an hour.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from benchmarks import page
from benchmarks.protocol import results

SETTINGS = pathlib.Path(__file__).with_name("transform.yaml")
KINDS = ("tfx", "tfmtl")
STEPS = {
    "tfx": ("CsvExampleGen", "StatisticsGen", "SchemaGen", "ExampleValidator", "Transform"),
    "tfmtl": ("LogExampleGen", "StatisticsGen", "SchemaGen", "ExampleValidator", "Transform"),
}
Measured = dict[str, Any]


def write_log(rows: int, folder: pathlib.Path) -> None:
    """The log of `SETTINGS`, with so many rows."""
    from pipelines.settings import load_settings
    from tfmtl import config
    from transforms.simulation.options import SimulatorOptions
    from transforms.simulation.simulator import simulate

    settings = load_settings(SETTINGS)
    plain = {**config.to_plain(settings.simulator), "rows": rows}
    simulate(settings.spec, config.build(SimulatorOptions, config.Document(plain)), folder)


def run(kind: str, log: pathlib.Path, out: str) -> Measured:
    """What one process measured.

    Raises:
        click.ClickException: with the end of what it printed, if it failed.
    """
    job = {"kind": kind, "settings": str(SETTINGS), "log": str(log), "out": out}
    command = [sys.executable, "-m", "benchmarks.measure_transform"]
    done = subprocess.run(command, input=json.dumps(job) + "\n", capture_output=True, text=True, check=False)
    found = results(done.stdout)
    if not found or "error" in found[0]:
        raise click.ClickException(f"{kind} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return found[0]


def table(rows: int, measured: dict[str, Measured]) -> Table:
    """One size: seconds, rows a second and peak memory of each step and of all."""
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


def costs(measured: dict[int, dict[str, Measured]]) -> Table:
    """Fixed cost and rows a second, from the smallest and the largest size."""
    few, many = min(measured), max(measured)
    shown = Table(title=f"From {few:,} and {many:,} rows", title_justify="left")
    for column in ("", *measured[few]):
        shown.add_column(column, justify="right" if column else "left")
    lines: dict[str, list[str]] = {"fixed, s": [], "each further row: rows/s": []}
    for kind in measured[few]:
        first, last = measured[few][kind]["total"], measured[many][kind]["total"]
        each = (last - first) / (many - few)
        lines["fixed, s"].append(f"{first - few * each:.1f}")
        lines["each further row: rows/s"].append(f"{1 / each:,.0f}")
    for name, cells in lines.items():
        shown.add_row(name, *cells)
    return shown


def _ratio(times: list[float]) -> str:
    return f"{times[0] / times[1]:.1f}" if len(times) == 2 else ""


@click.command(help=__doc__)
@click.option("--rows", default="20000,200000,2000000", show_default=True, help="Sizes of the log.")
@click.option("--only", type=click.Choice(KINDS), help="Measures one of the two.")
@click.option(
    "--markdown",
    "markdown_path",
    type=click.Path(dir_okay=False, path_type=pathlib.Path),
    help="Write the tables here: between the marks of a file that has them, such as benchmarks/README.md.",
)
@click.option("--json", "json_path", type=click.Path(dir_okay=False, path_type=pathlib.Path), help="Keeps all numbers.")
def main(rows: str, only: str | None, markdown_path: pathlib.Path | None, json_path: pathlib.Path | None) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=150)
    measured: dict[int, dict[str, Measured]] = {}
    shown = []
    with tempfile.TemporaryDirectory(prefix="tfmtl_transform_") as folder:
        for count in sorted(int(size) for size in rows.split(",")):
            log = pathlib.Path(folder) / str(count)
            with console.status(f"drawing {count:,} rows ..."):
                write_log(count, log)
            (log / "probabilities.csv").unlink()  # The truth, which is no part of the log.
            measured[count] = {}
            for kind in [only] if only else KINDS:
                with console.status(f"{kind}, {count:,} rows ..."):
                    measured[count][kind] = run(kind, log, folder)
            shown.append(table(count, measured[count]))
            console.print(shown[-1])
    if len(measured) > 1:
        shown.append(costs(measured))
        console.print(shown[-1])
    if markdown_path:
        notes = page.setting("benchmarks.transform", ("tfx", "tensorflow", "apache-beam", "pyarrow"))
        text = "\n".join(["\n".join(f"- {note}" for note in notes) + "\n", *map(page.markdown_of, shown)])
        page.write_section(markdown_path, "transform", text)
    if json_path:
        json_path.write_text(json.dumps({str(count): one for count, one in measured.items()}, indent=1) + "\n")


if __name__ == "__main__":
    main()
