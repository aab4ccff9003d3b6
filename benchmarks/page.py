"""What the benchmarks share of the page they write, `benchmarks/README.md`: machine, versions, tables, marks."""

import datetime
import os
import pathlib
import platform
import shlex
import sys
from collections.abc import Sequence
from importlib import metadata

from rich.table import Table

_PLACES = ("--json", "--markdown", "--rivals-env")


def setting(module: str, packages: Sequence[str], device: str = "cpu", more: Sequence[str] = ()) -> list[str]:
    """Machine, versions and command, a line each.

    Args:
        module: that the command runs.
        packages: whose versions are told.
        device: on which was measured.
        more: versions of what is not installed here.
    """
    versions = [*(f"{name} {metadata.version(name)}" for name in packages), *more]
    command = shlex.join(["python", "-m", module, *without_places(sys.argv[1:])])
    cores = len(os.sched_getaffinity(0))
    return [
        f"Machine: {machine(cores)}; device: {device}; {datetime.date.today()}.",
        f"Software: Python {sys.version.split()[0]}, {', '.join(versions)}.",
        f"Command: `{command}`.",
    ]


def without_places(words: Sequence[str]) -> list[str]:
    """The words of a command less the options that name a file or folder, which are one machine's."""
    kept, words = [], iter(words)
    for word in words:
        if word.partition("=")[0] not in _PLACES:
            kept.append(word)
        elif "=" not in word:
            next(words, None)
    return kept


def machine(cores: int) -> str:
    """Processor, cores and memory of this machine."""
    fields = {}
    for path in ("/proc/cpuinfo", "/proc/meminfo"):
        for line in reversed(pathlib.Path(path).read_text(encoding="utf-8").splitlines()):
            name, _, value = line.partition(":")
            fields[name.strip()] = value.strip()
    memory = int(fields["MemTotal"].split()[0]) / 2**20
    return f"{fields.get('model name', platform.machine())}, {cores} cores, {memory:.0f} GB of memory"


def cells(entries: Sequence[str]) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(entries)} |"


def markdown_of(table: Table) -> str:
    """A table of rich as Markdown, its title above it."""
    columns = table.columns
    marks = ["---:" if column.justify == "right" else "---" for column in columns]
    rows = zip(*(list(map(str, column.cells)) for column in columns), strict=True)
    lines = [f"**{table.title}**", "", *map(cells, ([str(column.header) for column in columns], marks, *rows))]
    return "\n".join(lines) + "\n"


def write_section(path: pathlib.Path, name: str, text: str) -> None:
    """Writes the text between the marks of a benchmark's name in the file, or at its end where there are none."""
    begin, end = (f"<!-- benchmarks.{name}: {place} -->" for place in ("begin", "end"))
    block = f"{begin}\n{text}{end}"
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    before, found, rest = old.partition(begin)
    _, closed, after = rest.partition(end)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{before}{block}{after}" if found and closed else f"{old}{block}\n", encoding="utf-8")
