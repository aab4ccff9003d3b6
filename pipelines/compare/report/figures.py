"""The figures of a comparison: gains with error bars, metric against training cost, training curves."""

import math
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipelines.compare.metrics.evaluate import AUC, AUC_ALL, main_metric
from pipelines.compare.plan.settings import CompareSettings
from pipelines.compare.report.sheets import TITLES
from pipelines.compare.report.table import ORACLE, ResultTable
from pipelines.compare.runs.store import Result
from pipelines.evaluation.results import space_name
from tfmtl.spec import DatasetSpec, Output

GAINS, COST, CURVES, SELECTION = "gains.png", "cost.png", "curves.png", "selection.png"
_DPI = 120
_COLORS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb", "#000000")
_MARKERS = "osD^vPX*"


def gains(settings: CompareSettings, spec: DatasetSpec, table: ResultTable) -> Figure | None:
    """Of each output, the gain of each row over the reference; a bar is the standard deviation over seeds.

    None where there is no other row.
    """
    rows = [row for row in table.rows if row not in (settings.reference, ORACLE)]
    if not rows:
        return None
    figure, axes = _panels(spec, height=1.2 + 0.32 * len(rows))
    factor = 1.0 if settings.gain == "difference" else 100.0
    for output, axis in zip(spec.outputs, axes, strict=True):
        cells = [table.cells[row, output.name, main_metric(spec, output)] for row in rows]
        values = [factor * cell.gain for cell in cells]
        errors = [0.0 if math.isnan(cell.gain_sd) else factor * cell.gain_sd for cell in cells]
        axis.errorbar(values, range(len(rows)), xerr=errors, fmt="o", color=_COLORS[0], capsize=3, markersize=5)
        axis.axvline(0, color="0.6", linewidth=1)
        axis.set_yticks(range(len(rows)), rows if axis is axes[0] else [""] * len(rows))
        axis.set_ylim(len(rows) - 0.5, -0.5)
        axis.xaxis.set_major_locator(MaxNLocator(5))
        unit = "" if settings.gain == "difference" else ", %"
        axis.set_xlabel(f"gain in {TITLES[main_metric(spec, output)]} over {settings.reference}{unit}")
    return figure


def cost(spec: DatasetSpec, table: ResultTable) -> Figure:
    """Of each output, the metric of each row against the seconds that it trains; the oracle is a line."""
    figure, axes = _panels(spec, height=3.8)
    for output, axis in zip(spec.outputs, axes, strict=True):
        metric = main_metric(spec, output)
        for i, row in enumerate(table.costs):
            summary, seconds = table.cells[row, output.name, metric].summary, table.costs[row].training
            axis.errorbar(
                seconds.mean,
                summary.mean,
                xerr=_finite(seconds.sd),
                yerr=_finite(summary.sd),
                fmt=_MARKERS[i // len(_COLORS) % len(_MARKERS)],
                color=_COLORS[i % len(_COLORS)],
                label=row,
                capsize=2,
            )
        if ORACLE in table.rows:
            axis.axhline(
                table.cells[ORACLE, output.name, metric].summary.mean, color="0.4", linestyle="--", label=ORACLE
            )
        axis.set_xlabel("training, s")
        axis.set_ylabel(TITLES[metric])
    _legend(figure, axes)
    return figure


def curves(runs: Mapping[str, Sequence[Result]], monitor: str) -> Figure:
    """The monitor on the eval split by epoch, the mean over the seeds that got so far; its range is shaded."""
    figure = Figure(figsize=(7.0, 4.2), layout="constrained")
    axis = figure.add_subplot()
    for i, (row, results) in enumerate(runs.items()):
        series = [result.history[f"val_{monitor}"] for result in results if f"val_{monitor}" in result.history]
        if not series:
            continue
        longest = max(len(values) for values in series)
        padded = np.array([[*values, *[math.nan] * (longest - len(values))] for values in series])
        epochs, color = np.arange(1, longest + 1), _COLORS[i % len(_COLORS)]
        marker = _MARKERS[i // len(_COLORS) % len(_MARKERS)]
        axis.plot(epochs, np.nanmean(padded, axis=0), color=color, marker=marker, markersize=4, label=row)
        axis.fill_between(epochs, np.nanmin(padded, axis=0), np.nanmax(padded, axis=0), color=color, alpha=0.15)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_xlabel("epoch")
    axis.set_ylabel(f"{monitor}, eval split")
    axis.grid(alpha=0.3)
    _legend(figure, [axis])
    return figure


def selection(spec: DatasetSpec, table: ResultTable) -> Figure | None:
    """Of each output given its previous task, the AUC on that task's rows beside that on all rows, against the truth.

    The second shows what a model that was trained on the selected rows alone makes of the others. None where the truth
    is not known.
    """
    outputs = [output for output in spec.outputs if AUC_ALL in table.metrics(output.name)]
    if not outputs:
        return None
    figure = Figure(figsize=(5.0 * len(outputs), 1.6 + 0.32 * len(table.rows)), layout="constrained")
    axes = list(np.atleast_1d(figure.subplots(1, len(outputs))))
    for output, axis in zip(outputs, axes, strict=True):
        marks = {AUC: (_COLORS[0], space_name(spec, output)), AUC_ALL: (_COLORS[1], "all rows, true probability")}
        for metric, (color, name) in marks.items():
            found = [table.cells[row, output.name, metric].summary for row in table.rows]
            places, errors = [one.mean for one in found], [_finite(one.sd) for one in found]
            axis.errorbar(places, range(len(found)), xerr=errors, fmt="o", color=color, capsize=3, label=name)
        axis.set_yticks(range(len(table.rows)), table.rows if axis is axes[0] else [""] * len(table.rows))
        axis.set_ylim(len(table.rows) - 0.5, -0.5)
        axis.set_title(output.name, fontsize=10)
        axis.set_xlabel("AUC")
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    return figure


def save(figure: Figure, path: pathlib.Path) -> None:
    """Writes a PNG."""
    FigureCanvasAgg(figure)
    figure.savefig(path, dpi=_DPI, metadata={"Software": None})


def _panels(spec: DatasetSpec, height: float) -> tuple[Figure, list[Axes]]:
    """A panel an output, side by side."""
    figure = Figure(figsize=(4.2 * len(spec.outputs), height), layout="constrained")
    axes = list(np.atleast_1d(figure.subplots(1, len(spec.outputs))))
    for output, axis in zip(spec.outputs, axes, strict=True):
        axis.set_title(_title(spec, output), fontsize=10)
        axis.grid(alpha=0.3)
    return figure, axes


def _legend(figure: Figure, axes: Sequence[Axes]) -> None:
    handles, names = axes[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, names, loc="outside right center", fontsize=8)


def _title(spec: DatasetSpec, output: Output) -> str:
    return f"{output.name}, {space_name(spec, output)}"


def _finite(value: float) -> float:
    return 0.0 if math.isnan(value) else value
