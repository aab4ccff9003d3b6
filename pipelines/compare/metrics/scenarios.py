"""Metrics by scenario: those that papers print, on the test rows of each scenario."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from pipelines.compare.metrics.evaluate import Metrics
from pipelines.compare.metrics.names import AUC, GINI, NMAE, SMAPE
from pipelines.compare.metrics.significance import Summary, Values, summarize
from pipelines.judged_rows import is_judged
from pipelines.prepared.columns import Columns
from tfmtl.metrics import nmae, normalized_gini, roc_auc, smape
from tfmtl.spec import DatasetSpec, Output

MAX_SCENARIOS = 12
"""Maximum number of scenarios that are evaluated: the largest ones."""
ScenarioMetrics = Mapping[str, Metrics]
"""Metrics by output, scenario and name."""
_METRICS: Mapping[str, Callable[..., float]] = {AUC: roc_auc, NMAE: nmae, SMAPE: smape, GINI: normalized_gini}
_OF_KIND = {"binary": (AUC,), "count": (NMAE, SMAPE), "value": (GINI, NMAE)}


@dataclasses.dataclass(frozen=True)
class ScenarioTable:
    """Metrics of all runs by scenario.

    Attributes:
        rows: Number of test rows in the output's space, by output and scenario; the largest scenario first.
        values: Metrics by seed, for each row of the table, output, scenario and name of a metric.
        num_scenarios: Number of scenarios of the test split.
    """

    rows: Mapping[str, Mapping[str, int]]
    values: Mapping[tuple[str, str, str, str], Values]
    num_scenarios: int

    def summary(self, row: str, output: str, scenario: str, metric: str) -> Summary:
        """Summarizes a metric over the seeds; NaN if it is not defined, such as the AUC of rows with equal labels.

        Args:
            row: Row of the table.
            output: Name of the output.
            scenario: Name of the scenario.
            metric: Name of the metric.
        """
        return summarize(self.values.get((row, output, scenario, metric), {}))


def scenario_metrics(spec: DatasetSpec, output: Output) -> tuple[str, ...]:
    """Returns the names of the metrics by scenario: AUC of a binary task, NMAE and SMAPE of a count, Gini of a value.

    Args:
        spec: Spec of the dataset.
        output: Output of the spec.
    """
    return _OF_KIND[spec.task(output.task).kind]


def evaluate_scenarios(spec: DatasetSpec, columns: Columns, scores: Mapping[str, np.ndarray]) -> ScenarioMetrics:
    """Computes the metrics of each output in each of the largest scenarios, on the output's space.

    Args:
        spec: Spec of the dataset.
        columns: Labels and scenarios of the rows.
        scores: Scores by output, `(rows,)`.

    Returns:
        Metrics by output, scenario and name; empty if the spec has no scenario.
    """
    metrics: dict[str, dict[str, dict[str, float]]] = {}
    for output in spec.outputs if columns.scenarios is not None else ():
        space_rows = is_judged(spec, output, columns.labels, columns.weights)
        labels, output_scores = columns.labels[output.task], np.asarray(scores[output.name], np.float64)
        metrics[output.name] = {}
        for scenario in largest_scenarios(columns):
            rows = space_rows & _rows_of_scenario(columns, scenario)
            metrics[output.name][scenario] = {
                name: _METRICS[name](labels[rows], output_scores[rows], columns.weights_of(rows))
                for name in scenario_metrics(spec, output)
            }
    return metrics


def largest_scenarios(columns: Columns) -> tuple[str, ...]:
    """Returns the names of the `MAX_SCENARIOS` scenarios with the most rows, in descending order of size, then by name.

    Args:
        columns: Scenarios of the rows.
    """
    sizes = np.bincount(_scenario_numbers(columns), minlength=len(columns.scenario_names))
    order = sorted(range(len(sizes)), key=lambda i: (-sizes[i], columns.scenario_names[i]))
    return tuple(columns.scenario_names[i] for i in order[:MAX_SCENARIOS])


def make_scenario_table(
    spec: DatasetSpec, columns: Columns, runs: Mapping[str, Mapping[int, ScenarioMetrics]]
) -> ScenarioTable | None:
    """Creates the table of runs that were evaluated by scenario.

    Args:
        spec: Spec of the dataset.
        columns: Labels and scenarios of the test rows.
        runs: Metrics by row of the table and seed.

    Returns:
        The table, or None if the spec has no scenario.
    """
    if columns.scenarios is None:
        return None
    scenarios = {scenario: _rows_of_scenario(columns, scenario) for scenario in largest_scenarios(columns)}
    rows = {}
    for one in spec.outputs:
        judged = is_judged(spec, one, columns.labels, columns.weights)
        rows[one.name] = {scenario: int(np.sum(judged & own)) for scenario, own in scenarios.items()}
    values: dict[tuple[str, str, str, str], dict[int, float]] = {}
    for row, by_seed in runs.items():
        for seed, by_output in by_seed.items():
            for output, by_scenario in by_output.items():
                for scenario, metrics in by_scenario.items():
                    for metric, value in metrics.items():
                        values.setdefault((row, output, scenario, metric), {})[seed] = value
    return ScenarioTable(rows, values, len(columns.scenario_names))


def _rows_of_scenario(columns: Columns, scenario: str) -> np.ndarray:
    return np.equal(_scenario_numbers(columns), columns.scenario_names.index(scenario))


def _scenario_numbers(columns: Columns) -> np.ndarray:
    assert columns.scenarios is not None
    return columns.scenarios
