"""What models do in each scenario: the metrics that papers print, on the test rows of each."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from pipelines.compare.data.prepared import Columns
from pipelines.compare.metrics.evaluate import AUC, NMAE, SMAPE, rows_of_space
from pipelines.compare.metrics.significance import Summary, Values, summarize
from tfmtl.metrics import nmae, roc_auc, smape
from tfmtl.spec import DatasetSpec, Output

MOST = 12
"""More scenarios than these are not told apart: the largest of them are."""
ByScenario = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Metrics by output, scenario and name."""
_METRICS: Mapping[str, Callable[..., float]] = {AUC: roc_auc, NMAE: nmae, SMAPE: smape}


@dataclasses.dataclass(frozen=True)
class ScenarioTable:
    """All numbers by scenario.

    Attributes:
        rows: of the test split that are in the output's space, by output and scenario; the largest scenario first.
        values: by row of the table, output, scenario and metric, and by seed.
        found: how many scenarios the test split has.
    """

    rows: Mapping[str, Mapping[str, int]]
    values: Mapping[tuple[str, str, str, str], Values]
    found: int

    def summary(self, row: str, output: str, scenario: str, metric: str) -> Summary:
        """Over the seeds; NaN where there is nothing, such as the AUC of rows with one label."""
        return summarize(self.values.get((row, output, scenario, metric), {}))


def scenario_metrics(spec: DatasetSpec, output: Output) -> tuple[str, ...]:
    """What is measured by scenario: AUC of an event, NMAE and SMAPE of a count."""
    return (AUC,) if spec.task(output.task).kind == "binary" else (NMAE, SMAPE)


def evaluate_scenarios(spec: DatasetSpec, columns: Columns, scores: Mapping[str, np.ndarray]) -> ByScenario:
    """The metrics of each output in each of the largest scenarios, on its space; empty without scenarios.

    Args:
        spec: of the data set.
        columns: labels and scenarios.
        scores: `(rows,)` by output.
    """
    found: dict[str, dict[str, dict[str, float]]] = {}
    for output in spec.outputs if columns.scenarios is not None else ():
        space = rows_of_space(spec, output, columns)
        of_task, of_output = columns.labels[output.task], np.asarray(scores[output.name], np.float64)
        found[output.name] = {}
        for scenario in largest(columns):
            rows = space & _is(columns, scenario)
            metrics = {name: _METRICS[name](of_task[rows], of_output[rows]) for name in scenario_metrics(spec, output)}
            found[output.name][scenario] = metrics
    return found


def largest(columns: Columns) -> tuple[str, ...]:
    """The scenarios with the most rows, `MOST` of them, the largest first; of equal ones by name."""
    sizes = np.bincount(_numbers(columns), minlength=len(columns.scenario_names))
    order = sorted(range(len(sizes)), key=lambda i: (-sizes[i], columns.scenario_names[i]))
    return tuple(columns.scenario_names[i] for i in order[:MOST])


def scenario_table(
    spec: DatasetSpec, columns: Columns, runs: Mapping[str, Mapping[int, ByScenario]]
) -> ScenarioTable | None:
    """The table of runs that were measured by scenario; None without scenarios.

    Args:
        spec: of the data set.
        columns: of the test split.
        runs: what was measured, by row of the table and seed.
    """
    if columns.scenarios is None:
        return None
    rows = {
        output.name: {
            scenario: int(np.sum(rows_of_space(spec, output, columns) & _is(columns, scenario)))
            for scenario in largest(columns)
        }
        for output in spec.outputs
    }
    values: dict[tuple[str, str, str, str], dict[int, float]] = {}
    for row, by_seed in runs.items():
        for seed, measured in by_seed.items():
            for output, by_scenario in measured.items():
                for scenario, metrics in by_scenario.items():
                    for metric, value in metrics.items():
                        values.setdefault((row, output, scenario, metric), {})[seed] = value
    return ScenarioTable(rows, values, len(columns.scenario_names))


def _is(columns: Columns, scenario: str) -> np.ndarray:
    return _numbers(columns) == columns.scenario_names.index(scenario)


def _numbers(columns: Columns) -> np.ndarray:
    assert columns.scenarios is not None
    return columns.scenarios
