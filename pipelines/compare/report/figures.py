"""Figures of a comparison: gains with error bars, metric by training time, training curves, and selection bias."""

import math
import pathlib
from collections.abc import Collection, Mapping, Sequence

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
_GREY = "#b0b0b0"
_OUTLIER = 8
_LEGEND_LINE = 0.2  # Inches of a legend's line, its share of the frame included.


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


def plot_curves(runs: Mapping[str, Sequence[Result]], monitor: str, baselines: Collection[str] = ()) -> Figure:
    """Plots the monitor on the eval split by epoch: the mean over the seeds, with the range between them shaded.

    The left panel has all epochs. The right one has the second half of them, and its vertical axis the range of the
    means there, without rows whose last mean is farther from the rows' median than eight times the median distance.

    Args:
        runs: Finished runs by row.
        monitor: Name of the monitor.
        baselines: Rows that are drawn in grey, below the other rows.
    """
    figure = Figure(figsize=(10.0, 4.2), layout="constrained")
    axes = list(figure.subplots(1, 2))
    curves = {row: curve for row, results in runs.items() if len(curve := _curves(results, monitor))}
    last = max((curve.shape[1] for curve in curves.values()), default=1)
    colored = [row for row in curves if row not in baselines]
    for axis in axes:
        for row, curve in curves.items():
            epochs, means = np.arange(1, curve.shape[1] + 1), np.nanmean(curve, axis=0)
            if row in baselines:
                axis.plot(epochs, means, color=_GREY, linewidth=1, zorder=2, label="baselines")
                continue
            i = colored.index(row)
            color, marker = COLORS[i % len(COLORS)], _MARKERS[i % len(_MARKERS)]
            axis.plot(epochs, means, color=color, marker=marker, markersize=4, linewidth=2, zorder=3, label=row)
            axis.fill_between(epochs, np.nanmin(curve, axis=0), np.nanmax(curve, axis=0), color=color, alpha=0.15)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.set_xlabel("epoch")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel(f"{monitor}, eval split")
    _zoom(axes[1], list(curves.values()), first=last // 2 + 1, last=last)
    _add_legend(figure, axes)
    return figure


def _curves(results: Sequence[Result], monitor: str) -> np.ndarray:
    """Returns the monitor by run and epoch, `(runs, epochs)`; NaN after the last epoch of a run."""
    series = [result.history[f"val_{monitor}"] for result in results if f"val_{monitor}" in result.history]
    longest = max(map(len, series), default=0)
    return np.array([[*values, *[math.nan] * (longest - len(values))] for values in series])


def _zoom(axis: Axes, curves: Sequence[np.ndarray], first: int, last: int) -> None:
    """Limits the axis to the epochs from `first` to `last`, and to the range of the means of rows without outliers."""
    means = [np.nanmean(curve, axis=0) for curve in curves]
    if not means:
        return
    ends = np.array([mean[-1] for mean in means])
    distances = np.abs(ends - np.median(ends))
    near = [
        mean[min(first, len(mean)) - 1 :]
        for mean, far in zip(means, distances, strict=True)
        if far <= _OUTLIER * np.median(distances)
    ]
    low, high = np.concatenate(near).min(), np.concatenate(near).max()
    margin = 0.08 * (high - low) or 1e-3
    axis.set_ylim(low - margin, high + margin)
    axis.set_xlim(first - 0.3, last + 0.3)


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
    named = {name: handle for handle, name in zip(*axes[0].get_legend_handles_labels(), strict=True)}
    if named:
        columns = math.ceil(len(named) * _LEGEND_LINE / figure.get_figheight())
        figure.legend(named.values(), named.keys(), loc="outside right center", fontsize=8, ncols=columns)


def _title(spec: DatasetSpec, output: Output) -> str:
    return f"{output.name}, {space_name(spec, output)}"


def _nan_to_zero(value: float) -> float:
    return 0.0 if math.isnan(value) else value
