"""Blocks of a page: text, tables that sort, and figures, grouped in sections."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

NO_VALUE = "–"  # noqa: RUF001
"""Text of a value that is not defined."""


@dataclasses.dataclass(frozen=True)
class Cell:
    """Cell of a table.

    Attributes:
        text: Text of the cell.
        number: Number by which the column is sorted; None to sort by the text.
        tone: `good`, `bad`, `open` or empty; the text says the same, as colour alone is not readable by everyone.
        link: Address that the text links to; empty for none.
    """

    text: str
    number: float | None = None
    tone: str = ""
    link: str = ""


@dataclasses.dataclass(frozen=True)
class DataTable:
    """Table whose columns sort when their header is pressed.

    Attributes:
        columns: Names of the columns.
        rows: Cells of each row.
        caption: Sentence above the table.
        filter: Name of the column whose values can be searched for; empty for no search field.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""
    filter: str = ""

    def is_number(self, column: int) -> bool:
        """Returns True if a column has numbers, which are aligned on the right.

        Args:
            column: Index of the column.
        """
        return any(row[column].number is not None for row in self.rows)


@dataclasses.dataclass(frozen=True)
class Figure:
    """Figure with its caption.

    Attributes:
        name: Identifier on the page, of letters, digits and hyphens.
        title: Title.
        caption: What it shows, and how to read it.
        spec: Vega-Lite specification with its data.
        wide: Whether it takes the whole width of the page.
    """

    name: str
    title: str
    caption: str
    spec: Mapping[str, Any]
    wide: bool = False


@dataclasses.dataclass(frozen=True)
class Text:
    """Paragraph.

    Attributes:
        text: The text.
        tone: `good`, `bad` or empty.
    """

    text: str
    tone: str = ""


@dataclasses.dataclass(frozen=True)
class Code:
    """Preformatted text under a summary that opens it.

    Attributes:
        title: The summary.
        text: The text.
    """

    title: str
    text: str


@dataclasses.dataclass(frozen=True)
class Choices:
    """Boxes that show or hide values in all tables with a column, and all figures with a field, of that name.

    Attributes:
        title: Title of the boxes.
        field: Name of the column and of the field.
        values: Values, each of which has a box.
    """

    title: str
    field: str
    values: tuple[str, ...]


Block = DataTable | Figure | Text | Code


@dataclasses.dataclass(frozen=True)
class Section:
    """Section of a page.

    Attributes:
        name: Identifier on the page.
        title: Title.
        blocks: Content, in order. Consecutive figures stand beside each other where the page is wide enough.
    """

    name: str
    title: str
    blocks: tuple[Block, ...]


def number(value: float | None, pattern: str = ".4f", tone: str = "") -> Cell:
    """Returns the cell of a number, which is a dash if it is not defined.

    Args:
        value: The number; None or NaN if it is not defined.
        pattern: Format of the number.
        tone: Tone of the cell.

    Example:
        >>> from pipelines.report.page.blocks import number
        >>> number(0.74231).text, number(float("nan")).number
        ('0.7423', None)
    """
    if value is None or math.isnan(value):
        return Cell(NO_VALUE)
    return Cell(format(value, pattern), float(value), tone)


def estimate(value: float, error: float, pattern: str = ".4f") -> Cell:
    """Returns the cell of a number with its standard error, which sorts by the number.

    Args:
        value: The number; NaN if it is not defined.
        error: Its standard error; NaN if it is not known.
        pattern: Format of the number.

    Example:
        >>> from pipelines.report.page.blocks import estimate
        >>> estimate(0.74231, 0.0051).text
        '0.7423 ± 0.0051'
    """
    cell = number(value, pattern)
    if cell.number is None or math.isnan(error):
        return cell
    return dataclasses.replace(cell, text=f"{cell.text} ± {format(error, pattern.lstrip('+'))}")


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], caption: str = "", search: str = "") -> DataTable:
    """Creates a table without the columns that have no value; another value stands for a cell with its text.

    Args:
        columns: Names of the columns.
        rows: Cells of each row.
        caption: Sentence above the table.
        search: Name of the column whose values can be searched for; empty for none.
    """
    cells = [[one if isinstance(one, Cell) else Cell(str(one)) for one in row] for row in rows]
    kept = [index for index in range(len(columns)) if any(row[index].text not in ("", NO_VALUE) for row in cells)]
    shown = tuple(tuple(row[index] for index in kept) for row in cells)
    names = tuple(columns[index] for index in kept)
    return DataTable(names, shown, caption, search if search in names else "")
