"""The numbers by scenario: as tables of text, and as plain data."""

from typing import Any

from pipelines.compare.metrics.scenarios import MOST, ScenarioTable, scenario_metrics
from pipelines.compare.report.records import defined, summary_fields
from pipelines.compare.report.sheets import TITLES, Sheet, mean_sd
from pipelines.compare.report.table import ResultTable
from pipelines.evaluation.results import space_name
from tfmtl.spec import DatasetSpec

_WIDE = 6
"""As many scenarios stand side by side on a terminal of 110 columns."""


def scenario_sheets(spec: DatasetSpec, table: ResultTable) -> list[Sheet]:
    """For each output and metric the rows of the table by scenario, below the numbers of rows of the test split."""
    if table.scenarios is None:
        return []
    sheets = []
    for output in spec.outputs:
        scenarios = list(table.scenarios.rows[output.name])
        for metric in scenario_metrics(spec, output):
            title = f"{output.task}: {output.name} on {space_name(spec, output)}, by scenario: {TITLES[metric]}"
            for start in range(0, len(scenarios), _WIDE):
                part = scenarios[start : start + _WIDE]
                more = f" ({start + 1} to {start + len(part)})" if len(scenarios) > _WIDE else ""
                cells = _cells(table.rows, table.scenarios, output.name, metric, part)
                sheets.append(Sheet(f"{title}{more}", ["model", *part], cells))
    return sheets


def _cells(
    rows: tuple[str, ...], table: ScenarioTable, output: str, metric: str, scenarios: list[str]
) -> list[list[str]]:
    found = [["rows", *(f"{table.rows[output][scenario]:,}" for scenario in scenarios)]]
    for row in rows:
        summaries = [table.summary(row, output, scenario, metric) for scenario in scenarios]
        found.append([row, *(mean_sd(summary, metric) for summary in summaries)])
    return found


def scenario_note(spec: DatasetSpec, table: ScenarioTable) -> str:
    """What a reader of these tables has to know."""
    shown = len(next(iter(table.rows.values())))
    which = f"the {shown} largest of {table.found:,}" if table.found > MOST else f"all {shown}"
    return (
        f"By scenario: the test rows by their {spec.scenario}, {which}, the largest first. "
        "A metric that is not defined, such as the AUC of rows with one label, is left empty."
    )


def scenario_records(spec: DatasetSpec, table: ResultTable) -> list[dict[str, Any]]:
    """A record for each row, output, scenario and metric; what is not defined is None."""
    if table.scenarios is None:
        return []
    outputs = {output.name: output for output in spec.outputs}
    found = []
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
        found.append(defined(record))
    return found
