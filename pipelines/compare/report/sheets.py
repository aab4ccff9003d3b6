"""Tables of text, shown on a terminal or written as Markdown."""

import dataclasses
import math
from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from pipelines.compare.metrics.evaluate import (
    AUC,
    AUC_ALL,
    CALIBRATION,
    CALIBRATION_ALL,
    ECE,
    GAUC,
    LOG_LOSS,
    NMAE,
    POISSON_LOSS,
    SMAPE,
    main_metric,
)
from pipelines.compare.metrics.significance import Summary
from pipelines.compare.plan.settings import CompareSettings, PaperTable
from pipelines.compare.report.claims import ClaimResult
from pipelines.compare.report.table import Cell, ResultTable
from pipelines.evaluation.results import space_name
from tfmtl.spec import DatasetSpec, Output

TITLES = {
    AUC: "AUC",
    GAUC: "GAUC",
    LOG_LOSS: "log loss",
    CALIBRATION: "calibration",
    ECE: "ECE",
    NMAE: "NMAE",
    SMAPE: "SMAPE",
    POISSON_LOSS: "Poisson loss",
    AUC_ALL: "AUC",
    CALIBRATION_ALL: "calibration",
}
ON_ALL = "all rows, against the true probability"
_DIGITS = {CALIBRATION: 3, CALIBRATION_ALL: 3}
_RECORDS_ONLY = (ECE,)
"""What CSV and JSON have, and a terminal has no room for."""


