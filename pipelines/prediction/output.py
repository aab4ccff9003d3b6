"""Output of rows with their scores, as CSV or as a table in the terminal."""

import csv
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from transforms.batches.rejects import format_csv_rows
from transforms.storage.atomic import atomic_file

_CHUNK_ROWS = 1 << 14
_MAX_CELL = 24
_PADDING = 3
"""Width of a border and the spaces beside a value."""


def name_scores(scores: Mapping[str, np.ndarray], columns: Sequence[str]) -> dict[str, np.ndarray]:
    """Renames scores that are called like a column of the rows: `ctr` becomes `ctr_predicted`.

    Args:
        scores: Scores by the name of the output.
        columns: Names of the columns of the rows.

    Returns:
        The scores, in the same order, by names that no column has.
    """
    named: dict[str, np.ndarray] = {}
    for output, values in scores.items():
        name = output
        while name in columns or name in named or (name != output and name in scores):
            name += "_predicted"
        named[name] = values
    return named


def write_csv(path: str, rows: pa.Table, scores: Mapping[str, np.ndarray]) -> None:
    """Writes rows with their scores behind them. Lists are written as JSON, missing values as empty ones.

    Args:
        path: Path of the CSV, which is replaced once all rows are written.
        rows: Rows, as they were read.
        scores: Scores by name, each of shape `(rows,)`.
    """
    with atomic_file(path) as staged, open(staged, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerow([*rows.column_names, *scores])
        for start in range(0, rows.num_rows, _CHUNK_ROWS):
            indices = np.arange(start, min(start + _CHUNK_ROWS, rows.num_rows))
            lines = format_csv_rows(rows, indices)
            for index, line in zip(indices, lines, strict=True):
                file.write(",".join([line, *(str(values[index]) for values in scores.values())]) + "\n")


def scores_table(rows: pa.Table, scores: Mapping[str, np.ndarray], title: str, width: int) -> tuple[Table, list[str]]:
    """Formats rows and their scores as a table of as many columns as fit; the scores come first in case of doubt.

    Args:
        rows: Rows, as they were read.
        scores: Scores by name, each of shape `(rows,)`.
        title: Title of the table.
        width: Width of the terminal, in characters.

    Returns:
        The table, and the names of the columns that it does not show. A value of more than 24 characters is cut and
        ends in an ellipsis.
    """
    cells = {name: [f"{value:.4f}" for value in values] for name, values in scores.items()}
    left = width - 1 - sum(_width(name, values) for name, values in cells.items())
    shown: dict[str, list[str]] = {}
    hidden: list[str] = []
    for name in rows.column_names:
        values = [_shorten(value) for value in rows.column(name).to_pylist()]
        if _width(name, values) <= left and not hidden:
            shown[name] = values
            left -= _width(name, values)
        else:
            hidden.append(name)
    table = Table(title=title, title_justify="left")
    for name in [*shown, *cells]:
        table.add_column(Text(name), justify="right" if name in cells else "left", no_wrap=name in shown)
    for row in zip(*shown.values(), *cells.values(), strict=True):
        table.add_row(*map(Text, row))
    return table, hidden


def _width(name: str, values: Sequence[str]) -> int:
    return max(map(cell_len, [name, *values])) + _PADDING


def _shorten(value: Any) -> str:
    text = "" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    text = " ".join(text.split())
    return text if len(text) <= _MAX_CELL else text[: _MAX_CELL - 1] + "…"
