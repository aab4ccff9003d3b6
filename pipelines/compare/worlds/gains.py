"""Gains of a world's model over its baselines at each strength of the premise."""

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence

from pipelines.compare.metrics.evaluate import main_metric
from pipelines.compare.metrics.names import HIGHER_IS_BETTER
from pipelines.compare.metrics.significance import Summary, best, p_value, paired, summarize
from pipelines.compare.plan.candidates import Comparison
from pipelines.compare.report.table import ResultTable
from pipelines.compare.worlds.settings import World


@dataclasses.dataclass(frozen=True)
class WorldGain:
    """Metric of a model and of its baselines in a world, at one strength of the premise.

    Attributes:
        world: Name of the world.
        strength: Strength of the premise.
        row: Row of the model.
        metric: Name of the metric.
        summaries: Mean and standard deviation over the seeds by row, those of the oracle included.
        best_baseline: Baseline with the best mean; empty if there is none with runs.
        gain: Improvement of the model over that baseline, the mean over the seeds and its deviation; positive if the
            model is better, for an error too.
        p: Largest p-value of the paired t-tests against each baseline (an intersection-union test); NaN if a test is
            not possible.
        beats_all: True if the mean of the model is better than that of each baseline, with p below .05.
    """

    world: str
    strength: float
    row: str
    metric: str
    summaries: Mapping[str, Summary]
    best_baseline: str
    gain: Summary
    p: float
    beats_all: bool


def world_gain(name: str, world: World, strength: float, comparison: Comparison, table: ResultTable) -> WorldGain:
    """Computes the gain of a world's model at one strength.

    Args:
        name: Name of the world.
        world: Settings of the world.
        strength: Strength of the premise.
        comparison: Comparison at this strength.
        table: Numbers of the comparison.
    """
    spec = comparison.spec
    metric = main_metric(spec, next(output for output in spec.outputs if output.name == world.output))
    higher = HIGHER_IS_BETTER[metric]
    rows = [row for row in table.rows if (row, world.output, metric) in table.cells]
    values = {row: table.cells[row, world.output, metric].values for row in rows}
    summaries = {row: table.cells[row, world.output, metric].summary for row in rows}
    baselines = [row for row in comparison.settings.baselines if row in values]
    own = values.get(world.row, {})
    chosen = best(baselines, {row: summaries[row].mean for row in baselines}, higher) or ""
    sign = 1.0 if higher else -1.0
    differences = {row: _differences(own, values[row], sign) for row in baselines}
    gain = summarize(differences.get(chosen, {}))
    p_values = [p_value(own, values[row]) for row in baselines]
    p = max(p_values, default=math.nan) if not any(map(math.isnan, p_values)) else math.nan
    all_present = set(baselines) == set(comparison.settings.baselines)
    better = all(summarize(one).mean > 0 for one in differences.values())
    return WorldGain(
        name, strength, world.row, metric, summaries, chosen, gain, p, all_present and better and bool(p < 0.05)
    )


def grows(gains: Sequence[WorldGain]) -> bool:
    """Returns whether the gain of a model grows with the strength of the premise.

    Args:
        gains: Gains of one world, by ascending strength.
    """
    means = [one.gain.mean for one in gains]
    return all(earlier < later for earlier, later in itertools.pairwise(means))


def _differences(own: Mapping[int, float], other: Mapping[int, float], sign: float) -> dict[int, float]:
    return {seed: sign * (one - another) for seed, (one, another) in paired(own, other).items()}
