"""Figures of the training: loss and metrics by epoch."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from pipelines.report.figures.style import FigureData, colour, tooltips

_VALIDATION = "val_"


def history_stages(history: Mapping[str, Any]) -> dict[str, Mapping[str, Sequence[float]]]:
    """Returns the metrics by epoch of each stage; one stage without a name if there was one.

    Args:
        history: History of a training.
    """
    if all(isinstance(values, list) for values in history.values()):
        return {"": history} if history else {}
    return {str(name): stage for name, stage in history.items() if isinstance(stage, Mapping)}


def loss_figure(stage: Mapping[str, Sequence[float]], kept: int) -> dict[str, Any]:
    """Returns the training and the validation loss by epoch, and the epoch whose weights were kept.

    Args:
        stage: Metrics by epoch.
        kept: Epoch whose weights were kept, from 1.
    """
    rows = [
        {"epoch": epoch, "loss": value, "split": split}
        for split, name in (("train", "loss"), ("eval", "val_loss"))
        for epoch, value in enumerate(stage.get(name, ()), 1)
    ]
    return _curves(rows, "loss", "split", ["train", "eval"], kept)


def metric_figure(stage: Mapping[str, Sequence[float]], kept: int, suffix: str, title: str) -> dict[str, Any]:
    """Returns a metric of each output on the eval split by epoch, and the epoch whose weights were kept.

    Args:
        stage: Metrics by epoch.
        kept: Epoch whose weights were kept, from 1.
        suffix: End of the names of the metric: `_auc` or `_gini`.
        title: Title of the metric.
    """
    names = [name for name in stage if name.startswith(_VALIDATION) and name.endswith(suffix)]
    outputs = [name.removeprefix(_VALIDATION).removesuffix(suffix) for name in names]
    rows = [
        {"epoch": epoch, title: value, "output": output}
        for name, output in zip(names, outputs, strict=True)
        for epoch, value in enumerate(stage[name], 1)
    ]
    return _curves(rows, title, "output", outputs, kept)


def kept_epoch(stage: Mapping[str, Sequence[float]], monitor: str, is_higher_better: bool) -> int:
    """Returns the epoch with the best value of the metric that early stopping watched, from 1.

    Args:
        stage: Metrics by epoch.
        monitor: Name of the metric.
        is_higher_better: Whether a higher value is better.
    """
    values = list(stage.get(monitor) or stage.get("val_loss") or stage["loss"])
    return values.index(max(values) if is_higher_better else min(values)) + 1


def _curves(
    rows: Sequence[Mapping[str, Any]], value: str, series: str, order: Sequence[str], kept: int
) -> dict[str, Any]:
    data = FigureData()
    last = max(row["epoch"] for row in rows)
    axis = alt.Axis(tickMinStep=1, format="d", tickCount=min(last, 10))
    x = alt.X("epoch:Q", title="epoch", scale=alt.Scale(domain=[1, max(last, 2)], nice=False, zero=False), axis=axis)
    base = alt.Chart(data.add(rows)).encode(
        x=x,
        y=alt.Y(f"{value}:Q", title=value, scale=alt.Scale(zero=False)),
        color=colour(series, order),
        tooltip=tooltips(**{series: "", "epoch": "d", value: ".5f"}),
    )
    rule = alt.Chart(data.add([{"epoch": kept, "kept": f"epoch {kept}: weights kept"}]))
    rule = rule.mark_rule(strokeDash=[4, 4], color="var(--soft)").encode(x=x, tooltip=tooltips(kept=""))
    return data.specification(rule + base.mark_line(strokeWidth=2) + base.mark_point(filled=True, size=40, opacity=1))
