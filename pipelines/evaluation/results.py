"""What a run measured: TFMA's results by output, space and slice, beside a reference's or the oracle's."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import tensorflow_model_analysis as tfma
from rich.table import Table

from pipelines.evaluation.count_metrics import NMAE, SMAPE
from pipelines.evaluation.eval_config import AUC, CALIBRATION, name_in_tfma
from tfmtl.spec import ENTIRE, DatasetSpec, Output

OVERALL = ""


@dataclasses.dataclass(frozen=True)
class Measured:
    """Metrics of one output on one slice.

    Attributes:
        output: of the spec.
        slice: the scenario, or `OVERALL`.
        auc: on the output's space; NaN for a count, or where all labels are equal.
        calibration: mean prediction over mean label.
        nmae: normalized mean absolute error of a count, else NaN.
        smape: symmetric mean absolute percentage error of a count, else NaN.
    """

    output: Output
    slice: str
    auc: float
    calibration: float
    nmae: float = math.nan
    smape: float = math.nan


def measured(spec: DatasetSpec, evaluation_uri: str) -> list[Measured]:
    """What an Evaluator wrote: overall first, then the scenarios by name; outputs in the spec's order."""
    result = tfma.load_eval_result(evaluation_uri)
    rows = []
    for slice_key, by_output in result.slicing_metrics:
        name = ", ".join(_text(value) for _, value in slice_key)
        for output in spec.outputs:
            metrics = by_output.get(name_in_tfma(spec, output), {}).get("", {})
            values = [_number(metrics, metric) for metric in (AUC, CALIBRATION, NMAE, SMAPE)]
            rows.append(Measured(output, name, *values))
    return sorted(rows, key=lambda row: row.slice)


def overall_auc(rows: list[Measured]) -> dict[str, float]:
    """AUC by output name on all rows of its space."""
    return {row.output.name: row.auc for row in rows if row.slice == OVERALL}


def results_table(
    spec: DatasetSpec, rows: list[Measured], title: str, other: Mapping[str, float] | None = None, other_name: str = ""
) -> Table:
    """The table that a run ends with.

    Args:
        spec: of the data set.
        rows: what was measured.
        title: of the table.
        other: AUC by output name of a reference or an oracle, for a column beside the model's.
        other_name: of that column.
    """
    table = Table(title=title, title_justify="left")
    for column in ["task", "output", "space", "slice"]:
        table.add_column(column)
    kinds = {task.kind for task in spec.tasks}
    of_binary = ["AUC", *([f"{other_name} AUC", "share of its lift"] if other else [])] if "binary" in kinds else []
    of_counts = ["NMAE", "SMAPE"] if "count" in kinds else []
    for column in [*of_binary, *of_counts, "calibration"]:
        table.add_column(column, justify="right")
    for row in rows:
        cells = [row.output.task, row.output.name, space_name(spec, row.output), row.slice or "all"]
        if of_binary:
            cells.append(_cell(row.auc))
        if of_binary and other:
            beside = other.get(row.output.name, math.nan) if row.slice == OVERALL else math.nan
            cells += [_cell(beside), lift_share(row.auc, beside)]
        if of_counts:
            cells += [_cell(row.nmae), _cell(row.smape)]
        table.add_row(*cells, _cell(row.calibration, 3))
    return table


def lift_share(auc: float, reference: float) -> str:
    """`(AUC - 0.5) / (reference - 0.5)` in per cent."""
    if math.isnan(auc) or math.isnan(reference) or reference <= 0.5:
        return ""
    return f"{100 * (auc - 0.5) / (reference - 0.5):.1f} %"


def space_name(spec: DatasetSpec, output: Output) -> str:
    """`all rows`, or `<previous task> = 1`."""
    return "all rows" if output.space == ENTIRE else f"{spec.task(output.task).follows} = 1"


def _number(metrics: Mapping[str, Any], name: str) -> float:
    return float(metrics.get(name, {}).get("doubleValue", math.nan))


def _cell(value: float, digits: int = 4) -> str:
    return "" if math.isnan(value) else f"{value:.{digits}f}"


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
