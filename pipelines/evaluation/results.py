"""Results of a run: metrics by output, space and slice, and their table."""

import dataclasses
import math
from collections.abc import Mapping

from rich.table import Table

from pipelines.evaluation.records import MEASURED, read_measured
from tfmtl.html_tables import html_block, html_table
from tfmtl.spec import ENTIRE, DatasetSpec, Output

OVERALL = ""
"""Name of the slice of all rows."""
_LARGEST, _WORST = 20, 5
"""Numbers of scenarios that a table shows if there are more: those with most rows, and those with the lowest AUC."""


@dataclasses.dataclass(frozen=True)
class OutputMetrics:
    """Metrics of one output on one slice.

    Attributes:
        output: Output of the spec.
        slice: Name of the scenario, or `OVERALL`.
        auc: AUC on the output's space; NaN for a count, or if all labels are equal.
        calibration: Ratio of the mean prediction to the mean label.
        nmae: Normalized mean absolute error of a count or value; NaN for a binary task.
        smape: Symmetric mean absolute percentage error of a count or value; NaN for a binary task.
        rows: Number of rows of the slice in the output's space.
        gauc: AUC within the groups of the spec's group key, weighted by their rows; NaN in scenarios.
        gini: Normalized Gini coefficient of a value; NaN for other tasks.
    """

    output: Output
    slice: str
    auc: float
    calibration: float
    nmae: float = math.nan
    smape: float = math.nan
    rows: float = math.nan
    gauc: float = math.nan
    gini: float = math.nan


class RunMetrics(list[OutputMetrics]):
    """Metrics of a run, of all rows first, which a notebook shows as a table."""

    def _repr_html_(self) -> str:
        rows = [
            [row.output.name, row.output.space, row.slice or "all", _count(row.rows), *_cells(row)]
            for row in shown_rows(self)
        ]
        header = ["output", "space", "slice", "rows", "AUC", "GAUC", "Gini", "NMAE", "SMAPE", "calibration"]
        return html_block("Test split", [html_table(*_filled(header, rows))])


def read_metrics(spec: DatasetSpec, evaluation_uri: str) -> RunMetrics:
    """Reads the metrics that the Evaluator wrote.

    Args:
        spec: Spec of the dataset.
        evaluation_uri: Folder of the evaluation.

    Returns:
        Metrics of all rows first, then of the scenarios by name; within each, in the order of the spec's outputs.
    """
    outputs = {output.name: output for output in spec.outputs}
    return RunMetrics(
        OutputMetrics(
            output=outputs[one.output],
            slice=one.slice,
            rows=float(one.rows),
            **{name: getattr(one, name) for name in ("auc", "calibration", "nmae", "smape", "gauc", "gini")},
        )
        for one in read_measured(evaluation_uri)
    )


def shown_rows(rows: list[OutputMetrics]) -> list[OutputMetrics]:
    """Returns the rows of a table: all, or those of the largest and of the worst scenarios if there are many.

    The worst are those with the lowest AUC or Gini coefficient, or the highest error of a count, of any output.

    Args:
        rows: Metrics of a run.
    """
    sizes: dict[str, float] = {}
    skill: dict[str, float] = {}
    for row in rows:
        if row.slice != OVERALL:
            sizes[row.slice] = max(sizes.get(row.slice, 0.0), row.rows)
            value = next((one for one in (row.auc, row.gini, -row.nmae) if not math.isnan(one)), math.nan)
            skill[row.slice] = min(skill.get(row.slice, math.inf), math.inf if math.isnan(value) else value)
    if len(sizes) <= _LARGEST + _WORST:
        return rows
    largest = sorted(sizes, key=lambda name: -sizes[name])[:_LARGEST]
    worst = sorted((name for name in skill if name not in largest), key=lambda name: skill[name])[:_WORST]
    order = {name: place for place, name in enumerate([OVERALL, *largest, *worst])}
    return sorted((row for row in rows if row.slice in order), key=lambda row: order[row.slice])


def shown_note(rows: list[OutputMetrics], evaluation_uri: str) -> str | None:
    """Returns a sentence about the scenarios that a table leaves out; None if it shows all.

    Args:
        rows: Metrics of a run.
        evaluation_uri: Folder of the evaluation.
    """
    count, shown = (len({row.slice for row in some} - {OVERALL}) for some in (rows, shown_rows(rows)))
    if count == shown:
        return None
    words = f"The table has the {_LARGEST} scenarios with the most rows and the {_WORST} worst of the other ones"
    return f"{words}; {evaluation_uri}/{MEASURED} has all {count:,}."


def overall_auc(rows: list[OutputMetrics]) -> dict[str, float]:
    """Returns the AUC of each output on all rows of its space, by output name.

    Args:
        rows: Metrics of a run.
    """
    return {row.output.name: row.auc for row in rows if row.slice == OVERALL}


