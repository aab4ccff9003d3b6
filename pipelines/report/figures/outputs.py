"""Figures of an output: ROC, precision-recall, reliability, lift, and the distribution of its scores."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import altair as alt
import numpy as np

from pipelines.evaluation.score_histograms import ScoreHistogram
from pipelines.report.curves import (
    count_reliability,
    is_rare,
    lift_by_decile,
    precision_recall_curve,
    reliability,
    roc_curve,
    score_distribution,
)
from pipelines.report.figures.style import FigureData, colour, tooltips

Histograms = Mapping[str, ScoreHistogram]
"""Histograms by the name of the model in the legend."""


def roc_figure(histograms: Histograms) -> dict[str, Any]:
    """Returns the ROC curves of one output.

    Args:
        histograms: Histograms with both classes by model.
    """
    data = FigureData()
    rows = [{"model": name, **point} for name, one in histograms.items() for point in roc_curve(one)]
    lines = _lines(data, rows, "false_positive_rate", "true_positive_rate", list(histograms))
    diagonal = alt.Chart(data.add([{"x": 0, "y": 0}, {"x": 1, "y": 1}])).mark_line(
        strokeDash=[4, 4], color="var(--soft)", strokeWidth=1
    )
    return data.specification(diagonal.encode(x="x:Q", y="y:Q") + lines)


def precision_recall_figure(histograms: Histograms) -> dict[str, Any]:
    """Returns the precision-recall curves of one output, and the rate of positive rows as a dashed line.

    Args:
        histograms: Histograms with both classes by model.
    """
    data = FigureData()
    rows = [{"model": name, **point} for name, one in histograms.items() for point in precision_recall_curve(one)]
    first = next(iter(histograms.values()))
    rate = int(first.positives.sum()) / first.rows
    base = alt.Chart(data.add([{"rate": rate}])).mark_rule(strokeDash=[4, 4], color="var(--soft)").encode(y="rate:Q")
    return data.specification(base + _lines(data, rows, "recall", "precision", list(histograms)))


def reliability_figure(histograms: Histograms) -> dict[str, Any]:
    """Returns the rate of positive rows against the mean score in ten bins, with intervals.

    Args:
        histograms: Histograms by model.
    """
    data = FigureData()
    rows: list[dict[str, Any]] = [
        {
            "model": name,
            "mean_score": one.score,
            "rate": one.rate,
            "low": max(one.low, 1e-6),
            "high": one.high,
            "rows": one.rows,
        }
        for name, histogram in histograms.items()
        for one in reliability(histogram)
    ]
    kind = _axis(next(iter(histograms.values())))
    # A bin without a positive row has no place on a logarithmic axis, so its bar begins at the bottom.
    lowest = min([row["mean_score"] for row in rows] + [row["rate"] for row in rows if row["rate"] > 0])
    bottom = lowest / 2 if kind == "log" else 0.0
    for row in rows:
        row["shown"] = max(row["rate"], bottom)
        row["low"] = max(row["low"], bottom)
    top = max(max(row["mean_score"], row["high"]) for row in rows)
    scale = alt.Scale(type=kind, domain=[bottom, min(top * 1.2, 1.0) if top <= 1 else top * 1.2], nice=False)
    base = alt.Chart(data.add(rows)).encode(
        x=alt.X("mean_score:Q", scale=scale, title="mean score", axis=alt.Axis(format="~g", tickCount=5)),
        color=colour("model", list(histograms)),
        tooltip=tooltips(model="", mean_score=".4~g", rate=".4~g", low=".4~g", high=".4~g", rows=","),
    )
    y = alt.Y("shown:Q", scale=scale, title="rate of label 1", axis=alt.Axis(format="~g", tickCount=5))
    line = alt.Chart(data.add([{"v": bottom}, {"v": top}])).mark_line(
        strokeDash=[4, 4], color="var(--soft)", strokeWidth=1
    )
    identity = line.encode(x=alt.X("v:Q", scale=scale), y=alt.Y("v:Q", scale=scale))
    bars = base.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q", scale=scale), y2="high:Q")
    return data.specification(identity + bars + base.mark_point(filled=True, size=50, opacity=1).encode(y=y))


def lift_figure(histograms: Histograms) -> dict[str, Any]:
    """Returns the lift by decile of the score, with intervals; the first decile has the highest scores.

    Args:
        histograms: Histograms with a positive row by model.
    """
    data = FigureData()
    rows = [{"model": name, **one} for name, histogram in histograms.items() for one in lift_by_decile(histogram)]
    base = alt.Chart(data.add(rows)).encode(
        x=alt.X("decile:O", title="decile of the score, highest first", axis=alt.Axis(labelAngle=0)),
        xOffset=alt.XOffset("model:N", sort=list(histograms)),
        color=colour("model", list(histograms)),
        tooltip=tooltips(model="", decile="d", lift=".3f", low=".3f", high=".3f", rows=","),
    )
    one = alt.Chart(data.add([{"lift": 1}])).mark_rule(strokeDash=[4, 4], color="var(--soft)").encode(y="lift:Q")
    bars = base.mark_bar(opacity=0.75).encode(y=alt.Y("lift:Q", title="lift"))
    return data.specification(bars + base.mark_rule(color="var(--text)").encode(y="low:Q", y2="high:Q") + one)


def distribution_figure(histogram: ScoreHistogram) -> dict[str, Any]:
    """Returns the distribution of the scores of each class, on a logarithmic axis if positive rows are rare.

    Args:
        histogram: Histogram of the candidate.
    """
    data = FigureData()
    rows = score_distribution(histogram)
    chart = alt.Chart(data.add([{**row, "zero": 0} for row in rows])).mark_rect(opacity=0.5)
    kind = _axis(histogram)
    x = alt.X("from:Q", scale=alt.Scale(type=kind, nice=False), title="score", axis=alt.Axis(format="~g", tickCount=5))
    tips = tooltips(**{"class": "", "from": ".4~g", "to": ".4~g", "share": ".2%"})
    y = alt.Y("share:Q", title="share of the class", axis=alt.Axis(format="~%"))
    colours = colour("class", ["label 0", "label 1"])
    return data.specification(chart.encode(x=x, x2="to:Q", y=y, y2="zero:Q", color=colours, tooltip=tips))


def count_reliability_figure(labels: np.ndarray, scores: np.ndarray) -> dict[str, Any]:
    """Returns the mean label against the mean prediction of a count in ten bins of the same number of rows.

    Args:
        labels: Labels, `(rows,)`.
        scores: Predictions, `(rows,)`.
    """
    data = FigureData()
    rows = count_reliability(labels, scores)
    scale = alt.Scale(type="symlog")
    base = alt.Chart(data.add(rows)).encode(
        x=alt.X("prediction:Q", scale=scale, title="mean prediction"),
        tooltip=tooltips(prediction=".4~g", label=".4~g", low=".4~g", high=".4~g", rows=","),
    )
    top = max(max(row["prediction"], row["label"]) for row in rows)
    line = alt.Chart(data.add([{"v": 0}, {"v": top}])).mark_line(strokeDash=[4, 4], color="var(--soft)", strokeWidth=1)
    identity = line.encode(x=alt.X("v:Q", scale=scale), y=alt.Y("v:Q", scale=scale))
    bars = base.mark_rule(strokeWidth=2, color="var(--c0)").encode(y=alt.Y("low:Q", scale=scale), y2="high:Q")
    points = base.mark_point(filled=True, size=50, opacity=1, color="var(--c0)")
    return data.specification(identity + bars + points.encode(y=alt.Y("label:Q", scale=scale, title="mean label")))


def _axis(histogram: ScoreHistogram) -> Literal["log", "linear"]:
    return "log" if is_rare(histogram) else "linear"


def _lines(data: FigureData, rows: Sequence[Mapping[str, Any]], x: str, y: str, models: Sequence[str]) -> alt.Chart:
    """Returns one line for each model, whose points have a tooltip."""
    base = alt.Chart(data.add(rows)).encode(
        x=alt.X(f"{x}:Q", title=x.replace("_", " "), scale=alt.Scale(domain=[0, 1])),
        y=alt.Y(f"{y}:Q", title=y.replace("_", " ")),
        order=alt.Order(f"{x}:Q"),
        color=colour("model", models),
        tooltip=tooltips(**{"model": "", x: ".3f", y: ".3f", "threshold": ".4~g"}),
    )
    points = base.mark_point(filled=True, size=60, opacity=0)
    line: alt.Chart = base.mark_line(strokeWidth=2) + points
    return line
