"""The numbers of a comparison's table, from its finished runs."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

from pipelines.compare.jobs import NO_SEED
from pipelines.compare.metrics.evaluate import AUC, AUC_ALL, GAUC, HIGHER_IS_BETTER, Metrics
from pipelines.compare.metrics.scenarios import ScenarioTable
from pipelines.compare.metrics.significance import (
    Summary,
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
from pipelines.compare.runs.store import Result
from tfmtl.spec import DatasetSpec

ORACLE = "oracle"
_CHANCE = {AUC: 0.5, GAUC: 0.5, AUC_ALL: 0.5}


@dataclasses.dataclass(frozen=True)
class Cell:
    """One metric of one output, of one row of the table.

    Attributes:
        row: of the table.
        output: of the spec.
        metric: its name.
        values: by seed.
        summary: over the seeds.
        gain: of the mean over the reference's mean; NaN of the reference itself and where there is none.
        gain_sd: the standard deviation of the gains of runs of the same seed.
        lift_share: of an AUC, `(m - 0.5) / (o - 0.5)` of the mean m and the oracle's o; NaN without an oracle.
        best_baseline: what it is tested against, of the baselines that have all seeds; empty where it is not tested.
        better: whether its mean over the seeds that both have is better than the best baseline's.
        p: of the paired t-test.
        p_holm: corrected for all tests of this metric: of all tested rows and outputs.
    """

    row: str
    output: str
    metric: str
    values: Mapping[int, float]
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
    """What a row's runs cost.

    Attributes:
        row: of the table.
        parameters: numbers that are learned (the mean, where runs differ).
        training: seconds of a run.
        epochs: of a run.
        scoring: microseconds a row of the test split.
    """

    row: str
    parameters: float
    training: Summary
    epochs: float
    scoring: Summary


@dataclasses.dataclass(frozen=True)
class ResultTable:
    """All numbers.

    Attributes:
        rows: of the table that have runs, in the order of the settings; the oracle's last, where there is one.
        cells: by row, output and metric.
        costs: by row; the oracle costs nothing and has none.
        scenarios: what was measured by scenario; None where the spec has none.
    """

    rows: tuple[str, ...]
    cells: Mapping[tuple[str, str, str], Cell]
    costs: Mapping[str, Cost]
    scenarios: ScenarioTable | None = None

    def metrics(self, output: str) -> list[str]:
        """The metrics of an output, in their order."""
        return list(dict.fromkeys(metric for _, of, metric in self.cells if of == output))


def make_table(
    settings: CompareSettings, spec: DatasetSpec, runs: Mapping[str, Sequence[Result]], oracle: Metrics | None = None
) -> ResultTable:
    """The table of finished runs.

    Args:
        settings: reference, gain and baselines.
        spec: of the data set.
        runs: by row, those for the table.
        oracle: the metrics of the truth, where it is known.
    """
    values = _values(runs)
    rows = [row for row in settings.models if runs.get(row)]
    if oracle is not None:
        rows.append(ORACLE)
        values |= {(ORACLE, output, name): {NO_SEED: v} for output, of in oracle.items() for name, v in of.items()}
    cells: dict[tuple[str, str, str], Cell] = {}
    outputs = [output.name for output in spec.outputs]
    for row in rows:
        for output in outputs:
            for metric in [name for at, of, name in values if (at, of) == (row, output)]:
                cells[row, output, metric] = _cell(settings, values, row, output, metric)
    for metric in HIGHER_IS_BETTER:
        cells |= _tested(settings, cells, outputs, metric)
    return ResultTable(tuple(rows), cells, {row: _cost(row, runs[row]) for row in rows if row != ORACLE})


def _values(runs: Mapping[str, Sequence[Result]]) -> dict[tuple[str, str, str], dict[int, float]]:
    values: dict[tuple[str, str, str], dict[int, float]] = {}
    for row, results in runs.items():
        for result in results:
            for output, metrics in result.metrics["test"].items():
                for name, value in metrics.items():
                    values.setdefault((row, output, name), {})[result.job.seed] = value
    return values


def _cell(settings: CompareSettings, values: Mapping, row: str, output: str, metric: str) -> Cell:
    own, other = values[row, output, metric], values.get((settings.reference, output, metric))
    cell = Cell(row, output, metric, own, summarize(own))
    truth = values.get((ORACLE, output, metric))
    if truth is not None and row != ORACLE and metric in _CHANCE:
        chance = _CHANCE[metric]
        cell = dataclasses.replace(cell, lift_share=(cell.summary.mean - chance) / (summarize(truth).mean - chance))
    if other is None or row == settings.reference or metric not in HIGHER_IS_BETTER:
        return cell
    how = (HIGHER_IS_BETTER[metric], _CHANCE.get(metric, 0.0))
    by_seed = gains_by_seed(settings.gain, own, other, *how)
    mean = gain(settings.gain, cell.summary.mean, summarize(other).mean, *how)
    return dataclasses.replace(cell, gain=mean, gain_sd=summarize(by_seed).sd)


def _tested(
    settings: CompareSettings, cells: Mapping[tuple[str, str, str], Cell], outputs: Sequence[str], metric: str
) -> dict[tuple[str, str, str], Cell]:
    """The cells of one metric that are tested, with their p-values."""
    family: list[Cell] = []
    for output in outputs:
        means = {
            name: cells[name, output, metric].summary.mean
            for name in settings.baselines
            if (name, output, metric) in cells and complete(cells[name, output, metric].values, settings.seeds)
        }
        baseline = best(settings.baselines, means, HIGHER_IS_BETTER[metric])
        for row in settings.tested if baseline is not None else ():
            cell = cells.get((row, output, metric))
            if cell is not None:
                other = cells[str(baseline), output, metric].values
                pairs = list(paired(cell.values, other).values())
                ahead = sum(one - against for one, against in pairs)
                better = ahead > 0 if HIGHER_IS_BETTER[metric] else ahead < 0
                p = p_value(cell.values, other)
                family.append(dataclasses.replace(cell, best_baseline=str(baseline), better=better, p=p))
    corrected = zip(family, holm([cell.p for cell in family]), strict=True)
    return {(cell.row, cell.output, metric): dataclasses.replace(cell, p_holm=p) for cell, p in corrected}


def _cost(row: str, results: Sequence[Result]) -> Cost:
    def over(numbers: Sequence[float]) -> Summary:
        return summarize(dict(enumerate(numbers)))

    return Cost(
        row,
        over([result.parameters for result in results]).mean,
        over([result.training_seconds for result in results]),
        over([result.epochs for result in results]).mean,
        over([1e6 * result.scoring_seconds / result.rows for result in results]),
    )
