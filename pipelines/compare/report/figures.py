"""Figures of a comparison: gains with error bars, metric by training time, training curves, and selection bias."""

import math
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipelines.compare.metrics.evaluate import main_metric
from pipelines.compare.metrics.names import AUC, AUC_ALL
from pipelines.compare.plan.settings import CompareSettings
from pipelines.compare.report.sheets import TITLES
from pipelines.compare.report.table import ORACLE, ResultTable
from pipelines.compare.runs.result import Result
from pipelines.evaluation.results import space_name
from tfmtl.spec import DatasetSpec, Output

GAINS, COST, CURVES, SELECTION = "gains.png", "cost.png", "curves.png", "selection.png"
_DPI = 120
COLORS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb", "#000000")
_MARKERS = "osD^vPX*"


def plot_gains(settings: CompareSettings, spec: DatasetSpec, table: ResultTable) -> Figure | None:
    """Plots the gain of each row over the reference, for each output; a bar is the standard deviation over seeds.

    Args:
        settings: Settings of the comparison.
        spec: Spec of the dataset.
        table: Numbers of the comparison.

    Returns:
        The figure, or None if there is no other row than the reference.
    """
    rows = [row for row in table.rows if row not in (settings.reference, ORACLE)]
    if not rows:
        return None
    figure, axes = _output_panels(spec, height=1.2 + 0.32 * len(rows))
    factor = 1.0 if settings.gain == "difference" else 100.0
    for output, axis in zip(spec.outputs, axes, strict=True):
        cells = [table.cells[row, output.name, main_metric(spec, output)] for row in rows]
        gains = [factor * cell.gain for cell in cells]
        errors = [0.0 if math.isnan(cell.gain_sd) else factor * cell.gain_sd for cell in cells]
        axis.errorbar(gains, range(len(rows)), xerr=errors, fmt="o", color=COLORS[0], capsize=3, markersize=5)
        axis.axvline(0, color="0.6", linewidth=1)
        axis.set_yticks(range(len(rows)), rows if axis is axes[0] else [""] * len(rows))
        axis.set_ylim(len(rows) - 0.5, -0.5)
        axis.xaxis.set_major_locator(MaxNLocator(5))
        unit = "" if settings.gain == "difference" else ", %"
        axis.set_xlabel(f"gain in {TITLES[main_metric(spec, output)]} over {settings.reference}{unit}")
    return figure


def plot_cost(spec: DatasetSpec, table: ResultTable) -> Figure:
    """Plots the main metric of each row against its training time, for each output; the oracle is a line.

    Args:
        spec: Spec of the dataset.
        table: Numbers of the comparison.
    """
    figure, axes = _output_panels(spec, height=3.8)
    for output, axis in zip(spec.outputs, axes, strict=True):
        metric = main_metric(spec, output)
        for i, row in enumerate(table.costs):
            summary, seconds = table.cells[row, output.name, metric].summary, table.costs[row].training
            axis.errorbar(
                seconds.mean,
                summary.mean,
                xerr=_nan_to_zero(seconds.sd),
                yerr=_nan_to_zero(summary.sd),
                fmt=_MARKERS[i // len(COLORS) % len(_MARKERS)],
                color=COLORS[i % len(COLORS)],
                label=row,
                capsize=2,
            )
        if ORACLE in table.rows:
            axis.axhline(
                table.cells[ORACLE, output.name, metric].summary.mean, color="0.4", linestyle="--", label=ORACLE
            )
        axis.set_xlabel("training, s")
        axis.set_ylabel(TITLES[metric])
    _add_legend(figure, axes)
    return figure


def plot_curves(runs: Mapping[str, Sequence[Result]], monitor: str) -> Figure:
    """Plots the monitor on the eval split by epoch: the mean over the seeds, with the range between them shaded.

    Args:
        runs: Finished runs by row.
        monitor: Name of the monitor.
    """
    figure = Figure(figsize=(7.0, 4.2), layout="constrained")
    axis = figure.add_subplot()
    for i, (row, results) in enumerate(runs.items()):
        series = [result.history[f"val_{monitor}"] for result in results if f"val_{monitor}" in result.history]
        if not series:
            continue
        longest = max(len(values) for values in series)
        padded = np.array([[*values, *[math.nan] * (longest - len(values))] for values in series])
        epochs, color = np.arange(1, longest + 1), COLORS[i % len(COLORS)]
        marker = _MARKERS[i // len(COLORS) % len(_MARKERS)]
        axis.plot(epochs, np.nanmean(padded, axis=0), color=color, marker=marker, markersize=4, label=row)
        axis.fill_between(epochs, np.nanmin(padded, axis=0), np.nanmax(padded, axis=0), color=color, alpha=0.15)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_xlabel("epoch")
    axis.set_ylabel(f"{monitor}, eval split")
    axis.grid(alpha=0.3)
    _add_legend(figure, [axis])
    return figure


def plot_selection(spec: DatasetSpec, table: ResultTable) -> Figure | None:
    """Plots the AUC of each output on a conditional space, on the rows of the space and on all rows.

    The AUC on all rows, computed from the true probabilities, shows the selection bias of a model that was trained on
    the rows of the space alone.

    Args:
        spec: Spec of the dataset.
        table: Numbers of the comparison.

    Returns:
        The figure, or None if the true probabilities are not known.
    """
    outputs = [output for output in spec.outputs if AUC_ALL in table.metrics(output.name)]
    if not outputs:
        return None
    figure = Figure(figsize=(5.0 * len(outputs), 1.6 + 0.32 * len(table.rows)), layout="constrained")
    axes = list(np.atleast_1d(figure.subplots(1, len(outputs))))
    for output, axis in zip(outputs, axes, strict=True):
        series = {AUC: (COLORS[0], space_name(spec, output)), AUC_ALL: (COLORS[1], "all rows, true probability")}
        for metric, (color, label) in series.items():
            summaries = [table.cells[row, output.name, metric].summary for row in table.rows]
            means, errors = [summary.mean for summary in summaries], [_nan_to_zero(s.sd) for s in summaries]
            axis.errorbar(means, range(len(means)), xerr=errors, fmt="o", color=color, capsize=3, label=label)
        axis.set_yticks(range(len(table.rows)), table.rows if axis is axes[0] else [""] * len(table.rows))
        axis.set_ylim(len(table.rows) - 0.5, -0.5)
        axis.set_title(output.name, fontsize=10)
        axis.set_xlabel("AUC")
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    return figure


def save(figure: Figure, path: pathlib.Path) -> None:
    """Writes a figure as PNG.

    Args:
        figure: The figure.
        path: File to write.
    """
    FigureCanvasAgg(figure)
    figure.savefig(path, dpi=_DPI, metadata={"Software": None})


def _output_panels(spec: DatasetSpec, height: float) -> tuple[Figure, list[Axes]]:
    """Creates a figure with one panel for each output, side by side."""
    figure = Figure(figsize=(4.2 * len(spec.outputs), height), layout="constrained")
    axes = list(np.atleast_1d(figure.subplots(1, len(spec.outputs))))
    for output, axis in zip(spec.outputs, axes, strict=True):
        axis.set_title(_title(spec, output), fontsize=10)
        axis.grid(alpha=0.3)
    return figure, axes


def _add_legend(figure: Figure, axes: Sequence[Axes]) -> None:
    handles, names = axes[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, names, loc="outside right center", fontsize=8)


def _title(spec: DatasetSpec, output: Output) -> str:
    return f"{output.name}, {space_name(spec, output)}"


def _nan_to_zero(value: float) -> float:
    return 0.0 if math.isnan(value) else value
