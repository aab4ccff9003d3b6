"""Measure the peak memory of `tfmtl compare` on simulated logs of several sizes, for the command and for each run.

The memory is what the processes allocate (`RssAnon`); pages of files, which the kernel frees when memory is short, are
not part of it. 1,000,000 rows take about six minutes of processor time.
"""

import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping

import click
import yaml
from rich.console import Console
from rich.table import Table

from benchmarks import page

_BASE = pathlib.Path(__file__).parents[1] / "examples" / "demo.yaml"
_SECONDS_BETWEEN_LOOKS = 0.2
COMMAND = "the command"
"""Name of the process that prepares the rows and starts the runs."""
Peaks = Mapping[str, float]
"""Peak memory in MB by process."""


def comparison(rows: int) -> dict[str, object]:
    """Returns the settings of a short comparison.

    Args:
        rows: Number of rows of the simulated log.
    """
    return {
        "name": "memory",
        "base": str(_BASE),
        "simulator": {"rows": rows},
        "seeds": [1],
        "preset": None,
        "reference": "logistic_regression",
        "training": {"max_epochs": 1, "batch_size": 8192},
        "models": {"logistic_regression": {}, "lightgbm": {"options": {"max_rounds": 10}}, "mmoe": {}},
    }


def measure(rows: int) -> Peaks:
    """Returns the peak memory of each process of a comparison.

    Args:
        rows: Number of rows of the simulated log.

    Raises:
        click.ClickException: If the comparison fails.
    """
    with tempfile.TemporaryDirectory(prefix="tfmtl_compare_") as name:
        path = pathlib.Path(name, "memory.yaml")
        path.write_text(yaml.safe_dump(comparison(rows), sort_keys=False), encoding="utf-8")
        command = [sys.executable, "-m", "pipelines.cli", "compare", str(path), "--out", str(path.with_name("out"))]
        with path.with_name("log.txt").open("w+") as log:
            code, peaks = peak_memory(command, log)
            log.seek(0)
            if code != 0:
                raise click.ClickException(f"tfmtl compare failed:\n{log.read()[-4000:]}")
    return peaks


def peak_memory(command: list[str], log: object = None) -> tuple[int, Peaks]:
    """Runs a command, and looks at the memory of its processes several times a second.

    Args:
        command: The command.
        log: File that receives its output.

    Returns:
        The exit code, and the peak memory in MB by process: `COMMAND`, and the title of each run.
    """
    peaks: dict[str, float] = {}
    with subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT) as process:  # type: ignore[call-overload]
        while process.poll() is None:
            for pid in _descendants(process.pid):
                try:
                    title = COMMAND if pid == process.pid else _title(pid)
                    peaks[title] = max(peaks.get(title, 0.0), _memory_mb(pid))
                except (OSError, LookupError):  # It has ended.
                    continue
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        return process.returncode, {title: peak for title, peak in peaks.items() if title}


def make_table(measured: Mapping[int, Peaks]) -> Table:
    """Creates the table of the peaks, with the bytes for each row between the smallest and the largest log.

    Args:
        measured: Peaks by number of rows.
    """
    few, many = min(measured), max(measured)
    shown = Table(title="Peak memory of a comparison, MB", title_justify="left")
    shown.add_column("")
    for rows in measured:
        shown.add_column(f"{rows:,} rows", justify="right")
    shown.add_column("bytes for a further row", justify="right")
    for title in measured[few]:
        cells = [f"{peaks[title]:,.0f}" for peaks in measured.values()]
        growth = (measured[many][title] - measured[few][title]) * 1e6 / (many - few) if many > few else 0.0
        shown.add_row(title, *cells, f"{growth:,.0f}" if many > few else "-")
    return shown


def _descendants(pid: int) -> Iterator[int]:
    yield pid
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = path.read_text(encoding="ascii").split()
        except OSError:
            continue
        for child in children:
            yield from _descendants(int(child))


def _title(pid: int) -> str:
    """Returns the title that `tfmtl compare` gives the process of a run; an empty string for other processes."""
    prefix = b"TFMTL_PROGRESS_TITLE="
    variables = pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return next((one.removeprefix(prefix).decode() for one in variables if one.startswith(prefix)), "")


def _memory_mb(pid: int) -> float:
    lines = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    # A process that has ended, but whose end its parent has not read yet, has no such line.
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) * 1024 / 1e6


@click.command(help=__doc__)
@click.option("--rows", default="1000000,3000000", show_default=True, help="Numbers of rows, separated by commas.")
@click.option("--markdown", type=click.Path(dir_okay=False, path_type=pathlib.Path), help="Markdown file of the page.")
def main(rows: str, markdown: pathlib.Path | None) -> None:
    """Measures all sizes and prints the table."""
    table = make_table({int(count): measure(int(count)) for count in rows.split(",")})
    Console().print(table)
    if markdown:
        page.write_tables(markdown, "compare_memory", ("tensorflow", "lightgbm", "scikit-learn"), [table])


if __name__ == "__main__":
    main()
