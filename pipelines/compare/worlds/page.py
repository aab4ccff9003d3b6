"""Page "when does each model help": gain of each model against the strength of its premise."""

import functools
import math
import pathlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from pipelines.compare.report.figures import COLORS, save
from pipelines.compare.report.search_sheets import search_line
from pipelines.compare.report.sheets import TITLES, Sheet
from pipelines.compare.report.table import ORACLE
from pipelines.compare.worlds.gains import WorldGain, grows
from pipelines.compare.worlds.settings import WorldsPlan
from transforms.storage.atomic import atomic_file

PAGE, FIGURE = "results.md", "strengths.png"
NOTES = (
    "Gain: metric of the model minus that of the baseline with the best mean over the seeds; of an error, the reverse. "
    "Mean ± standard deviation over the seeds.",
    'p: largest p-value of the two-sided paired t-tests of the model against each baseline. "yes": the model is better '
    "than each of them with p below .05.",
    "At strength 0 the premise is absent. Rates and the signal of the features are the same at all strengths, so that "
    "the metrics of the oracle, which scores rows with their true probabilities, hardly change.",
)


def world_sheet(gains: Sequence[WorldGain], baselines: Sequence[str]) -> Sheet:
    """Creates the table of a world: a column for each strength.

    Args:
        gains: Gains of the world by ascending strength.
        baselines: Rows of the baselines.
    """
    first = gains[0]
    title = f"{first.world}: {TITLES[first.metric]} of {first.row} and its baselines by the strength of the premise"
    lines: list[tuple[str, Callable[[WorldGain], str]]] = [
        *((row, functools.partial(_mean, row=row)) for row in (ORACLE, first.row, *baselines)),
        (f"gain of {first.row}", lambda one: f"{one.gain.mean:+.4f}{_deviation(one.gain.sd)}" if one.gain.runs else ""),
        ("over", lambda one: one.best_baseline),
        ("p", lambda one: _number(one.p)),
        ("better than all", lambda one: "yes" if one.beats_all else "no"),
    ]
    columns = ("", *(f"strength {one.strength:g}" for one in gains))
    return Sheet(title, columns, [(name, *map(text, gains)) for name, text in lines], 1)


def sentences(gains: Mapping[str, Sequence[WorldGain]]) -> list[str]:
    """Says of each world whether its model helps there.

    Args:
        gains: Gains by world, by ascending strength.
    """
    lines = []
    for name, points in gains.items():
        last = points[-1]
        verb = "is better than each baseline" if last.beats_all else "is not better than each baseline with p below .05"
        growth = "grows" if grows(points) else "does not grow"
        gains_text = ", ".join(f"{one.gain.mean:+.4f} at {one.strength:g}" for one in points)
        lines.append(
            f"{name}: at strength {last.strength:g}, {last.row} {verb}. Its mean gain {growth} with the strength: "
            f"{gains_text}."
        )
    return lines


def plot_gains(gains: Mapping[str, Sequence[WorldGain]]) -> Figure:
    """Plots the gain over the best baseline against the strength, a panel for each world.

    Args:
        gains: Gains by world, by ascending strength.
    """
    figure = Figure(figsize=(3.4 * len(gains), 3.2), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(gains)))
    for i, (axis, (name, points)) in enumerate(zip(axes, gains.items(), strict=True)):
        means = [one.gain.mean for one in points]
        errors = [0.0 if math.isnan(one.gain.sd) else one.gain.sd for one in points]
        strengths = [one.strength for one in points]
        axis.errorbar(strengths, means, yerr=errors, fmt="o-", color=COLORS[i % len(COLORS)], capsize=3)
        axis.axhline(0, color="0.6", linewidth=1)
        axis.set_xticks(strengths)
        axis.set_title(name, fontsize=10)
        axis.set_xlabel("strength of the premise")
        axis.set_ylabel(f"gain of {points[0].row} in {TITLES[points[0].metric]}")
        axis.grid(alpha=0.3)
    return figure


def write_page(folder: pathlib.Path, plan: WorldsPlan, gains: Mapping[str, Sequence[WorldGain]], command: str) -> None:
    """Writes `results.md` and its figure.

    Args:
        folder: Folder to write to; it is created if it does not exist.
        plan: Plan of the comparison.
        gains: Gains by world, by ascending strength.
        command: Command line.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save(plot_gains(gains), folder / FIGURE)
    tuned = {name: plan.comparisons[name, plan.settings.tuned_at] for name in gains}
    searches = [f"  - {name}: {search_line(one.settings, one.monitor)}" for name, one in tuned.items()]
    header = (
        f"Search at strength {plan.settings.tuned_at:g}; the other strengths have the hyper-parameters that it chose:"
    )
    parts = [
        f"# {plan.settings.name}",
        "Written by the command; not edited.",
        "\n".join([f"- Command: `{command}`", f"- {header}", *searches]),
        "\n".join(f"- {line}" for line in sentences(gains)),
        f"![gain of each model against the strength of its premise]({FIGURE})",
        *(world_sheet(points, baselines_of(plan, name)).markdown() for name, points in gains.items()),
        "\n".join(f"- {note}" for note in NOTES),
    ]
    with atomic_file(folder / PAGE) as temporary:
        pathlib.Path(temporary).write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def baselines_of(plan: WorldsPlan, world: str) -> tuple[str, ...]:
    """Returns the rows of a world's baselines.

    Args:
        plan: Plan of the comparison.
        world: Name of the world.
    """
    return plan.comparisons[world, plan.settings.tuned_at].settings.baselines


def _mean(gain: WorldGain, row: str) -> str:
    summary = gain.summaries.get(row)
    return "" if summary is None else f"{summary.mean:.4f}{_deviation(summary.sd)}"


def _deviation(value: float) -> str:
    return "" if math.isnan(value) else f"±{value:.4f}"


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4f}"