def scenario_note(spec: DatasetSpec, rows: list[OutputMetrics]) -> str | None:
    """Returns a sentence about the test rows without a scenario, which are in no slice; None if there are none.

    Args:
        spec: Spec of the dataset.
        rows: Metrics of a run.
    """
    output = next(output for output in spec.outputs if output.space == ENTIRE)
    counts = {row.slice: row.rows for row in rows if row.output == output}
    total = counts.pop(OVERALL, math.nan)
    missing = total - sum(counts.values())
    if spec.scenario is None or math.isnan(missing) or missing < 1:
        return None
    verb = "has" if missing == 1 else "have"
    place = "is in no slice" if missing == 1 else "are in no slice"
    return f"{missing:,.0f} of {total:,.0f} test rows {verb} no `{spec.scenario}` and {place}."


def results_table(
    spec: DatasetSpec,
    rows: list[OutputMetrics],
    title: str,
    reference_aucs: Mapping[str, float] | None = None,
    reference_name: str = "",
    reference_ginis: Mapping[str, float] | None = None,
) -> Table:
    """Creates the table of a run's results.

    Args:
        spec: Spec of the dataset.
        rows: Metrics of the run.
        title: Title of the table.
        reference_aucs: AUC of a reference model or the oracle on all rows, by output name, for an additional column.
        reference_name: Name of the reference in the column's header.
        reference_ginis: Gini coefficient of the Tweedie regression on all rows, by output name of a value, for an
            additional column.
    """
    table = Table(title=title, title_justify="left")
    for column in ["task", "output", "space", "slice"]:
        table.add_column(column)
    kinds = {task.kind for task in spec.tasks}
    reference_columns = [f"{reference_name} AUC", f"lift over the {reference_name}"] if reference_aucs else []
    has_gauc = any(not math.isnan(row.gauc) for row in rows)
    auc_columns = ["AUC", *(["GAUC"] if has_gauc else [])]
    binary_columns = [*auc_columns, *reference_columns] if "binary" in kinds else []
    count_columns = ["Gini", *(["Tweedie regression Gini"] if reference_ginis else [])] if "value" in kinds else []
    count_columns += ["NMAE", "SMAPE"] if kinds & {"count", "value"} else []
    for column in [*binary_columns, *count_columns, "calibration"]:
        table.add_column(column, justify="right")
    for row in shown_rows(rows):
        cells = [row.output.task, row.output.name, space_name(spec, row.output), row.slice or "all"]
        if binary_columns:
            cells += [_cell(row.auc), *([_cell(row.gauc)] if has_gauc else [])]
        if binary_columns and reference_aucs:
            reference = reference_aucs.get(row.output.name, math.nan) if row.slice == OVERALL else math.nan
            cells += [_cell(reference), lift_share(row.auc, reference)]
        if count_columns:
            cells += [_cell(row.gini)] if "value" in kinds else []
            if reference_ginis:
                reference = reference_ginis.get(row.output.name, math.nan) if row.slice == OVERALL else math.nan
                cells.append(_cell(reference))
            cells += [_cell(row.nmae), _cell(row.smape)]
        table.add_row(*cells, _cell(row.calibration, 3))
    return table


def lift_share(auc: float, reference: float) -> str:
    """Formats the lift of an AUC over 0.5 as a share of a reference's lift: `(auc - 0.5) / (reference - 0.5)`.

    Args:
        auc: AUC of the model.
        reference: AUC of the reference.

    Returns:
        The share in percent; empty if an AUC is NaN or the reference is at most 0.5.
    """
    if math.isnan(auc) or math.isnan(reference) or reference <= 0.5:
        return ""
    return f"{100 * (auc - 0.5) / (reference - 0.5):.1f} %"


def space_name(spec: DatasetSpec, output: Output) -> str:
    """Describes the space of an output: `all rows`, or `<previous task> = 1`.

    Args:
        spec: Spec of the dataset.
        output: Output of the spec.
    """
    return "all rows" if output.space == ENTIRE else f"{spec.task(output.task).follows} = 1"


def _cell(value: float, digits: int = 4) -> str:
    return "" if math.isnan(value) else f"{value:.{digits}f}"


def _count(value: float) -> str:
    return "" if math.isnan(value) else f"{value:,.0f}"


def _cells(row: OutputMetrics) -> list[str]:
    values = (row.auc, row.gauc, row.gini, row.nmae, row.smape)
    return [*(_cell(value) for value in values), _cell(row.calibration, 3)]


def _filled(header: list[str], rows: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    """Returns the columns that have a value in some row."""
    kept = [i for i in range(len(header)) if any(row[i] for row in rows)]
    return [header[i] for i in kept], [[row[i] for i in kept] for row in rows]
