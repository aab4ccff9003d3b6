"""Tables that fit the width of the terminal without cutting a name."""

import math
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

_NARROWEST = 18
"""Width at which a longer word of a text column may be broken over lines."""
_UNLIMITED = 100_000


def fitted(table: Table, console: Console) -> RenderableType:
    """Returns a table that shows every character of its cells in the width of a console.

    A table that is too wide has narrower columns of text, in which words, and names longer than 18 characters, continue
    on the next line; numbers are never broken. If that is not enough, each row becomes a record with a line per column.

    Args:
        table: The table, whose columns have the widths of their cells; it is changed.
        console: Console that gives the width.
    """
    texts = [_texts([column.header, *column.cells], console) for column in table.columns]
    natural = [max(map(_width, cells), default=0) for cells in texts]
    whole = console.measure(table, options=console.options.update(width=_UNLIMITED)).maximum
    frame = whole - sum(natural)
    room = console.width - frame
    if sum(natural) <= room:
        return table
    least = [
        _least(cells, wide, column.justify == "right")
        for cells, wide, column in zip(texts, natural, table.columns, strict=True)
    ]
    if sum(least) > room:
        return _records(table, texts)
    for column, width in zip(table.columns, _shared(least, natural, room), strict=True):
        column.width, column.overflow, column.no_wrap = width, "fold", False
    return table


def _texts(cells: Sequence[RenderableType], console: Console) -> list[Text]:
    return [cell if isinstance(cell, Text) else console.render_str(str(cell)) for cell in cells]


def _width(text: Text) -> int:
    return max((Text(line).cell_len for line in text.plain.splitlines()), default=0)


def _least(cells: Sequence[Text], natural: int, is_number: bool) -> int:
    """Returns the smallest width of a column: that of its longest word, which only a column of text may break."""
    longest = max((Text(word).cell_len for text in cells for word in text.plain.split()), default=0)
    return min(longest, natural) if is_number else min(longest, natural, _NARROWEST)


def _shared(least: Sequence[int], natural: Sequence[int], room: int) -> list[int]:
    """Returns widths between the smallest and the natural ones that fill the room.

    The columns that need least are served first, so that as many as possible have their natural width.
    """
    widths, spare = list(least), room - sum(least)
    open_columns = sorted(range(len(least)), key=lambda i: natural[i] - least[i])
    while open_columns:
        column = open_columns[0]
        share = math.floor(spare / len(open_columns))
        more = min(share, natural[column] - least[column])
        widths[column] += more
        spare -= more
        open_columns.pop(0)
    return widths


def _records(table: Table, texts: Sequence[Sequence[Text]]) -> RenderableType:
    """Returns a table as records: for each row, a line with the name and the value of each column that has one."""
    headings = [" ".join(cells[0].plain.split()) for cells in texts]
    parts: list[RenderableType] = [Text.from_markup(str(table.title))] if table.title else []
    for number, row in enumerate(zip(*(cells[1:] for cells in texts), strict=True)):
        record = Table.grid(padding=(0, 2, 0, 0))
        record.add_column(overflow="fold", style="dim")
        record.add_column(overflow="fold", style=table.rows[number].style or "")
        for heading, cell in zip(headings, row, strict=True):
            if cell.plain:
                record.add_row(Text(heading), cell)
        parts += [*([Text()] if number else []), record]
    return Group(*parts)
