"""Table of a comparison as plain data for JSON, and as CSV with a line for each row, output and metric."""

import csv
import math
import pathlib
from collections.abc import Mapping
from typing import Any

from pipelines.compare.metrics.significance import Summary
from pipelines.compare.report.table import ResultTable
from tfmtl.spec import DatasetSpec

FIELDS = (
    "model", "task", "output", "space", "metric", "scenario", "rows", "mean", "sd", "runs", "gain", "gain_sd",
    "lift_share", "best_baseline", "better", "p", "p_holm", "parameters", "training_seconds", "epochs",
    "scoring_us_per_row",
)  # fmt: skip
"""Columns of the CSV; `scenario` and its number of `rows` are empty for a metric of all rows."""


def make_records(spec: DatasetSpec, table: ResultTable) -> list[dict[str, Any]]:
    """Creates a record for each row, output and metric; a value that is not defined is None.

    Args:
        spec: Spec of the dataset.
        table: Numbers of the comparison.
    """
    outputs = {output.name: output for output in spec.outputs}
    records = []
    for (row, output, metric), cell in table.cells.items():
        cost = table.costs.get(row)
        record = {
            "model": row,
            "task": outputs[output].task,
            "output": output,
            "space": outputs[output].space,
            "metric": metric,
            **summary_fields(cell.summary),
            "gain": cell.gain,
            "gain_sd": cell.gain_sd,
            "lift_share": cell.lift_share,
            "best_baseline": cell.best_baseline or None,
            "better": cell.better if cell.best_baseline else None,
            "p": cell.p,
            "p_holm": cell.p_holm,
            "parameters": cost.parameters if cost else None,
            "training_seconds": cost.training.mean if cost else None,
            "epochs": cost.epochs if cost else None,
            "scoring_us_per_row": cost.scoring.mean if cost else None,
            "values": {str(seed): value for seed, value in cell.values.items()},
        }
        records.append(nan_to_none(record))
    return records


def write_csv(path: pathlib.Path, records: list[dict[str, Any]]) -> None:
    """Writes one line for each record, with an empty cell for a value that is not defined.

    Args:
        path: File to write.
        records: Records with the fields of `FIELDS`; other fields are not written.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)


def nan_to_none(value: Any) -> Any:
    """Replaces NaN, which JSON does not know, by None.

    Args:
        value: Nested plain data.

    Returns:
        The same data with None in place of each NaN.
    """
    if isinstance(value, Mapping):
        return {name: nan_to_none(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [nan_to_none(entry) for entry in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def summary_fields(summary: Summary) -> dict[str, Any]:
    """Returns the fields of a summary: mean, standard deviation and number of runs.

    Args:
        summary: Summary of a metric over seeds.
    """
    return {"mean": summary.mean, "sd": summary.sd, "runs": summary.runs}
