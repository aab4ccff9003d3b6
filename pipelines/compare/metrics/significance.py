"""The statistics of a table: mean and deviation over seeds, gains, paired t-tests and Holm's correction."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from scipy import stats

from pipelines.compare.jobs import NO_SEED

Gain = Literal["difference", "relative", "relaimpr"]
Values = Mapping[int, float]
"""A metric by seed; under `NO_SEED`, that of a model which has nothing random."""


@dataclasses.dataclass(frozen=True)
class Summary:
    """Of a metric over seeds.

    Attributes:
        mean: over the seeds.
        sd: the sample's standard deviation (n - 1); NaN of a single run.
        runs: how many.
    """

    mean: float
    sd: float
    runs: int


def summarize(values: Values) -> Summary:
    """Mean and standard deviation; NaN where there are no values."""
    numbers = np.array(list(values.values()), np.float64)
    sd = float(numbers.std(ddof=1)) if len(numbers) > 1 else math.nan
    return Summary(float(numbers.mean()) if len(numbers) else math.nan, sd, len(numbers))


def gain(kind: Gain, value: float, reference: float, higher_is_better: bool, chance: float = 0.0) -> float:
    """How much better a metric is than the reference's; above 0 is better, of errors too.

    `difference`: `m - r` (MAN's table 1, AdaFTR's table 4). `relative`: `(m - r) / r` (APEM's table 3; of an error,
    `(r - m) / r`, M2M's section 5.2). `relaimpr`: `(m - c) / (r - c) - 1`, where c is what chance reaches; of an error,
    which has no such bound, it is `relative`.

    Args:
        kind: which of them.
        value: m.
        reference: r.
        higher_is_better: false for an error.
        chance: c: 0.5 of an AUC.

    References:
        - Yan et al., 2014, Coupled Group Lasso for Web-Scale CTR Prediction (ICML): RelaImpr
    """
    better = value - reference if higher_is_better else reference - value
    if kind == "difference":
        return better
    below = reference - (chance if kind == "relaimpr" and higher_is_better else 0.0)
    return better / below if below != 0 else math.nan


def gains_by_seed(
    kind: Gain, values: Values, reference: Values, higher_is_better: bool, chance: float = 0.0
) -> dict[int, float]:
    """The gain of each run over the reference's run of the same seed."""
    pairs = paired(values, reference)
    return {seed: gain(kind, one, other, higher_is_better, chance) for seed, (one, other) in pairs.items()}


def paired(values: Values, others: Values) -> dict[int, tuple[float, float]]:
    """Both models' values by seed, of the seeds that both have; a model without seeds has its value with every one."""
    seeds = list(values if NO_SEED in others else others)
    if NO_SEED not in values:
        seeds = [seed for seed in seeds if seed in values]
    return {
        seed: (values.get(seed, values.get(NO_SEED, 0.0)), others.get(seed, others.get(NO_SEED, 0.0))) for seed in seeds
    }


def complete(values: Values, seeds: Sequence[int]) -> bool:
    """Whether there is a number with each of the seeds; a model without seeds has its value with every one."""
    found = [values.get(seed, values.get(NO_SEED, math.nan)) for seed in seeds]
    return not any(math.isnan(value) for value in found)


def p_value(values: Values, others: Values) -> float:
    """Of the two-sided paired t-test over the common seeds.

    NaN with fewer than two of them, and where all differences are equal: their deviation, 0, says nothing of chance.
    """
    pairs = np.array(list(paired(values, others).values()))
    if len(pairs) < 2:
        return math.nan
    differences = pairs[:, 0] - pairs[:, 1]
    if np.allclose(differences, differences[0], rtol=1e-9, atol=0):
        return math.nan
    return float(stats.ttest_rel(pairs[:, 0], pairs[:, 1]).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values: `max_{j<=i} (m - j) p_j`, at most 1, of the i-th (from 0) of m tests in order.

    A hypothesis is rejected at the level a, that of the whole family, where its adjusted p-value is at most a. A NaN is
    no test: it stays, and does not count.

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
    """The name with the best mean, the first of equals; None where none has one."""
    known = [name for name in names if not math.isnan(means.get(name, math.nan))]
    if not known:
        return None
    return max(known, key=lambda name: means[name]) if higher_is_better else min(known, key=lambda name: means[name])
