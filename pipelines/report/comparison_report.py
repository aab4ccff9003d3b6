"""Report of a comparison as one HTML file, from the results that `tfmtl compare` wrote."""

import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import yaml
from scipy import stats

from pipelines.report.comparison_results import ComparisonResult, read_comparison
from pipelines.report.figures.comparison import cost_figure, curves_figure, gains_figure
from pipelines.report.names import REPORT
from pipelines.report.page.blocks import Block, Cell, Choices, Code, Figure, Section, Text, estimate, number, table
from pipelines.report.page.render import render_page
from transforms.storage.atomic import atomic_file

_MODEL = "model"
_REFERENCES = ("logistic_regression", "lightgbm", "last_week")
_COLUMNS = (
    _MODEL, "metric", "mean ± standard deviation", "seeds", "gain", "compared with", "p (Holm)", "lift (% of oracle)",
)  # fmt: skip
Record = Mapping[str, Any]


def write_comparison_report(results: pathlib.Path, out: pathlib.Path | None = None) -> pathlib.Path:
    """Writes the report of a comparison.

    Args:
        results: File `results.json` of the comparison.
        out: File to write; by default `report.html` beside the results.

    Returns:
        Path of the report.

    Raises:
        ConfigError: If the file is not that of a comparison.
    """
    path = results.parent / REPORT if out is None else out
    page = comparison_page(read_comparison(results))
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as staged:
        pathlib.Path(staged).write_text(page, encoding="utf-8")
    return path


def comparison_page(result: ComparisonResult) -> str:
    """Returns the HTML of the report of a comparison.

    Args:
        result: The comparison.
    """
    settings, records = result.settings, result.records
    models = list(dict.fromkeys(record[_MODEL] for record in records))
    grey = [model for model in models if model in {*settings.get("baselines", ()), *_REFERENCES, "oracle"}]
    sections = [
        *_output_sections(settings, records, models, grey),
        _curve_section(result, grey),
        _cost_section(records, models),
        _settings_section(result),
    ]
    summary = [
        ("Rows", ", ".join(f"{count:,} {split}" for split, count in result.rows.items())),
        ("Models", str(len(models))),
        ("Seeds", ", ".join(map(str, settings.get("seeds", ())))),
        ("Trials of the search", str(settings.get("trials", 0))),
        ("Reference of the gains", settings["reference"]),
        ("Commit", result.commit),
    ]
    shown = [section for section in sections if section is not None]
    choices = Choices("Models", _MODEL, tuple(models))
    return render_page(settings["name"], [one for one in summary if one[1]], shown, choices=choices)


def _output_sections(
    settings: Record, records: Sequence[Record], models: Sequence[str], grey: Sequence[str]
) -> list[Section]:
    """Returns a section for each output: gains of its first metric, and a table of all metrics."""
    sections = []
    for index, output in enumerate(dict.fromkeys(record["output"] for record in records)):
        own = [record for record in records if record["output"] == output]
        metric = own[0]["metric"]
        gains = [_gain(record) for record in own if record["metric"] == metric and record["gain"] is not None]
        blocks: list[Block] = []
        if gains:
            order = sorted((gain[_MODEL] for gain in gains), key=lambda name: -_value(gains, name))
            caption = (
                f"Gain of the mean {metric.upper()} over that of {settings['reference']} on the test split, with the "
                "95 % interval of the mean over the seeds (t distribution). Baselines are grey."
            )
            spec = gains_figure(gains, order, grey)
            blocks.append(Figure(f"gains-{index}", f"Gains on {output}", caption, spec, wide=True))
        metrics = list(dict.fromkeys(record["metric"] for record in own))
        ordered = sorted(own, key=lambda one: (metrics.index(one["metric"]), -_nan(one["mean"])))
        rows = [_record_row(record) for record in ordered]
        space = own[0]["space"]
        blocks.append(table(_COLUMNS, rows, f"Metrics of {output} on the test split.", search=_MODEL))
        sections.append(Section(f"output-{index}", f"{output} ({space} space)", tuple(blocks)))
    return sections


def _value(gains: Sequence[Record], model: str) -> float:
    return next(float(gain["gain"]) for gain in gains if gain[_MODEL] == model)


def _gain(record: Record) -> dict[str, Any]:
    """Returns the gain of a row and the 95 % interval of its mean over the seeds."""
    half = 0.0
    if record["runs"] > 1 and record["gain_sd"] is not None:
        half = float(stats.t.ppf(0.975, record["runs"] - 1)) * record["gain_sd"] / math.sqrt(record["runs"])
    gain, p = record["gain"], record["p_holm"]
    bounds = {"low": gain - half, "high": gain + half}
    return {
        _MODEL: record[_MODEL],
        "mean": record["mean"],
        "gain": gain,
        **bounds,
        "p": "" if p is None else f"{p:.3f}",
    }


