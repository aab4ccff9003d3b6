"""Tables that fit the width of the terminal without cutting a name."""

import math
from collections.abc import Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

_NARROWEST = 18
"""Width at which a longer word of a text column may be broken over lines."""
_UNLIMITED = 100_000


def fitted(table: Table, console: Console) -> RenderableType:
    """Returns a table that shows every character of its cells in the width of a console.

    A table that is too wide has narrower columns of text, in which words, and names longer than 18 characters, continue
    on the next line; numbers are never broken. If that is not enough, it has no vertical lines. Then, its rows become
    columns if they are few, or else records with a line per column.

    Args:
        table: The table, whose columns have the widths of their cells; it is changed.
        console: Console that gives the width.
    """
    texts = [_texts([column.header, *column.cells], console) for column in table.columns]
    natural = [max(map(_width, cells), default=0) for cells in texts]
    room = console.width - _frame(table, natural, console)
    if sum(natural) <= room:
        return table
    least = [
        _least(cells, wide, column.justify == "right")
        for cells, wide, column in zip(texts, natural, table.columns, strict=True)
    ]
    if sum(least) > room:
        table.box, table.padding, table.pad_edge, table.show_lines = box.SIMPLE_HEAD, (0, 1, 0, 0), False, False
        room = console.width - _frame(table, natural, console)
    if sum(least) > room:
        turned = _turned(table, texts, console)
        return turned if _measure(turned, console) <= console.width else _records(table, texts)
    for column, width in zip(table.columns, _shared(least, natural, room), strict=True):
        column.width, column.overflow, column.no_wrap = width, "fold", False
    return table


def _measure(table: Table, console: Console) -> int:
    return console.measure(table, options=console.options.update(width=_UNLIMITED)).maximum


def _frame(table: Table, natural: Sequence[int], console: Console) -> int:
    """Returns the width of the lines and spaces between and around the columns."""
    return _measure(table, console) - sum(natural)


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


def _turned(table: Table, texts: Sequence[Sequence[Text]], console: Console) -> Table:
    """Returns a table with a column for each row, whose headings are the first column.

    The headings continue on the next line where the columns of the rows need their room.
    """
    turned = Table(title=table.title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    headings, *rows = zip(*texts, strict=True)
    turned.add_column(_line(headings[0]))
    for row in rows:
        turned.add_column(row[0], justify="right", no_wrap=True)
    for heading, *cells in zip(headings[1:], *(row[1:] for row in rows), strict=True):
        turned.add_row(_line(heading), *cells)
    longest = max(Text(word).cell_len for heading in headings for word in heading.plain.split())
    natural = max(_line(heading).cell_len for heading in headings)
    turned.columns[0].width = max(longest, natural - max(0, _measure(turned, console) - console.width))
    return turned


def _line(heading: Text) -> Text:
    return Text(" ".join(heading.plain.split()))


def _records(table: Table, texts: Sequence[Sequence[Text]]) -> RenderableType:
    """Returns a table as records: for each row, a line with the name and the value of each column that has one."""
    headings = [_line(cells[0]) for cells in texts]
    parts: list[RenderableType] = [Text.from_markup(str(table.title))] if table.title else []
    for number, row in enumerate(zip(*(cells[1:] for cells in texts), strict=True)):
        record = Table.grid(padding=(0, 2, 0, 0))
        record.add_column(overflow="fold", style="dim")
        record.add_column(overflow="fold", style=table.rows[number].style or "")
        for heading, cell in zip(headings, row, strict=True):
            if cell.plain:
                record.add_row(heading, cell)
        parts += [*([Text()] if number else []), record]
    return Group(*parts)
