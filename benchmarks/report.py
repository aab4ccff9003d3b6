"""The table of a run: for a terminal, and as Markdown for the README."""

from collections.abc import Sequence

from rich.table import Table

from benchmarks.page import cells
from benchmarks.results import COLUMNS, Results


def terminal_table(results: Results) -> Table:
    """The table as `rich` prints it."""
    table = Table(*COLUMNS, title="training")
    for column in table.columns[1:]:
        column.justify = "right"
    table.columns[0].overflow = "fold"
    for title, lines in results.sections():
        table.add_section()
        table.add_row(f"[bold]{title}[/bold]")
        for line in lines:
            table.add_row(*line)
    return table


def check_lines(results: Results) -> list[str]:
    """One line a bound: its measured value, and whether it holds."""
    return [f"{'pass' if holds else 'FAIL'}  {text}" for text, holds in results.checks()]


def markdown(results: Results, notes: Sequence[str]) -> str:
    """Machine and command, the table, and the checks."""
    lines = [f"- {note}" for note in notes]
    for title, rows in results.sections():
        lines += ["", f"**{title}**", "", cells(COLUMNS), cells(["---", *["---:"] * (len(COLUMNS) - 1)])]
        lines += [cells(row) for row in rows]
    checks = check_lines(results)
    if checks:
        lines += ["", "```text", *checks, "```"]
    return "\n".join(lines) + "\n"
