"""Plot of the AUC of each day of a week."""

import math
import pathlib
from collections.abc import Sequence

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pipelines.week.results import Day

_COLORS = ("#4477aa", "#ee6677", "#228833", "#ccbb44")
_GREY = "#888888"


def plot_week(days: Sequence[Day], outputs: Sequence[str], path: pathlib.Path) -> None:
    """Plots the AUC of the served version by day; crosses are a refused model, and a grey band is a refused log.

    Args:
        days: Results of the days.
        outputs: Names of the outputs.
        path: File to write.
    """
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axis = figure.subplots()
    places = range(len(days))
    for output, color in zip(outputs, _COLORS, strict=False):
        served = [one.auc.get(output, math.nan) for one in days]  # NaN is a gap in the line.
        axis.plot(places, served, "o-", color=color, label=output)
        refused = [(i, one.refused_auc[output]) for i, one in enumerate(days) if output in one.refused_auc]
        if refused:
            axis.plot(*zip(*refused, strict=True), "x", color=color, markersize=9, markeredgewidth=2)
    for i, one in enumerate(days):
        if one.exit_code != 0:
            axis.axvspan(i - 0.35, i + 0.35, color=_GREY, alpha=0.15 if one.auc else 0.35, linewidth=0)
            axis.annotate(one.outcome, (i, 1.01), xycoords=("data", "axes fraction"), ha="center", color=_GREY)
    axis.plot([], [], "x", color="black", label="refused model")
    axis.axhline(0.5, color=_GREY, linewidth=1, linestyle=":")
    axis.set_xticks(places, [one.day.removeprefix("2026-") for one in days])
    axis.set_xlim(-0.5, len(days) - 0.5)
    axis.set_xlabel("day")
    axis.set_ylabel("AUC on the day's test rows")
    axis.grid(axis="y", alpha=0.3)
    axis.legend(loc="lower right", ncols=2)
    FigureCanvasAgg(figure).print_figure(str(path), dpi=120)
