"""Statistics of a table: mean and deviation over seeds, gains, paired t-tests and Holm's correction."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from scipy import stats

from pipelines.compare.jobs import NO_SEED

Gain = Literal["difference", "relative", "relaimpr"]
Values = Mapping[int, float]
"""Values of a metric by seed; a model without randomness has its value under `NO_SEED`."""


@dataclasses.dataclass(frozen=True)
class Summary:
    """Mean and deviation of a metric over seeds.

    Attributes:
        mean: Mean; NaN if there are no runs.
        sd: Standard deviation of the sample (n - 1); NaN for a single run.
        runs: Number of runs.
    """

    mean: float
    sd: float
    runs: int


def summarize(values: Values) -> Summary:
    """Computes mean and standard deviation over seeds.

    Args:
        values: Values of a metric by seed.
    """
    numbers = np.array(list(values.values()), np.float64)
    sd = float(numbers.std(ddof=1)) if len(numbers) > 1 else math.nan
    return Summary(float(numbers.mean()) if len(numbers) else math.nan, sd, len(numbers))


def gain(kind: Gain, value: float, reference: float, higher_is_better: bool, chance: float = 0.0) -> float:
    """Computes the gain of a metric over that of a reference; a positive gain is an improvement, of errors too.

    - `difference`: `m - r` (table 1 of MAN, table 4 of AdaFTR).
    - `relative`: `(m - r) / r` (table 3 of APEM); of an error `(r - m) / r` (section 5.2 of M2M).
    - `relaimpr`: `(m - c) / (r - c) - 1`, with the metric c of random scores; of an error, which has no such bound,
      as `relative`.

    Args:
        kind: Definition of the gain.
        value: Metric m.
        reference: Metric r of the reference.
        higher_is_better: False for an error.
        chance: Metric c of random scores; 0.5 for an AUC.

    Returns:
        The gain; NaN if the denominator is 0.

    References:
        - Yan et al., 2014, Coupled Group Lasso for Web-Scale CTR Prediction (ICML): RelaImpr
    """
    improvement = value - reference if higher_is_better else reference - value
    if kind == "difference":
        return improvement
    denominator = reference - (chance if kind == "relaimpr" and higher_is_better else 0.0)
    return improvement / denominator if denominator != 0 else math.nan


def gains_by_seed(
    kind: Gain, values: Values, reference: Values, higher_is_better: bool, chance: float = 0.0
) -> dict[int, float]:
    """Computes the gain of each run over the run of the reference with the same seed.

    Args:
        kind: Definition of the gain, see `gain`.
        values: Values of the metric by seed.
        reference: Values of the reference by seed.
        higher_is_better: False for an error.
        chance: Metric of random scores; 0.5 for an AUC.

    Returns:
        Gains by seed.
    """
    pairs = paired(values, reference)
    return {seed: gain(kind, one, other, higher_is_better, chance) for seed, (one, other) in pairs.items()}


def paired(values: Values, others: Values) -> dict[int, tuple[float, float]]:
    """Pairs the values of two models by seed. The value of a model without randomness is paired with every seed.

    Args:
        values: Values of the first model by seed.
        others: Values of the second model by seed.

    Returns:
        Both values for each seed that both models have.
    """
    seeds = list(values if NO_SEED in others else others)
    if NO_SEED not in values:
        seeds = [seed for seed in seeds if seed in values]
    return {
        seed: (values.get(seed, values.get(NO_SEED, 0.0)), others.get(seed, others.get(NO_SEED, 0.0))) for seed in seeds
    }


def complete(values: Values, seeds: Sequence[int]) -> bool:
    """Returns True if there is a value for each seed. A model without randomness has its value with every seed.

    Args:
        values: Values of a metric by seed.
        seeds: Seeds of the comparison.
    """
    return not any(math.isnan(values.get(seed, values.get(NO_SEED, math.nan))) for seed in seeds)


def p_value(values: Values, others: Values) -> float:
    """Computes the p-value of the two-sided paired t-test over the common seeds of two models.

    Args:
        values: Values of the first model by seed.
        others: Values of the second model by seed.

    Returns:
        The p-value; NaN with fewer than two common seeds, and if all differences are equal, as their deviation of 0
        does not measure chance.
    """
    pairs = np.array(list(paired(values, others).values()))
    if len(pairs) < 2:
        return math.nan
    differences = pairs[:, 0] - pairs[:, 1]
    if np.allclose(differences, differences[0], rtol=1e-9, atol=0):
        return math.nan
    return float(stats.ttest_rel(pairs[:, 0], pairs[:, 1]).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Computes Holm's adjusted p-values: `max_{j<=i} (m - j) p_j`, at most 1, of the i-th (from 0) of m sorted tests.

    A hypothesis is rejected at the level a of the whole family if its adjusted p-value is at most a.

    Args:
        p_values: P-values of a family of tests; a NaN is not a test and remains NaN.

    Returns:
        The adjusted p-values in the same order.

    References:
        - Holm, 1979, A Simple Sequentially Rejective Multiple Test Procedure (Scandinavian Journal of Statistics)
    """
    adjusted = [math.nan] * len(p_values)
    tests = sorted((i for i, p in enumerate(p_values) if not math.isnan(p)), key=lambda i: p_values[i])
    highest = 0.0
    for rank, i in enumerate(tests):
        highest = max(highest, min(1.0, (len(tests) - rank) * p_values[i]))
        adjusted[i] = highest
    return adjusted


def best(names: Sequence[str], means: Mapping[str, float], higher_is_better: bool) -> str | None:
    """Returns the name with the best mean, the first one of equal means.

    Args:
        names: Names of the candidates.
        means: Means by name.
        higher_is_better: False for an error.

    Returns:
        A name, or None if no candidate has a mean.
    """
    known = [name for name in names if not math.isnan(means.get(name, math.nan))]
    if not known:
        return None
    return max(known, key=lambda name: means[name]) if higher_is_better else min(known, key=lambda name: means[name])
