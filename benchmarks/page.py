"""Parts of the page `benchmarks/README.md` that the benchmarks write: machine, versions, tables and sections."""

import datetime
import os
import pathlib
import platform
import shlex
import sys
from collections.abc import Iterable, Sequence
from importlib import metadata

from rich.table import Table

_PATH_OPTIONS = ("--json", "--markdown", "--rivals-env", "--work")


def environment_notes(
    module: str, packages: Sequence[str], device: str = "cpu", other_versions: Sequence[str] = ()
) -> list[str]:
    """Returns lines about machine, versions and command.

    Args:
        module: Module that the command runs.
        packages: Packages whose versions are listed.
        device: Device of the measurement.
        other_versions: Names and versions of packages of other environments.
    """
    versions = [*(f"{name} {metadata.version(name)}" for name in packages), *other_versions]
    command = shlex.join(["python", "-m", module, *without_paths(sys.argv[1:])])
    cores = len(os.sched_getaffinity(0))
    return [
        f"Machine: {machine(cores)}; device: {device}; {datetime.date.today()}.",
        f"Software: Python {sys.version.split()[0]}, {', '.join(versions)}.",
        f"Command: `{command}`.",
    ]


def without_paths(arguments: Sequence[str]) -> list[str]:
    """Removes the options that name a file or folder of this machine from a command line.

    Args:
        arguments: Arguments of the command line.
    """
    kept, remaining = [], iter(arguments)
    for argument in remaining:
        if argument.partition("=")[0] not in _PATH_OPTIONS:
            kept.append(argument)
        elif "=" not in argument:
            next(remaining, None)
    return kept


def machine(cores: int) -> str:
    """Returns processor, cores and memory of this machine.

    Args:
        cores: Number of cores that this process may use.
    """
    fields = {}
    for path in ("/proc/cpuinfo", "/proc/meminfo"):
        for line in reversed(pathlib.Path(path).read_text(encoding="utf-8").splitlines()):
            name, _, value = line.partition(":")
            fields[name.strip()] = value.strip()
    memory = int(fields["MemTotal"].split()[0]) / 2**20
    return f"{fields.get('model name', platform.machine())}, {cores} cores, {memory:.0f} GB of memory"


def markdown_row(cells: Sequence[str]) -> str:
    """Returns a row of a Markdown table.

    Args:
        cells: Text of the cells.
    """
    return f"| {' | '.join(cells)} |"


def markdown_table(table: Table) -> str:
    """Converts a table of rich to Markdown, with its title above it.

    Args:
        table: Table with a title and texts in its cells.
    """
    columns = table.columns
    marks = ["---:" if column.justify == "right" else "---" for column in columns]
    rows = zip(*(list(map(str, column.cells)) for column in columns), strict=True)
    header = [str(column.header) for column in columns]
    lines = [f"**{table.title}**", "", *map(markdown_row, (header, marks, *rows))]
    return "\n".join(lines) + "\n"


def write_section(path: pathlib.Path, name: str, text: str) -> None:
    """Writes a text between the marks of a benchmark, or at the end of the file if it has no such marks.

    Args:
        path: Markdown file; it is created if it does not exist.
        name: Name of the benchmark.
        text: Text of the section.
    """
    begin, end = (f"<!-- benchmarks.{name}: {place} -->" for place in ("begin", "end"))
    block = f"{begin}\n{text}{end}"
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    before, found, rest = old.partition(begin)
    _, closed, after = rest.partition(end)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{before}{block}{after}" if found and closed else f"{old}{block}\n", encoding="utf-8")


def write_tables(
    path: pathlib.Path,
    name: str,
    packages: Sequence[str],
    tables: Iterable[Table],
    module: str = "",
    peers: Sequence[str] = (),
) -> None:
    """Writes notes about machine and versions, and tables, between the marks of a benchmark (`write_section`).

    Args:
        path: Markdown file.
        name: Name of the marks.
        packages: Packages whose versions are listed.
        tables: Tables of rich.
        module: Module of the benchmark; that of `name` by default.
        peers: Names and versions of packages of other environments.
    """
    notes = "".join(
        f"- {note}\n" for note in environment_notes(f"benchmarks.{module or name}", packages, other_versions=peers)
    )
    write_section(path, name, "\n".join([notes, *map(markdown_table, tables)]))
