"""Tables of text, printed on a terminal or written as Markdown."""

import dataclasses
import math
from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from pipelines.compare.metrics.evaluate import main_metric
from pipelines.compare.metrics.names import (
    AUC,
    AUC_ALL,
    CALIBRATION,
    CALIBRATION_ALL,
    ECE,
    GAUC,
    GINI,
    LOG_LOSS,
    NMAE,
    POISSON_LOSS,
    SMAPE,
    TWEEDIE_LOSS,
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
    GINI: "Gini",
    TWEEDIE_LOSS: "Tweedie loss",
    AUC_ALL: "AUC",
    CALIBRATION_ALL: "calibration",
}
"""Titles of metrics."""
ALL_ROWS = "all rows, against the true probability"
"""Description of the rows of `AUC_ALL` and `CALIBRATION_ALL`."""
_DIGITS = {CALIBRATION: 3, CALIBRATION_ALL: 3}
_RECORDS_ONLY = (ECE,)
"""Metrics of CSV and JSON that a terminal has no room for."""


@dataclasses.dataclass(frozen=True)
class Sheet:
    """Table of text.

    Attributes:
        title: Title above the table.
        columns: Headings of the columns; a line break applies to the terminal alone.
        rows: Cells of each row.
        text_columns: Number of leading columns with words, aligned left; the other columns hold numbers.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    text_columns: int = 1

    def rich(self) -> Table:
        """Returns the table for a terminal."""
        table = Table(title=escape(self.title), title_justify="left")
        for i, column in enumerate(self.columns):
            is_text = i < self.text_columns
            table.add_column(escape(column), justify="left" if is_text else "right", no_wrap=not is_text)
        for row in self.rows:
            table.add_row(*(escape(cell) for cell in row))
        return table

    def markdown(self) -> str:
        """Returns the table as Markdown."""
        marks = [":--" if i < self.text_columns else "--:" for i in range(len(self.columns))]
        rows = [
            [cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in (self.columns, marks, *self.rows)
        ]
        lines = [f"**{self.title}**", "", *(f"| {' | '.join(row)} |" for row in rows)]
        return "\n".join(lines) + "\n"


def output_sheets(settings: CompareSettings, spec: DatasetSpec, table: ResultTable) -> list[Sheet]:
    """Creates a table of each output's metrics on its space; the main metric comes first, with its gain and test.

    If the true probabilities are known, an output on a conditional space has a second table, of metrics on all rows.

    Args:
        settings: Settings of the comparison.
        spec: Spec of the dataset.
        table: Numbers of the comparison.
    """
    sheets = []
    for output in spec.outputs:
        metrics = [name for name in table.metrics(output.name) if name not in _RECORDS_ONLY]
        all_rows_metrics = [name for name in metrics if name in (AUC_ALL, CALIBRATION_ALL)]
        main = main_metric(spec, output)
        space_metrics = [main, *(name for name in metrics if name != main and name not in all_rows_metrics)]
        sheets.append(_output_sheet(settings, table, output, space_name(spec, output), space_metrics))
        if all_rows_metrics:
            sheets.append(_output_sheet(settings, table, output, ALL_ROWS, all_rows_metrics))
    return sheets


def cost_sheet(table: ResultTable) -> Sheet:
    """Creates the table of parameters, training time, epochs and scoring time.

    Args:
        table: Numbers of the comparison.
    """
    columns = ["model", "runs", "parameters", "training, s", "epochs", "scoring, µs/row"]
    rows = []
    for row, cost in table.costs.items():
        epochs = f"{cost.epochs:.1f}" if cost.epochs else ""
        seconds = _format(cost.training, 1)
        rows.append(
            [row, str(cost.training.runs), f"{cost.parameters:,.0f}", seconds, epochs, _format(cost.scoring, 2)]
        )
    return Sheet("Cost (mean ± sd over runs)", columns, rows)


def claim_sheet(results: Sequence[ClaimResult]) -> Sheet:
    """Creates the table of claims and their results.

    Args:
        results: Results of the claims.
    """
    rows = []
    for result in results:
        claim = result.claim
        metric = f"{TITLES[result.metric]} of {claim.output}"
        metric += f" on {ALL_ROWS}" if result.metric == AUC_ALL else ""
        advantage = "" if math.isnan(result.advantage) else f"{result.advantage:+.4f}"
        text = f"{claim.text} (margin {claim.margin:g})" if claim.margin else claim.text
        cells = [text, metric, claim.row, result.best_other, advantage, _p_text(result.p), result.conclusion]
        rows.append(cells)
    columns = ["claim", "metric", "row", "best other row", "better by", "p (Holm)", "result"]
    return Sheet("Claims, tested on this data", columns, rows, 4)


def paper_sheet(paper: PaperTable) -> Sheet:
    """Creates the table of a paper's own results.

    Args:
        paper: Results of the paper.
    """
    rows = [[model, *(str(cell) for cell in cells)] for model, cells in paper.rows.items()]
    return Sheet(paper.title, ["model", *paper.columns], rows)


def mean_sd(summary: Summary, metric: str) -> str:
    """Formats mean and standard deviation as `0.7412±0.0008`, a single run as `0.7412`.

    Args:
        summary: Summary of the metric over seeds.
        metric: Name of the metric, which determines the number of digits.
    """
    return _format(summary, _DIGITS.get(metric, 4))


def gain_text(settings: CompareSettings, cell: Cell) -> str:
    """Formats a gain with its sign, in per cent unless it is a difference.

    Args:
        settings: Settings of the comparison, with the definition of the gain.
        cell: Cell of the table.
    """
    if math.isnan(cell.gain):
        return ""
    return f"{cell.gain:+.4f}" if settings.gain == "difference" else f"{100 * cell.gain:+.2f} %"


def significance_text(cell: Cell) -> str:
    """Formats a corrected p-value: `*` for better below .05, `**` below .01, `worse` for worse below .05.

    Args:
        cell: Cell of the table.
    """
    if not cell.best_baseline or math.isnan(cell.p_holm):
        return ""
    text = _p_text(cell.p_holm)
    if cell.p_holm >= 0.05:
        return text
    return f"{text} {'**' if cell.p_holm < 0.01 else '*'}" if cell.better else f"{text} worse"


def _output_sheet(
    settings: CompareSettings, table: ResultTable, output: Output, space: str, metrics: Sequence[str]
) -> Sheet:
    main, *others = metrics
    has_tests = bool(settings.tested)
    has_lifts = any(not math.isnan(table.cells[row, output.name, main].lift_share) for row in table.rows)
    columns = ["model", TITLES[main], "gain"]
    columns += (["p (Holm)"] if has_tests else []) + (["lift over\nthe oracle"] if has_lifts else [])
    columns += [TITLES[name] for name in others]
    rows = []
    for row in table.rows:
        cell = table.cells[row, output.name, main]
        cells = [row, mean_sd(cell.summary, main), gain_text(settings, cell)]
        cells += ([significance_text(cell)] if has_tests else []) + ([_percent(cell.lift_share)] if has_lifts else [])
        other_cells = [table.cells[row, output.name, name] for name in others]
        rows.append([*cells, *(mean_sd(other.summary, other.metric) for other in other_cells)])
    baselines = {table.cells[row, output.name, main].best_baseline for row in table.rows} - {""}
    against = f"; p: against {', '.join(baselines)}" if baselines else ""
    return Sheet(f"{output.task}: {output.name} on {space}{against}", columns, rows)


def _p_text(p: float) -> str:
    if math.isnan(p):
        return ""
    return "< 0.0001" if p < 1e-4 else f"{p:.4f}"


def _percent(share: float) -> str:
    return "" if math.isnan(share) else f"{100 * share:.1f} %"


def _format(summary: Summary, digits: int) -> str:
    if math.isnan(summary.mean):
        return ""
    text = f"{summary.mean:.{digits}f}"
    return text if math.isnan(summary.sd) else f"{text}±{summary.sd:.{digits}f}"
