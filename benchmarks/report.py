"""Table of a run of `benchmarks.train`, for a terminal and as Markdown."""

from collections.abc import Sequence

from rich.table import Table

from benchmarks.page import markdown_row
from benchmarks.results import COLUMNS, Results


def terminal_table(results: Results) -> Table:
    """Returns the table for a terminal.

    Args:
        results: Results of all rows.
    """
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
    """Returns a line for each bound, with the measured value and whether the bound holds.

    Args:
        results: Results of all rows.
    """
    return [f"{'pass' if holds else 'FAIL'}  {text}" for text, holds in results.checks()]


def markdown(results: Results, notes: Sequence[str]) -> str:
    """Returns machine and command, the table, and the checks as Markdown.

    Args:
        results: Results of all rows.
        notes: Lines about machine, versions, command and method.
    """
    lines = [f"- {note}" for note in notes]
    for title, rows in results.sections():
        lines += ["", f"**{title}**", "", markdown_row(COLUMNS), markdown_row(["---", *["---:"] * (len(COLUMNS) - 1)])]
        lines += [markdown_row(row) for row in rows]
    checks = check_lines(results)
    if checks:
        lines += ["", "```text", *checks, "```"]
    return "\n".join(lines) + "\n"
