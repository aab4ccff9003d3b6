"""Figures of the log: rows by split and reason, and the change of columns since the last accepted log."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from pipelines.report.figures.style import FigureData, colour, tooltips

_ROW = 30


def cost_figure(seconds: Mapping[str, float]) -> dict[str, Any]:
    """Returns the seconds of each component.

    Args:
        seconds: Seconds by component, in the order in which they ran.
    """
    data = FigureData()
    rows = [{"component": name, "seconds": value} for name, value in seconds.items()]
    chart = alt.Chart(data.add(rows)).mark_bar(color="var(--c0)", opacity=0.85)
    return data.specification(
        chart.encode(
            y=alt.Y("component:N", sort=list(seconds), title=None, axis=alt.Axis(labelLimit=220)),
            x=alt.X("seconds:Q", title="seconds"),
            tooltip=tooltips(component="", seconds=".1f"),
        ),
        height=max(2, len(rows)) * _ROW,
    )


def change_figure(changes: Sequence[Mapping[str, Any]], title: str) -> dict[str, Any]:
    """Returns the shares of the most frequent values of a column, in this log and in the last accepted one.

    Args:
        changes: Mappings with `value`, `log` and `share`.
        title: Name of the column.
    """
    data = FigureData()
    order = list(dict.fromkeys(str(one["value"]) for one in changes))
    logs = list(dict.fromkeys(str(one["log"]) for one in changes))
    chart = alt.Chart(data.add(changes)).mark_bar(opacity=0.85)
    return data.specification(
        chart.encode(
            x=alt.X("value:N", sort=order, title=title, axis=alt.Axis(labelAngle=-40, labelLimit=90)),
            xOffset=alt.XOffset("log:N", sort=logs),
            y=alt.Y("share:Q", title="share of values", axis=alt.Axis(format="~%")),
            color=colour("log", logs),
            tooltip=tooltips(log="", value="", share=".2%"),
        )
    )
