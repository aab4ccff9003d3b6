"""Figures of a comparison: gains with intervals, curves by epoch, and cost."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np

from pipelines.report.figures.style import FigureData, colour, tooltips

_ROW = 26


def gains_figure(gains: Sequence[Mapping[str, Any]], models: Sequence[str], grey: Sequence[str]) -> dict[str, Any]:
    """Returns the gain of each model with its interval.

    Args:
        gains: Mappings with `model`, `gain`, `low`, `high` and `p`.
        models: Models in the order in which they are shown.
        grey: Models that are drawn in grey.
    """
    data = FigureData()
    base = alt.Chart(data.add(gains)).encode(
        y=alt.Y("model:N", sort=list(models), title=None, axis=alt.Axis(labelLimit=200)),
        color=colour("model", models, grey=grey).legend(None),
        tooltip=tooltips(model="", mean=".4f", gain="+.4f", low="+.4f", high="+.4f", p=""),
    )
    zero = alt.Chart(data.add([{"gain": 0}])).mark_rule(strokeDash=[4, 4], color="var(--soft)").encode(x="gain:Q")
    points = base.mark_point(filled=True, size=60, opacity=1).encode(x=alt.X("gain:Q", title="gain"))
    return data.specification(
        zero + base.mark_rule(strokeWidth=2).encode(x="low:Q", x2="high:Q") + points, len(models) * _ROW
    )


def curves_figure(
    curves: Mapping[str, Sequence[float]], metric: str, grey: Sequence[str], last_half: bool
) -> dict[str, Any]:
    """Returns the mean of a metric by epoch, baselines in grey; of all epochs, or of the second half of them.

    Args:
        curves: Mean over the seeds by epoch, by model.
        metric: Name of the metric.
        grey: Models that are drawn in grey, below the others.
        last_half: Shows the second half of the epochs only.
    """
    data = FigureData()
    last = max(len(values) for values in curves.values())
    first = last // 2 + 1 if last_half else 1
    models = sorted(curves, key=lambda name: (name in grey, list(curves).index(name)))
    rows: list[dict[str, Any]] = [
        {"model": model, "epoch": epoch, "value": value}
        for model in models
        for epoch, value in enumerate(curves[model], 1)
        if epoch >= first
    ]
    low, high = _range([row["value"] for row in rows], far=last_half)
    domain = alt.Scale(domain=[low, high], zero=False, nice=False, clamp=False)
    axis = alt.Axis(tickMinStep=1, format="d", tickCount=min(max(last - first + 1, 2), 10))
    base = alt.Chart(data.add(rows)).encode(
        x=alt.X("epoch:Q", scale=alt.Scale(domain=[first, max(last, first + 1)], nice=False, zero=False), axis=axis),
        y=alt.Y("value:Q", scale=domain, title=metric),
        color=colour("model", models, grey=grey),
        opacity=alt.condition(alt.FieldOneOfPredicate(field="model", oneOf=list(grey)), alt.value(0.45), alt.value(1)),
        tooltip=tooltips(model="", epoch="d", value=".5f"),
    )
    lines = base.mark_line(strokeWidth=2, clip=True)
    return data.specification(lines + base.mark_point(filled=True, size=30, clip=True), height=320)


def cost_figure(rows: Sequence[Mapping[str, Any]], metric: str, grey: Sequence[str]) -> dict[str, Any]:
    """Returns a metric against the seconds of a training, on a logarithmic axis.

    Args:
        rows: Mappings with `model`, `mean`, `seconds` and `parameters`.
        metric: Name of the metric.
        grey: Models that are drawn in grey.
    """
    data = FigureData()
    models = [str(row["model"]) for row in rows]
    base = alt.Chart(data.add(rows)).encode(
        x=alt.X("seconds:Q", scale=alt.Scale(type="log"), title="seconds of a training", axis=alt.Axis(format="~s")),
        y=alt.Y("mean:Q", scale=alt.Scale(zero=False), title=metric),
        color=colour("model", models, grey=grey).legend(None),
        tooltip=tooltips(model="", mean=".4f", seconds=",.1f", parameters=","),
    )
    names = base.mark_text(align="left", dx=7, fontSize=11, color="var(--text)").encode(text="model:N")
    return data.specification(base.mark_point(filled=True, size=70, opacity=1) + names, height=320)


def _range(values: Sequence[float], far: bool) -> tuple[float, float]:
    """Returns the range of an axis; without values far below the others if `far`."""
    finite = np.asarray([value for value in values if np.isfinite(value)])
    middle = np.median(finite)
    distance = np.median(np.abs(finite - middle))
    kept = finite[np.abs(finite - middle) <= 8 * distance] if far and distance > 0 else finite
    margin = 0.05 * max(float(kept.max() - kept.min()), 1e-6)
    return float(kept.min()) - margin, float(kept.max()) + margin
