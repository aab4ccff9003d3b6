"""Figure of a metric by scenario."""

import math
from collections.abc import Sequence
from typing import Any

import altair as alt

from pipelines.gates.measured import Measured
from pipelines.report.figures.style import FigureData, colour, tooltips

TITLES = {"auc": "AUC", "gini": "Gini", "nmae": "NMAE"}
"""Titles of metrics."""
_ROW = 34
_Z = 1.96


def scenario_figure(measured: Sequence[Measured], outputs: Sequence[str], metric: str) -> dict[str, Any]:
    """Returns a metric of each scenario, the AUC and the Gini coefficient with their 95 % intervals.

    Args:
        measured: Metrics of the scenarios to show, in the order in which they are shown.
        outputs: Names of the outputs.
        metric: `auc`, `gini` of values, or `nmae` of counts.
    """
    data = FigureData()
    rows = []
    for one in measured:
        value, error = getattr(one, metric), getattr(one, f"{metric}_error", math.nan)
        if one.output in outputs and not math.isnan(value):
            half = 0.0 if math.isnan(error) else _Z * error
            bounds = {"low": value - half, "high": value if metric == "nmae" else min(value + half, 1.0)}
            rows.append({"scenario": one.slice, "output": one.output, "value": value, **bounds, "rows": one.rows})
    order = list(dict.fromkeys(one.slice for one in measured))
    base = alt.Chart(data.add(rows)).encode(
        y=alt.Y("scenario:N", sort=order, title=None, axis=alt.Axis(labelLimit=220)),
        yOffset=alt.YOffset("output:N", sort=list(outputs)),
        color=colour("output", outputs),
        tooltip=tooltips(scenario="", output="", value=".4f", low=".4f", high=".4f", rows=","),
    )
    x = alt.X("value:Q", title=TITLES[metric], scale=alt.Scale(zero=False))
    points = base.mark_point(filled=True, size=50, opacity=1).encode(x=x)
    return data.specification(
        base.mark_rule(strokeWidth=2).encode(x="low:Q", x2="high:Q") + points, len(order) * _ROW + 20
    )