@dataclasses.dataclass(frozen=True)
class Sheet:
    """One table of text.

    Attributes:
        title: above it.
        columns: heads.
        rows: as many cells each.
        text: first columns that are words; the others are numbers.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    text: int = 1

    def rich(self) -> Table:
        """For a terminal."""
        table = Table(title=escape(self.title), title_justify="left")
        for i, column in enumerate(self.columns):
            table.add_column(escape(column), justify="left" if i < self.text else "right", no_wrap=i >= self.text)
        for row in self.rows:
            table.add_row(*(escape(cell) for cell in row))
        return table

    def markdown(self) -> str:
        """For a page."""
        marks = [":--" if i < self.text else "--:" for i in range(len(self.columns))]
        rows = [[cell.replace("|", "\\|") for cell in row] for row in (self.columns, marks, *self.rows)]
        lines = [f"**{self.title}**", ""] + [f"| {' | '.join(row)} |" for row in rows]
        return "\n".join(lines) + "\n"


def output_sheets(settings: CompareSettings, spec: DatasetSpec, table: ResultTable) -> list[Sheet]:
    """A sheet for each output on its space: all metrics, gain and test of the main one, which stands first.

    Where the truth is known, another one for each output on a conditional space, measured on all rows.
    """
    sheets = []
    for output in spec.outputs:
        metrics = [name for name in table.metrics(output.name) if name not in _RECORDS_ONLY]
        of_all = [name for name in metrics if name in (AUC_ALL, CALIBRATION_ALL)]
        own = [name for name in metrics if name not in of_all]
        main = main_metric(spec, output)
        own = [main, *(name for name in own if name != main)]
        sheets.append(_sheet(settings, table, output, space_name(spec, output), own))
        if of_all:
            sheets.append(_sheet(settings, table, output, ON_ALL, of_all))
    return sheets


def _sheet(settings: CompareSettings, table: ResultTable, output: Output, space: str, metrics: Sequence[str]) -> Sheet:
    main, *others = metrics
    tested = [settings.tested] if settings.tested else []
    lifts = any(not math.isnan(table.cells[row, output.name, main].lift_share) for row in table.rows)
    columns = [TITLES[main], "gain", *("p (Holm)" for _ in tested), *(["of the lift"] if lifts else [])]
    columns += [TITLES[name] for name in others]
    rows = []
    for row in table.rows:
        cell = table.cells[row, output.name, main]
        cells = [row, mean_sd(cell.summary, main), gain_text(settings, cell), *(test_text(cell) for _ in tested)]
        cells += [_percent(cell.lift_share)] if lifts else []
        rest = [table.cells[row, output.name, name] for name in others]
        rows.append([*cells, *(mean_sd(other.summary, other.metric) for other in rest)])
    baselines = {table.cells[row, output.name, main].best_baseline for row in table.rows} - {""}
    against = f"; p: against {', '.join(baselines)}" if baselines else ""
    return Sheet(f"{output.task}: {output.name} on {space}{against}", ["model", *columns], rows)


def cost_sheet(table: ResultTable) -> Sheet:
    """What the runs cost."""
    columns = ["model", "runs", "parameters", "training, s", "epochs", "scoring, µs a row"]
    rows = []
    for row, cost in table.costs.items():
        epochs = f"{cost.epochs:.1f}" if cost.epochs else ""
        seconds = _plain(cost.training, 1)
        rows.append([row, str(cost.training.runs), f"{cost.parameters:,.0f}", seconds, epochs, _plain(cost.scoring, 2)])
    return Sheet("Cost (mean ± sd over runs)", columns, rows)


def trial_sheet(trials: Sequence[tuple[str, int, str, float, bool]], monitor: str) -> Sheet:
    """The trials: row, number, what was drawn, the monitor on the eval split, and whether it was chosen."""
    rows = [
        [row, str(number + 1), drawn, f"{value:.4f}", "chosen" if chosen else ""]
        for row, number, drawn, value, chosen in trials
    ]
    return Sheet(f"Trials, judged by {monitor} on the eval split", ["model", "trial", "drawn", "value", ""], rows, 3)


def claim_sheet(verdicts: Sequence[ClaimResult]) -> Sheet:
    """What papers claim, and what was found."""
    rows = []
    for verdict in verdicts:
        claim = verdict.claim
        by = f"{TITLES[verdict.metric]} of {claim.output}"
        by += f" on {ON_ALL}" if verdict.metric == AUC_ALL else ""
        ahead = "" if math.isnan(verdict.advantage) else f"{verdict.advantage:+.4f}"
        rows.append([claim.text, by, claim.row, verdict.against, ahead, _p_text(verdict.p), verdict.word])
    heads = ["claim", "by", "row", "best of the others", "better by", "p (Holm)", ""]
    return Sheet("What the papers claim, on this data", heads, rows, 4)


def paper_sheet(paper: PaperTable) -> Sheet:
    """A paper's own figures."""
    rows = [[model, *(str(cell) for cell in cells)] for model, cells in paper.rows.items()]
    return Sheet(paper.title, ["model", *paper.columns], rows)


def mean_sd(summary: Summary, metric: str) -> str:
    """`0.7412±0.0008`; without the deviation where there is one run."""
    return _plain(summary, _DIGITS.get(metric, 4))


def gain_text(settings: CompareSettings, cell: Cell) -> str:
    """With its sign; per cent unless it is a difference."""
    if math.isnan(cell.gain):
        return ""
    return f"{cell.gain:+.4f}" if settings.gain == "difference" else f"{100 * cell.gain:+.2f} %"


def test_text(cell: Cell) -> str:
    """The corrected p-value and its stars, one from .05 on, two from .01 on; `worse` where it is significantly so."""
    if not cell.best_baseline or math.isnan(cell.p_holm):
        return ""
    text = _p_text(cell.p_holm)
    if cell.p_holm >= 0.05:
        return text
    return f"{text} {'**' if cell.p_holm < 0.01 else '*'}" if cell.better else f"{text} worse"


def _p_text(p: float) -> str:
    if math.isnan(p):
        return ""
    return "< 0.0001" if p < 1e-4 else f"{p:.4f}"


def _percent(share: float) -> str:
    return "" if math.isnan(share) else f"{100 * share:.1f} %"


def _plain(summary: Summary, digits: int) -> str:
    if math.isnan(summary.mean):
        return ""
    text = f"{summary.mean:.{digits}f}"
    return text if math.isnan(summary.sd) else f"{text}±{summary.sd:.{digits}f}"
