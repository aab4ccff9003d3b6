"""Numbers of a comparison's table, computed from its finished runs."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

from pipelines.compare.jobs import NO_SEED
from pipelines.compare.metrics.evaluate import Metrics
from pipelines.compare.metrics.names import AUC, AUC_ALL, GAUC, GINI, HIGHER_IS_BETTER
from pipelines.compare.metrics.scenarios import ScenarioTable
from pipelines.compare.metrics.significance import (
    Summary,
    Values,
    best,
    complete,
    gain,
    gains_by_seed,
    holm,
    p_value,
    paired,
    summarize,
)
from pipelines.compare.plan.settings import CompareSettings
from pipelines.compare.runs.result import Result
from tfmtl.spec import DatasetSpec

ORACLE = "oracle"
"""Name of the row of the true probabilities and rates."""
_CHANCE = {AUC: 0.5, GAUC: 0.5, AUC_ALL: 0.5, GINI: 0.0}
"""Metrics of random scores."""
Key = tuple[str, str, str]
"""Row of the table, output and name of a metric."""


@dataclasses.dataclass(frozen=True)
class Cell:
    """One metric of one output in one row of the table.

    Attributes:
        row: Row of the table.
        output: Name of the output.
        metric: Name of the metric.
        values: Values by seed.
        summary: Mean and standard deviation over the seeds.
        gain: Gain of the mean over the reference's mean; NaN for the reference and if there is no reference.
        gain_sd: Standard deviation of the gains of runs with the same seed.
        lift_share: Lift of an AUC over the oracle's, `(m - 0.5) / (o - 0.5)`, with the mean m and the oracle's AUC o;
            of a Gini coefficient `m / o`; NaN without an oracle.
        best_baseline: Best of the baselines that have all seeds, against which the row is tested; empty if the row is
            not tested.
        better: True if the mean over the common seeds is better than that of the best baseline.
        p: P-value of the paired t-test.
        p_holm: P-value with Holm's correction over the tests of this metric, of all tested rows and outputs.
    """

    row: str
    output: str
    metric: str
    values: Values
    summary: Summary
    gain: float = math.nan
    gain_sd: float = math.nan
    lift_share: float = math.nan
    best_baseline: str = ""
    better: bool = False
    p: float = math.nan
    p_holm: float = math.nan


@dataclasses.dataclass(frozen=True)
class Cost:
    """Cost of a row's runs.

    Attributes:
        row: Row of the table.
        parameters: Number of learned numbers, the mean over the runs.
        training: Training time of a run in seconds.
        epochs: Number of epochs of a run, the mean over the runs.
        scoring: Scoring time in microseconds per row of the test split.
    """

    row: str
    parameters: float
    training: Summary
    epochs: float
    scoring: Summary


@dataclasses.dataclass(frozen=True)
class ResultTable:
    """Numbers of a comparison.

    Attributes:
        rows: Rows of the table that have runs, in the order of the settings; the oracle, if there is one, is the last.
        cells: Cells by row, output and metric.
        costs: Costs by row; the oracle has none.
        scenarios: Metrics by scenario; None if the spec has no scenario.
    """

    rows: tuple[str, ...]
    cells: Mapping[Key, Cell]
    costs: Mapping[str, Cost]
    scenarios: ScenarioTable | None = None

    def metrics(self, output: str) -> list[str]:
        """Returns the names of the metrics of an output, in their order.

        Args:
            output: Name of the output.
        """
        return list(dict.fromkeys(metric for _, cell_output, metric in self.cells if cell_output == output))


def make_table(
    settings: CompareSettings, spec: DatasetSpec, runs: Mapping[str, Sequence[Result]], oracle: Metrics | None = None
) -> ResultTable:
    """Computes the table of finished runs.

    Args:
        settings: Settings of the comparison, with reference, gain and baselines.
        spec: Spec of the dataset.
        runs: Finished runs of the table by row.
        oracle: Metrics of the true probabilities and rates; None if they are not known.
    """
    values = _collect_values(runs)
    rows = [row for row in settings.models if runs.get(row)]
    if oracle is not None:
        rows.append(ORACLE)
        for output_name, metrics in oracle.items():
            values |= {(ORACLE, output_name, metric): {NO_SEED: value} for metric, value in metrics.items()}
    cells: dict[Key, Cell] = {}
    outputs = [output.name for output in spec.outputs]
    for row in rows:
        for output in outputs:
            for metric in [metric for r, o, metric in values if (r, o) == (row, output)]:
                cells[row, output, metric] = _cell(settings, values, row, output, metric)
    for metric in HIGHER_IS_BETTER:
        cells |= _tested_cells(settings, cells, outputs, metric)
    return ResultTable(tuple(rows), cells, {row: _cost(row, runs[row]) for row in rows if row != ORACLE})


def _collect_values(runs: Mapping[str, Sequence[Result]]) -> dict[Key, dict[int, float]]:
    values: dict[Key, dict[int, float]] = {}
    for row, results in runs.items():
        for result in results:
            for output, metrics in result.metrics["test"].items():
                for name, value in metrics.items():
                    values.setdefault((row, output, name), {})[result.job.seed] = value
    return values


def _cell(settings: CompareSettings, values: Mapping[Key, Values], row: str, output: str, metric: str) -> Cell:
    row_values, reference_values = values[row, output, metric], values.get((settings.reference, output, metric))
    cell = Cell(row, output, metric, row_values, summarize(row_values))
    truth = values.get((ORACLE, output, metric))
    if truth is not None and row != ORACLE and metric in _CHANCE:
        chance = _CHANCE[metric]
        cell = dataclasses.replace(cell, lift_share=(cell.summary.mean - chance) / (summarize(truth).mean - chance))
    if reference_values is None or row == settings.reference or metric not in HIGHER_IS_BETTER:
        return cell
    direction = (HIGHER_IS_BETTER[metric], _CHANCE.get(metric, 0.0))
    seed_gains = gains_by_seed(settings.gain, row_values, reference_values, *direction)
    mean_gain = gain(settings.gain, cell.summary.mean, summarize(reference_values).mean, *direction)
    return dataclasses.replace(cell, gain=mean_gain, gain_sd=summarize(seed_gains).sd)


def _tested_cells(
    settings: CompareSettings, cells: Mapping[Key, Cell], outputs: Sequence[str], metric: str
) -> dict[Key, Cell]:
    """Returns the cells of one metric that are tested, with their p-values."""
    tested: list[Cell] = []
    for output in outputs:
        means = {
            name: cells[name, output, metric].summary.mean
            for name in settings.baselines
            if (name, output, metric) in cells and complete(cells[name, output, metric].values, settings.seeds)
        }
        baseline = best(settings.baselines, means, HIGHER_IS_BETTER[metric])
        if baseline is None:
            continue
        for row in settings.tested:
            cell = cells.get((row, output, metric))
            if cell is not None:
                baseline_values = cells[baseline, output, metric].values
                pairs = paired(cell.values, baseline_values).values()
                difference = sum(value - other for value, other in pairs)
                better = difference > 0 if HIGHER_IS_BETTER[metric] else difference < 0
                p = p_value(cell.values, baseline_values)
                tested.append(dataclasses.replace(cell, best_baseline=baseline, better=better, p=p))
    corrected = zip(tested, holm([cell.p for cell in tested]), strict=True)
    return {(cell.row, cell.output, metric): dataclasses.replace(cell, p_holm=p) for cell, p in corrected}


def _cost(row: str, results: Sequence[Result]) -> Cost:
    def summary(numbers: Sequence[float]) -> Summary:
        return summarize(dict(enumerate(numbers)))

    return Cost(
        row,
        summary([result.parameters for result in results]).mean,
        summary([result.training_seconds for result in results]),
        summary([result.epochs for result in results]).mean,
        summary([1e6 * result.scoring_seconds / result.rows for result in results]),
    )
