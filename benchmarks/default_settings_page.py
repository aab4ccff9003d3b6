"""Page of the accuracy of the default settings: a table, a figure, and a line for each run."""

import collections
import csv
import dataclasses
import math
import pathlib
import statistics
from collections.abc import Iterable, Sequence

import matplotlib
from matplotlib.figure import Figure

from pipelines.compare.report.write import commit

REGRESSION = "logistic_regression"
LEVEL = -0.002
"""Smallest mean difference of an AUC that counts as level with logistic regression."""
PAGE, RUNS, FIGURE = "results.md", "results.csv", "differences.png"


@dataclasses.dataclass(frozen=True)
class Run:
    """AUC of one output in one run.

    Attributes:
        log: Name of the log.
        split: Number of the split.
        model: Name of the model.
        seed: Seed; -1 for logistic regression, which has none.
        part: Rows that the AUC is measured on, `eval` or `test`.
        output: Name of the output.
        auc: Area under the ROC curve.
    """

    log: str
    split: int
    model: str
    seed: int
    part: str
    output: str
    auc: float


@dataclasses.dataclass(frozen=True)
class Row:
    """Differences of a model's AUC and that of logistic regression on the same rows, for one output of a log.

    Attributes:
        log: Name of the log.
        output: Name of the output.
        model: Name of the model.
        reference: Mean AUC of logistic regression over the splits.
        by_split: Differences by split, one for each seed.
    """

    log: str
    output: str
    model: str
    reference: float
    by_split: dict[int, list[float]]

    @property
    def differences(self) -> list[float]:
        """Differences of all runs."""
        return [value for values in self.by_split.values() for value in values]

    @property
    def mean(self) -> float:
        """Mean difference over all runs."""
        return statistics.mean(self.differences)


def make_rows(runs: Iterable[Run], part: str) -> list[Row]:
    """Returns the rows of the table, in the order of the runs.

    Args:
        runs: Runs of all logs.
        part: Rows that the AUC is measured on, `eval` or `test`.
    """
    references: dict[tuple[str, str], dict[int, float]] = collections.defaultdict(dict)
    values: dict[tuple[str, str, str], dict[int, list[float]]] = {}
    for run in runs:
        if run.part == part and run.model == REGRESSION:
            references[run.log, run.output][run.split] = run.auc
    for run in runs:
        if run.part == part and run.model != REGRESSION:
            by_split = values.setdefault((run.log, run.output, run.model), {})
            by_split.setdefault(run.split, []).append(run.auc - references[run.log, run.output][run.split])
    return [
        Row(log, output, model, statistics.mean(references[log, output].values()), by_split)
        for (log, output, model), by_split in values.items()
    ]


def read_runs(folder: pathlib.Path) -> list[Run]:
    """Reads the runs of a page; none if there is no page.

    Args:
        folder: Folder of the page.
    """
    path = folder / RUNS
    if not path.exists():
        return []
    kinds = {"split": int, "seed": int, "auc": float}
    with open(path, encoding="utf-8", newline="") as file:
        return [
            Run(**{name: kinds.get(name, str)(value) for name, value in row.items()}) for row in csv.DictReader(file)
        ]


def write_page(folder: pathlib.Path, runs: Sequence[Run]) -> None:
    """Writes the page, its figure and the CSV file of all runs.

    Args:
        folder: Folder of the page.
        runs: Runs of all logs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / RUNS, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(field.name for field in dataclasses.fields(Run))
        writer.writerows(dataclasses.astuple(run) for run in runs)
    rows = make_rows(runs, "test")
    first = rows[0].model if rows else ""
    lines = [
        "# Default settings against logistic regression",
        "",
        "Written by the command; not edited.",
        "",
        "- Command: `python -m benchmarks.default_settings --data DATA --out runs/defaults --report "
        "docs/results/defaults`",
        f"- Commit: {commit()}",
        "- Settings: those that `tfmtl init` writes with the flags that name the labels. Other models have their",
        "  default options and the same training. All defaults were chosen on eval splits; the page shows test splits.",
        "- A difference is the mean over splits and seeds of the AUC minus that of one-hot logistic regression on the",
        "  same rows, ± the standard deviation over the seeds of a split, averaged over the splits.",
        "",
        *_table([row for row in rows if row.model == first]),
        "",
        "## Other models with their defaults",
        "",
        *_table([row for row in rows if row.model != first]),
        "",
        f"![Difference of each run]({FIGURE})",
    ]
    (folder / PAGE).write_text("\n".join(lines) + "\n", encoding="utf-8")
    _draw(folder / FIGURE, rows)


def _table(rows: Sequence[Row]) -> list[str]:
    lines = [
        "| log | output | model | regression | difference | lowest split | runs | |",
        "| :-- | :-- | :-- | --: | --: | --: | --: | :-- |",
    ]
    for row in rows:
        spread = statistics.mean(_deviation(values) for values in row.by_split.values())
        lowest = min(statistics.mean(values) for values in row.by_split.values())
        state = "better" if row.mean > 0 else "level" if row.mean >= LEVEL else "worse"
        lines.append(
            f"| {row.log} | {row.output} | {row.model} | {row.reference:.4f} | {row.mean:+.4f} ± {spread:.4f} "
            f"| {lowest:+.4f} | {len(row.differences)} | {state} |"
        )
    return lines


def _deviation(values: Sequence[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else 0.0


def _draw(path: pathlib.Path, rows: Sequence[Row]) -> None:
    """Draws a dot for each run, with a line for each output of a log and a color for each model."""
    names = list(dict.fromkeys(f"{row.log}: {row.output}" for row in rows))
    models = list(dict.fromkeys(row.model for row in rows))
    colors = matplotlib.colormaps["tab10"]
    figure = Figure(figsize=(8, 0.45 * len(names) + 1.2), layout="constrained")
    axes = figure.add_subplot()
    for row in rows:
        place, offset = names.index(f"{row.log}: {row.output}"), models.index(row.model)
        height = place + 0.14 * (offset - (len(models) - 1) / 2)
        label = row.model if place == next(i for i, _ in enumerate(names)) else None
        values = [value for value in row.differences if not math.isnan(value)]
        axes.plot(values, [height] * len(values), "o", markersize=3, alpha=0.6, color=colors(offset), label=label)
        axes.plot([row.mean], [height], "|", markersize=9, color=colors(offset))
    axes.axvline(0, color="gray", linewidth=1)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel("test AUC minus that of logistic regression; a bar is the mean")
    axes.legend(loc="best", fontsize=8)
    figure.savefig(path, dpi=130)
