"""Sections of the outputs: curves of each, and its metrics by scenario."""

from collections.abc import Mapping

from pipelines.evaluation.results import OVERALL, space_name
from pipelines.evaluation.score_histograms import BASELINE, CANDIDATE, ScoreHistogram
from pipelines.gates.measured import Measured
from pipelines.report.curves import reliability
from pipelines.report.feature_effects import FeatureEffects
from pipelines.report.figures import outputs as figures
from pipelines.report.figures.scenarios import TITLES, scenario_figure
from pipelines.report.page.blocks import Block, Figure, Section, Text, number, table
from pipelines.report.run_data import RunData
from tfmtl.spec import Output

_NAMES = {CANDIDATE: "this model", BASELINE: "last model"}
_SHOWN_SCENARIOS = 20


def output_sections(data: RunData, effects: FeatureEffects | None) -> list[Section]:
    """Returns one section for each output with curves.

    Args:
        data: The run.
        effects: Effects of the features, whose rows the figures of counts use.
    """
    sections = []
    for index, output in enumerate(data.settings.spec.outputs):
        blocks: list[Block] = []
        if output.name in data.scores:
            blocks += _binary_blocks(index, output, data.scores[output.name])
        elif effects is not None and output.name in effects.labels and len(effects.labels[output.name]):
            blocks += _count_blocks(index, output, effects)
        if blocks:
            space = space_name(data.settings.spec, output)
            sections.append(Section(f"output-{index}", f"{output.name} ({space})", tuple(blocks)))
    return sections


def _binary_blocks(index: int, output: Output, found: Mapping[str, ScoreHistogram]) -> list[Block]:
    named = {_NAMES[model]: histogram for model, histogram in found.items()}
    candidate = found[CANDIDATE]
    positives = int(candidate.positives.sum())
    if not 0 < positives < candidate.rows:
        return [Text(f"All {candidate.rows:,} rows have one class, so that there are no curves.")]

    def figure(name: str, title: str, caption: str, spec: Mapping[str, object]) -> Figure:
        return Figure(f"{name}-{index}", f"{title} of {output.name}", caption, spec)

    figures_of_output: list[Block] = [
        figure(
            "roc", "ROC curve",
            "Rate of positive rows above a threshold of the score against that of negative rows. The dashed line is "
            "that of random scores.",
            figures.roc_figure(named),
        ),
        figure(
            "precision-recall", "Precision-recall curve",
            f"Rate of positive rows among those above a threshold, against the share of all positive rows that they "
            f"have. The dashed line is the rate of all rows, {positives / candidate.rows:.4g}.",
            figures.precision_recall_figure(named),
        ),
        figure(
            "reliability", "Reliability",
            "Rate of positive rows against the mean score in ten bins of the same number of rows, with 95 % intervals "
            "(Wilson). On the dashed line the scores are calibrated.",
            figures.reliability_figure(named),
        ),
        figure(
            "lift", "Lift by decile",
            "Rate of positive rows in each tenth of the rows, the highest scores first, divided by the rate of all "
            "rows, with 95 % intervals. Without skill every bar is 1.",
            figures.lift_figure(named),
        ),
        figure(
            "distribution", "Distribution of the scores",
            "Share of the rows of each class by score. Classes that overlap little are easy to separate.",
            figures.distribution_figure(candidate),
        ),
    ]  # fmt: skip
    columns = ("bin", "rows", "positive rows", "mean score", "rate", "95 % interval", "score / rate")
    rows = []
    for count, one in enumerate(reliability(candidate), 1):
        interval = f"{one.low:.4g} to {one.high:.4g}"
        ratio = one.score / one.rate if one.positives else None
        cells = [number(float(count), ".0f"), number(float(one.rows), ",.0f"), number(float(one.positives), ",.0f")]
        rows.append([*cells, number(one.score, ".4g"), number(one.rate, ".4g"), interval, number(ratio, ".3f")])
    return [*figures_of_output, table(columns, rows, f"Reliability of {output.name} by bin, lowest scores first.")]


def _count_blocks(index: int, output: Output, effects: FeatureEffects) -> list[Block]:
    labels, scores = effects.labels[output.name], effects.scores[output.name]
    caption = (
        f"Mean label against the mean prediction in ten bins of a sample of {len(labels):,} test rows, with 95 % "
        "intervals. On the dashed line the predictions are calibrated."
    )
    spec = figures.count_reliability_figure(labels, scores)
    return [Figure(f"reliability-{index}", f"Reliability of {output.name}", caption, spec, wide=True)]


def scenarios_section(data: RunData) -> Section | None:
    """Returns the metrics by scenario: a figure of the largest ones, and a table of all.

    Args:
        data: The run.
    """
    measured = [one for one in data.measured if one.slice != OVERALL]
    if not measured or data.settings.spec.scenario is None:
        return None
    sizes: dict[str, int] = {}
    for one in measured:
        sizes[one.slice] = max(sizes.get(one.slice, 0), one.rows)
    largest = sorted(sizes, key=lambda name: -sizes[name])[:_SHOWN_SCENARIOS]
    shown = sorted((one for one in measured if one.slice in largest), key=lambda one: largest.index(one.slice))
    blocks: list[Block] = []
    for metric, name in (("auc", "scenarios-auc"), ("nmae", "scenarios-counts"), ("gini", "scenarios-values")):
        names = list(dict.fromkeys(one.output for one in shown if _scenario_metric(one) == metric))
        if names:
            some = f"The {len(largest)} scenarios with the most rows. " if len(sizes) > len(largest) else ""
            interval = "" if metric == "nmae" else " with its 95 % interval"
            caption = f"{some}{TITLES[metric]} of each scenario{interval}."
            spec = scenario_figure(shown, names, metric)
            blocks.append(Figure(name, f"{TITLES[metric]} by scenario", caption, spec, wide=True))
    blocks.append(_scenario_table(measured, data.settings.spec.scenario))
    return Section("scenarios", f"Scenarios ({data.settings.spec.scenario})", tuple(blocks))


def _scenario_metric(one: Measured) -> str:
    return "gini" if one.is_value else "nmae" if one.is_count else "auc"


def _scenario_table(measured: list[Measured], name: str) -> Block:
    columns = ["scenario", "output", "rows", "AUC", "± standard error", "NMAE", "calibration", "change of AUC"]
    rows = [
        [
            one.slice,
            one.output,
            number(float(one.rows), ",.0f"),
            number(one.auc),
            number(one.auc_error),
            number(one.nmae),
            number(one.calibration, ".3f"),
            number(one.auc - one.baseline_auc, "+.4f"),
        ]
        for one in measured
    ]
    if any(one.is_value for one in measured):
        columns += ["Gini", "± standard error"]
        for row, one in zip(rows, measured, strict=True):
            row += [number(one.gini), number(one.gini_error)]
    return table(columns, rows, f"Metrics of the test rows by {name}.", search="scenario")
