"""Common parts of the figures, whose colours are CSS variables of the page and follow its light or dark mode."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

HEIGHT = 240
_PALETTE = 8
GREY = "var(--c7)"
COLOURS = [f"var(--c{index})" for index in range(_PALETTE - 1)]


class FigureData:
    """Data of one figure, which its specification contains once. Altair copies and checks inline data many times."""

    def __init__(self) -> None:
        self._rows: dict[str, list[dict[str, Any]]] = {}

    def add(self, rows: Sequence[Mapping[str, Any]]) -> alt.NamedData:
        """Returns the data of a chart.

        Args:
            rows: One mapping for each mark.
        """
        name = f"rows_{len(self._rows) + 1}"
        self._rows[name] = [dict(row) for row in rows]
        return alt.NamedData(name=name)

    def specification(self, chart: Any, height: int = HEIGHT) -> dict[str, Any]:
        """Returns the validated Vega-Lite specification of a chart that is as wide as its place on the page.

        Args:
            chart: Chart of Altair without facets.
            height: Height in pixels.
        """
        plain: dict[str, Any] = chart.properties(width="container", height=height).to_dict()
        plain.pop("config", None)  # The page has one for all figures.
        return {**plain, "autosize": {"type": "fit-x", "contains": "padding"}, "datasets": self._rows}


def colour(field: str, order: Sequence[str], title: str | None = None, grey: Sequence[str] = ()) -> alt.Color:
    """Returns the colour channel of a nominal field.

    Args:
        field: Name of the field.
        order: Values in the order of the legend.
        title: Title of the legend; None for no title.
        grey: Values that are drawn in grey.
    """
    vivid = [value for value in order if value not in grey]
    colours = {value: COLOURS[index % len(COLOURS)] for index, value in enumerate(vivid)}
    scale = alt.Scale(domain=list(order), range=[colours.get(value, GREY) for value in order])
    return alt.Color(f"{field}:N", scale=scale, title=title, legend=None if len(order) < 2 else alt.Legend())


def tooltips(**formats: str) -> list[alt.Tooltip]:
    """Returns the tooltip of a mark.

    Args:
        **formats: Format by field: that of a number, or empty for text.
    """
    return [
        alt.Tooltip(f"{name}:Q", format=pattern, title=name.replace("_", " "))
        if pattern
        else alt.Tooltip(f"{name}:N", title=name.replace("_", " "))
        for name, pattern in formats.items()
    ]
