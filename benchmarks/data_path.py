"""Measure the data steps of `tfmtl run` by default, on one file and on many, compared with the same on one core.

The log is that of `benchmarks.transform`: 20 vocabularies and three numbers, 86 bytes of CSV a row. Each case runs in a
process of its own, without a cache. The time begins before the imports, which are measured apart.
"""

import dataclasses
import os
import pathlib
import tempfile
import time

import click
from rich.console import Console
from rich.table import Table

from benchmarks import page
from benchmarks.processes import in_processes
from benchmarks.transform import SETTINGS, write_log

ONE_CORE, ONE_FILE = "one core, one file", "all cores, one file"
READING = "LogExampleGen"
COLUMNS = ("", "s", "imports, s", "reading, s", "other steps, s", "rows/s", "speedup", "peak MB")


@dataclasses.dataclass(frozen=True)
class Measured:
    """Seconds from the start of the process, those of its imports and of each step, and its peak memory.

    Attributes:
        total: Seconds from the first import to the transform graph.
        imports: Seconds of the imports.
        steps: Seconds of each step.
        memory_mb: Peak memory of the process in MB.
    """

    total: float
    imports: float
    steps: dict[str, float]
    memory_mb: float


def many_files(folder: pathlib.Path, files: int, out: pathlib.Path) -> None:
    """Divides the log of a folder, a CSV with a header, into files of about equal sizes, each with the header.

    Args:
        folder: Folder of the log.
        files: Number of files.
        out: Folder of the new files.
    """
    (path,) = folder.glob("*.csv")
    out.mkdir()
    size = path.stat().st_size
    with path.open("rb") as log:
        header = log.readline()
        for i in range(files):
            with (out / f"part-{i:03d}.csv").open("wb") as part:
                part.write(header)
                while log.tell() < size * (i + 1) // files:
                    part.write(log.readline())


def measure(cores: int, log: str, out: str) -> Measured:
    """Runs the data steps of the pipeline.

    Args:
        cores: Number of cores that the process may use; all if 0.
        log: Folder of the log.
        out: Folder of the artifacts.
    """
    if cores:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    start = time.monotonic()
    from benchmarks.timing import peak_memory_mb
    from pipelines.runners.local import RunPaths, run_pipeline
    from pipelines.settings_file import load_settings

    imports = time.monotonic() - start
    settings = load_settings(SETTINGS, data=log)
    settings = dataclasses.replace(settings, data=dataclasses.replace(settings.data, pattern="*.csv"))
    steps: dict[str, float] = {}

    def on_progress(name: str, event: str) -> None:
        steps[name] = time.monotonic() - (0.0 if event == "start" else steps[name])

    with tempfile.TemporaryDirectory(dir=out) as folder:
        run_pipeline(settings, RunPaths(pathlib.Path(folder)), on_progress, cache=False, data_only=True)
        return Measured(time.monotonic() - start, imports, steps, peak_memory_mb())


def make_table(rows: int, measured: dict[str, Measured]) -> Table:
    """Creates the table of one log.

    Args:
        rows: Number of rows of the log.
        measured: Measurements by case, the first of which the others are compared with.
    """
    shown = Table(title=f"{rows:,} rows, 20 vocabularies", title_justify="left")
    for column in COLUMNS:
        shown.add_column(column, justify="right" if column else "left")
    first = next(iter(measured.values()))
    for name, one in measured.items():
        reading = one.steps[READING]
        seconds = (one.total, one.imports, reading, sum(one.steps.values()) - reading)
        cells = [*(f"{value:.1f}" for value in seconds), f"{rows / one.total:,.0f}", f"{first.total / one.total:.2f}"]
        shown.add_row(name, *cells, f"{one.memory_mb:,.0f}")
    return shown


@click.command(help=__doc__)
@click.option("--rows", default="240000,4800000", show_default=True, help="Numbers of rows of the log.")
@click.option("--files", default="32", show_default=True, help="Numbers of files into which the log is divided.")
@click.option("--markdown", type=click.Path(dir_okay=False, path_type=pathlib.Path), help="Markdown file of the page.")
def main(rows: str, files: str, markdown: pathlib.Path | None) -> None:
    """Measures all cases and prints the tables."""
    console = Console() if Console().is_terminal else Console(width=150)
    shown = []
    for count in sorted(int(size) for size in rows.split(",")):
        with tempfile.TemporaryDirectory(prefix="tfmtl_data_path_") as name:
            folder = pathlib.Path(name)
            with console.status(f"simulating {count:,} rows ..."):
                write_log(count, folder / "log")
            (folder / "log" / "probabilities.csv").unlink()  # The true probabilities are not part of the log.
            cases = {ONE_CORE: (1, str(folder / "log")), ONE_FILE: (0, str(folder / "log"))}
            for number in (int(one) for one in files.split(",")):
                many_files(folder / "log", number, folder / str(number))
                cases[f"all cores, {number} files"] = (0, str(folder / str(number)))
            found = in_processes(measure, [(*case, name) for case in cases.values()], f"{count:,} rows", console)
            shown.append(make_table(count, dict(zip(cases, found, strict=True))))
            console.print(shown[-1])
    if markdown:
        page.write_tables(markdown, "data_path", ("tfx", "tensorflow", "apache-beam", "pyarrow"), shown)


if __name__ == "__main__":
    main()
