"""HTML tables of the objects that a notebook shows: plain strings without scripts, in the colors of the page."""

import html
from collections.abc import Iterable, Sequence

_TABLE = "border-collapse:collapse;margin:0.3em 0"
_HEADER = 'th scope="col"'
_CELL = "border-bottom:1px solid rgba(128,128,128,0.4);padding:0.15em 0.7em;text-align:{}"


def html_table(header: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> str:
    """Returns an HTML table; all texts are escaped.

    No color is set but that of the lines, a gray that is visible on a light and on a dark page. A column of numbers, as
    its first row with a value has them, is aligned to the right.

    Args:
        header: Names of the columns.
        rows: Values of the rows; None is an empty cell.
        caption: Text above the table; empty for none.

    Example:
        >>> from tfmtl.html_tables import html_table
        >>> "<td style=" in html_table(["name", "rows"], [["a<b", "1,200"]])
        True
    """
    kept = [["" if value is None else str(value) for value in row] for row in rows]
    sides = ["right" if _is_numeric(row[i] for row in kept) else "left" for i in range(len(header))]
    parts = [f'<table style="{_TABLE}">']
    if caption:
        parts.append(f'<caption style="text-align:left">{html.escape(caption)}</caption>')
    parts.append(f"<thead>{_row(_HEADER, 'th', header, sides)}</thead>")
    parts.append(f"<tbody>{''.join(_row('td', 'td', row, sides) for row in kept)}</tbody></table>")
    return "".join(parts)


def html_block(title: str, parts: Iterable[str], notes: Iterable[str] = ()) -> str:
    """Returns a block of HTML: a title, HTML parts, and notes below them; the title and the notes are escaped.

    Args:
        title: Title of the block.
        parts: HTML, such as results of `html_table`.
        notes: Sentences below the parts.

    Example:
        >>> from tfmtl.html_tables import html_block
        >>> html_block("shop", [], ["2 features"])
        '<div><strong>shop</strong><div>2 features</div></div>'
    """
    lines = "".join(f"<div>{html.escape(note)}</div>" for note in notes)
    return f"<div><strong>{html.escape(title)}</strong>{''.join(parts)}{lines}</div>"


def _row(opening: str, closing: str, values: Sequence[str], sides: Sequence[str]) -> str:
    cells = zip(values, sides, strict=True)
    inner = "".join(
        f'<{opening} style="{_CELL.format(side)}">{html.escape(str(value))}</{closing}>' for value, side in cells
    )
    return f"<tr>{inner}</tr>"


def _is_numeric(texts: Iterable[str]) -> bool:
    first = next((text for text in texts if text), "")
    return first.lstrip("+-")[:1].isdigit()
