"""Figures of the features: permutation importance and partial dependence."""

import math
from collections.abc import Sequence
from typing import Any

import altair as alt

from pipelines.report.feature_effects import Dependence, Importance
from pipelines.report.figures.style import FigureData, colour, tooltips

_MOST = 20
_ROW = 34


def importance_figure(importances: Sequence[Importance], outputs: Sequence[str], loss: str) -> dict[str, Any]:
    """Returns the permutation importance of the features, the most important first; 20 at most.

    Args:
        importances: Importance of each feature for each of the outputs.
        outputs: Names of the outputs.
        loss: What the metric loses, for the axis.
    """
    data = FigureData()
    rows = [
        {"feature": one.feature, "output": one.output, "loss": one.loss, "lowest": one.lowest, "highest": one.highest}
        for one in importances
        if one.output in outputs and not math.isnan(one.loss)
    ]
    largest: dict[str, float] = {}
    for row in rows:
        largest[str(row["feature"])] = max(largest.get(str(row["feature"]), -math.inf), float(str(row["loss"])))
    order = sorted(largest, key=lambda name: -largest[name])[:_MOST]
    base = alt.Chart(data.add([row for row in rows if row["feature"] in order])).encode(
        y=alt.Y("feature:N", sort=order, title=None, axis=alt.Axis(labelLimit=220)),
        yOffset=alt.YOffset("output:N", sort=list(outputs)),
        color=colour("output", outputs),
        tooltip=tooltips(feature="", output="", loss=".4f", lowest=".4f", highest=".4f"),
    )
    bars = base.mark_bar(opacity=0.8).encode(x=alt.X("loss:Q", title=loss))
    ranges = base.mark_rule(color="var(--text)").encode(x="lowest:Q", x2="highest:Q")
    return data.specification(bars + ranges, height=max(3, len(order)) * _ROW)


def dependence_figure(dependence: Dependence, outputs: Sequence[str]) -> dict[str, Any]:
    """Returns the mean score if all rows had a value of a feature, for each output.

    Args:
        dependence: Partial dependence on the feature.
        outputs: Names of the outputs.
    """
    data = FigureData()
    rows = [
        {"value": value, "output": output, "mean_score": mean}
        for output in outputs
        for value, mean in zip(dependence.values, dependence.means[output], strict=True)
    ]
    is_number = isinstance(dependence.values[0], float)
    order = [str(value) for value in dependence.values]
    x = (
        alt.X("value:Q", title=dependence.feature, scale=alt.Scale(zero=False))
        if is_number
        else alt.X("value:N", title=dependence.feature, sort=order, axis=alt.Axis(labelLimit=90, labelAngle=-40))
    )
    base = alt.Chart(data.add(rows)).encode(
        x=x,
        y=alt.Y("mean_score:Q", title="mean score", scale=alt.Scale(zero=True)),
        color=colour("output", outputs),
        tooltip=tooltips(value=".4~g" if is_number else "", output="", mean_score=".4~g"),
    )
    points = base.mark_point(filled=True, size=50, opacity=1)
    return data.specification(base.mark_line(strokeWidth=2) + points if is_number else points)
