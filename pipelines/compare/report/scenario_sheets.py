"""Metrics by scenario, as tables of text and as plain data."""

from typing import Any

from pipelines.compare.metrics.scenarios import MAX_SCENARIOS, ScenarioTable, scenario_metrics
from pipelines.compare.report.records import nan_to_none, summary_fields
from pipelines.compare.report.sheets import TITLES, Sheet, mean_sd
from pipelines.compare.report.table import ResultTable
from pipelines.evaluation.results import space_name
from tfmtl.spec import DatasetSpec

_SCENARIOS_PER_SHEET = 6
"""Number of scenarios whose columns fit a terminal of 110 characters."""


def scenario_sheets(spec: DatasetSpec, table: ResultTable) -> list[Sheet]:
    """Creates tables for each output and metric: the number of test rows by scenario, then the rows of the table.

    Args:
        spec: Spec of the dataset.
        table: Numbers of the comparison.
    """
    if table.scenarios is None:
        return []
    sheets = []
    for output in spec.outputs:
        scenarios = list(table.scenarios.rows[output.name])
        for metric in scenario_metrics(spec, output):
            title = f"{output.task}: {output.name} on {space_name(spec, output)}, by scenario: {TITLES[metric]}"
            for start in range(0, len(scenarios), _SCENARIOS_PER_SHEET):
                part = scenarios[start : start + _SCENARIOS_PER_SHEET]
                several = len(scenarios) > _SCENARIOS_PER_SHEET
                numbers = f" ({start + 1} to {start + len(part)})" if several else ""
                cells = _cells(table.rows, table.scenarios, output.name, metric, part)
                sheets.append(Sheet(f"{title}{numbers}", ["model", *part], cells))
    return sheets


def scenario_note(spec: DatasetSpec, table: ScenarioTable) -> str:
    """Returns an explanation of the tables by scenario.

    Args:
        spec: Spec of the dataset.
        table: Metrics by scenario.
    """
    shown = len(next(iter(table.rows.values())))
    which = f"the {shown} largest of {table.num_scenarios:,}" if table.num_scenarios > MAX_SCENARIOS else f"all {shown}"
    return (
        f"By scenario: metrics of the test rows with each value of {spec.scenario} ({which}, in descending order of "
        "size). A metric that is not defined, such as the AUC of rows with equal labels, is empty."
    )


def scenario_records(spec: DatasetSpec, table: ResultTable) -> list[dict[str, Any]]:
    """Creates a record for each row, output, scenario and metric; a value that is not defined is None.

    Args:
        spec: Spec of the dataset.
        table: Numbers of the comparison.
    """
    if table.scenarios is None:
        return []
    outputs = {output.name: output for output in spec.outputs}
    records = []
    for (row, output, scenario, metric), values in table.scenarios.values.items():
        record = {
            "model": row,
            "task": outputs[output].task,
            "output": output,
            "space": outputs[output].space,
            "metric": metric,
            "scenario": scenario,
            "rows": table.scenarios.rows[output][scenario],
            **summary_fields(table.scenarios.summary(row, output, scenario, metric)),
            "values": {str(seed): value for seed, value in values.items()},
        }
        records.append(nan_to_none(record))
    return records


def _cells(
    rows: tuple[str, ...], table: ScenarioTable, output: str, metric: str, scenarios: list[str]
) -> list[list[str]]:
    cells = [["rows", *(f"{table.rows[output][scenario]:,}" for scenario in scenarios)]]
    for row in rows:
        summaries = [table.summary(row, output, scenario, metric) for scenario in scenarios]
        cells.append([row, *(mean_sd(summary, metric) for summary in summaries)])
    return cells
