"""The table as plain data: JSON, and CSV with a line for each row, output and metric."""

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
"""The columns of the CSV; `scenario`, and how many rows it has, are empty where a metric is of all rows."""


def records(spec: DatasetSpec, table: ResultTable) -> list[dict[str, Any]]:
    """A record for each row, output and metric; what is not defined is None."""
    outputs = {output.name: output for output in spec.outputs}
    found = []
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
        found.append(defined(record))
    return found


def write_csv(path: pathlib.Path, table: list[dict[str, Any]]) -> None:
    """One line a record, an empty cell where nothing is defined."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)


def defined(value: Any) -> Any:
    """The same nested data with None for NaN, which JSON does not know."""
    if isinstance(value, Mapping):
        return {name: defined(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [defined(entry) for entry in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def summary_fields(summary: Summary) -> dict[str, Any]:
    """Mean, deviation and number of runs."""
    return {"mean": summary.mean, "sd": summary.sd, "runs": summary.runs}
