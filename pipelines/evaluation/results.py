"""Results of a run: TFMA's metrics by output, space and slice, and their table."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import tensorflow_model_analysis as tfma
from rich.table import Table

from pipelines.evaluation.count_metrics import NMAE, SMAPE
from pipelines.evaluation.eval_config import AUC, CALIBRATION, MEAN_LABEL, ROWS, name_in_tfma
from tfmtl.spec import ENTIRE, DatasetSpec, Output

OVERALL = ""
"""Name of the slice of all rows."""


@dataclasses.dataclass(frozen=True)
class OutputMetrics:
    """Metrics of one output on one slice.

    Attributes:
        output: Output of the spec.
        slice: Name of the scenario, or `OVERALL`.
        auc: AUC on the output's space; NaN for a count, or if all labels are equal.
        calibration: Ratio of the mean prediction to the mean label.
        nmae: Normalized mean absolute error of a count; NaN for a binary task.
        smape: Symmetric mean absolute percentage error of a count; NaN for a binary task.
        rows: Number of rows of the slice in the output's space; NaN if an earlier version evaluated the model.
    """

    output: Output
    slice: str
    auc: float
    calibration: float
    nmae: float = math.nan
    smape: float = math.nan
    rows: float = math.nan


def read_metrics(spec: DatasetSpec, evaluation_uri: str) -> list[OutputMetrics]:
    """Reads the metrics that an Evaluator wrote.

    Args:
        spec: Spec of the dataset.
        evaluation_uri: Folder of the evaluation.

    Returns:
        Metrics of all rows first, then of the scenarios by name; within each, in the order of the spec's outputs.
    """
    result = tfma.load_eval_result(evaluation_uri)
    rows = []
    for slice_key, by_output in result.slicing_metrics:
        name = ", ".join(_decode(value) for _, value in slice_key)
        for output in spec.outputs:
            metrics = by_output.get(name_in_tfma(spec, output), {}).get("", {})
            others = [_number(metrics, metric) for metric in (CALIBRATION, NMAE, SMAPE, ROWS)]
            rows.append(OutputMetrics(output, name, _auc(metrics), *others))
    return sorted(rows, key=lambda row: row.slice)


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
) -> Table:
    """Creates the table of a run's results.

    Args:
        spec: Spec of the dataset.
        rows: Metrics of the run.
        title: Title of the table.
        reference_aucs: AUC of a reference model or the oracle on all rows, by output name, for an additional column.
        reference_name: Name of the reference in the column's header.
    """
    table = Table(title=title, title_justify="left")
    for column in ["task", "output", "space", "slice"]:
        table.add_column(column)
    kinds = {task.kind for task in spec.tasks}
    reference_columns = [f"{reference_name} AUC", f"lift over the {reference_name}"] if reference_aucs else []
    binary_columns = ["AUC", *reference_columns] if "binary" in kinds else []
    count_columns = ["NMAE", "SMAPE"] if "count" in kinds else []
    for column in [*binary_columns, *count_columns, "calibration"]:
        table.add_column(column, justify="right")
    for row in rows:
        cells = [row.output.task, row.output.name, space_name(spec, row.output), row.slice or "all"]
        if binary_columns:
            cells.append(_cell(row.auc))
        if binary_columns and reference_aucs:
            reference = reference_aucs.get(row.output.name, math.nan) if row.slice == OVERALL else math.nan
            cells += [_cell(reference), lift_share(row.auc, reference)]
        if count_columns:
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


def _auc(metrics: Mapping[str, Any]) -> float:
    """Returns the AUC, which is NaN if all labels are equal or there is no row; TFMA gives 0 then."""
    if MEAN_LABEL in metrics and not 0 < _number(metrics, MEAN_LABEL) < 1:
        return math.nan
    return _number(metrics, AUC)


def _number(metrics: Mapping[str, Any], name: str) -> float:
    return float(metrics.get(name, {}).get("doubleValue", math.nan))


def _cell(value: float, digits: int = 4) -> str:
    return "" if math.isnan(value) else f"{value:.{digits}f}"


def _decode(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