def _record_row(record: Record) -> list[object]:
    tone = "" if record["p_holm"] is None or record["p_holm"] >= 0.05 else "good" if record["better"] else "bad"
    share = record["lift_share"]
    return [
        record[_MODEL],
        record["metric"],
        estimate(math.nan if record["mean"] is None else record["mean"], _nan(record["sd"])),
        number(float(record["runs"]), ".0f"),
        number(record["gain"], "+.4f"),
        record["best_baseline"] or "",
        number(record["p_holm"], ".3f", tone),
        number(None if share is None else 100 * share, ".1f"),
    ]


def _nan(value: float | None) -> float:
    return math.nan if value is None else value


def _curve_section(result: ComparisonResult, grey: Sequence[str]) -> Section | None:
    """Returns the curves of the metric that early stopping watched."""
    found: dict[str, list[Sequence[float]]] = {}
    metrics = set()
    for run in result.runs:
        metric = result.monitor or run["job"]["training"].get("monitor", "loss")
        values = run["history"].get(f"val_{metric}")
        if values and None not in values:
            metrics.add(metric)
            found.setdefault(run["job"]["row"], []).append(values)
    if not found:
        return None
    curves = {model: _mean_curve(some) for model, some in found.items()}
    metric = ", ".join(sorted(metrics))
    caption = "Mean over the seeds on the eval split, of the seeds that reached the epoch. Baselines are grey."
    blocks: list[Block] = [
        Figure("curves", "All epochs", caption, curves_figure(curves, metric, grey, last_half=False)),
        Figure("curves-end", "Second half of the epochs", caption, curves_figure(curves, metric, grey, last_half=True)),
    ]
    return Section("curves", f"Training: {metric} by epoch", tuple(blocks))


def _mean_curve(curves: Sequence[Sequence[float]]) -> list[float]:
    longest = max(map(len, curves))
    return [float(np.mean([curve[index] for curve in curves if len(curve) > index])) for index in range(longest)]


def _cost_section(records: Sequence[Record], models: Sequence[str]) -> Section | None:
    last = [record["output"] for record in records][-1]
    own = [record for record in records if record["output"] == last and record["training_seconds"]]
    if not own:
        return None
    metric = own[0]["metric"]
    own = [record for record in own if record["metric"] == metric]
    points = [
        {
            _MODEL: r[_MODEL],
            "mean": r["mean"],
            "seconds": max(r["training_seconds"], 0.01),
            "parameters": r["parameters"],
        }
        for r in own
    ]
    grey = [model for model in models if model in _REFERENCES]
    caption = f"Mean {metric.upper()} of {last} against the mean seconds of a training."
    columns = (_MODEL, "parameters", "seconds of a training", "epochs", "scoring (µs a row)")
    rows = [
        [
            r[_MODEL],
            number(r["parameters"], ",.0f"),
            number(r["training_seconds"], ",.1f"),
            number(r["epochs"], ".1f"),
            number(r["scoring_us_per_row"], ",.1f"),
        ]
        for r in own
    ]
    figure = Figure("cost", "Cost", caption, cost_figure(points, f"{metric.upper()} of {last}", grey), wide=True)
    return Section("cost", "Cost", (figure, table(columns, rows, "Cost of each model.")))


def _settings_section(result: ComparisonResult) -> Section:
    """Returns the options with which each model ran, and the settings of the comparison."""
    jobs = {run["job"]["row"]: run["job"] for run in result.runs}
    rows = [
        [Cell(row), _flow(job["options"]), _flow(job["training"]), number(_trial(job), ".0f")]
        for row, job in jobs.items()
    ]
    text = yaml.safe_dump(dict(result.settings), sort_keys=False, allow_unicode=True, width=100)
    blocks: tuple[Block, ...] = (
        Text("Hyper-parameters are chosen on the eval split; the metrics above are those of the test split."),
        table((_MODEL, "options", "training", "trial"), rows, "Settings with which each model ran."),
        Code("Command", result.command),
        Code("Settings of the comparison", text),
    )
    return Section("settings", "Settings", blocks)


def _trial(job: Record) -> float | None:
    return None if job.get("trial") is None else float(job["trial"]) + 1


def _flow(values: Mapping[str, Any]) -> str:
    text = yaml.safe_dump(dict(values), default_flow_style=True, sort_keys=False, width=10_000).strip()
    return "" if text == "{}" else text
