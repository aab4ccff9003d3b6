"""Gains compared with the printed numbers of the papers, and tests compared with their formulas."""

import math

import numpy as np
import pytest
from scipy import special

from pipelines.compare.jobs import NO_SEED
from pipelines.compare.metrics.significance import best, complete, gain, gains_by_seed, holm, p_value, paired, summarize


@pytest.mark.parametrize(
    ("kind", "value", "reference", "printed", "digits"),
    [
        ("difference", 0.6599, 0.5870, 0.0729, 4),  # Table 1 of MAN.
        ("difference", 0.6049, 0.5837, 0.0212, 4),
        ("difference", 61.643, 59.525, 2.118, 3),  # Table 4 of AdaFTR.
        ("relative", 0.6098, 0.6089, 0.0015, 4),  # Table 3 of APEM.
        ("relative", 0.6225, 0.6011, 0.0356, 4),
    ],
)
def test_gains_equal_those_of_the_papers(kind, value, reference, printed, digits):
    assert round(gain(kind, value, reference, True), digits) == printed


def test_relaimpr_is_relative_to_the_lift_over_chance():
    assert gain("relaimpr", 0.7, 0.6, True, 0.5) == pytest.approx(1.0)
    assert gain("relaimpr", 0.55, 0.6, True, 0.5) == pytest.approx(-0.5)
    assert math.isnan(gain("relaimpr", 0.7, 0.5, True, 0.5))


@pytest.mark.parametrize("kind", ["relative", "relaimpr"])
def test_smaller_error_is_a_positive_gain(kind):
    assert gain(kind, 0.2, 0.25, False, 0.5) == pytest.approx(0.2)
    assert gain("difference", 0.2, 0.25, False) == pytest.approx(0.05)


def test_summary_has_the_standard_deviation_of_the_sample():
    summary = summarize({1: 1.0, 2: 2.0, 3: 6.0})
    assert (summary.mean, summary.runs) == (3.0, 3)
    assert summary.sd == pytest.approx(math.sqrt((4 + 1 + 9) / 2))
    assert math.isnan(summarize({1: 1.0}).sd)


def test_pairs_values_by_seed_and_a_model_without_randomness_with_every_seed():
    assert paired({1: 0.1, 2: 0.2}, {2: 0.5, 3: 0.6}) == {2: (0.2, 0.5)}
    assert paired({1: 0.1, 2: 0.2}, {NO_SEED: 0.5}) == {1: (0.1, 0.5), 2: (0.2, 0.5)}
    assert paired({NO_SEED: 0.5}, {1: 0.1, 2: 0.2}) == {1: (0.5, 0.1), 2: (0.5, 0.2)}
    assert paired({NO_SEED: 0.5}, {NO_SEED: 0.4}) == {NO_SEED: (0.5, 0.4)}
    assert gains_by_seed("difference", {1: 0.5, 2: 0.75}, {2: 0.5, 1: 0.25}, True) == {1: 0.25, 2: 0.25}


def test_p_value_is_that_of_the_paired_t_test():
    rng = np.random.default_rng(3)
    one, other = rng.normal(0.70, 0.01, 6), rng.normal(0.69, 0.01, 6)
    difference = one - other
    t = difference.mean() / (difference.std(ddof=1) / math.sqrt(6))
    freedom = 5
    expected = special.betainc(freedom / 2, 0.5, freedom / (freedom + t * t))  # Both tails of Student's t-distribution.
    assert p_value(dict(enumerate(one)), dict(enumerate(other))) == pytest.approx(expected, rel=1e-10)


def test_no_p_value_for_one_seed_or_equal_runs():
    assert math.isnan(p_value({1: 0.5}, {1: 0.4}))
    assert math.isnan(p_value({1: 0.5, 2: 0.6}, {1: 0.5, 2: 0.6}))


def test_no_p_value_if_all_differences_are_equal():
    """Two models without randomness have differences without deviation, which do not measure chance."""
    assert math.isnan(p_value({1: 0.5, 2: 0.75}, {1: 0.25, 2: 0.5}))
    assert math.isnan(p_value({1: 0.7, 2: 0.7, 3: 0.7}, {NO_SEED: 0.6999}))
    assert math.isnan(p_value({1: 0.7, 2: 0.8}, {1: 0.6, 2: 0.7})), "equal up to rounding"
    assert not math.isnan(p_value({1: 0.7, 2: 0.7001}, {NO_SEED: 0.69}))


def test_values_are_complete_with_a_number_for_every_seed():
    assert complete({1: 0.5, 2: 0.6, 3: 0.7}, (1, 2))
    assert complete({NO_SEED: 0.5}, (1, 2))
    assert not complete({1: 0.5}, (1, 2))
    assert not complete({1: 0.5, 2: math.nan}, (1, 2))
    assert not complete({NO_SEED: math.nan}, (1, 2))


def test_holm_equals_values_computed_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    with_nan = holm([0.02, math.nan, 0.03])
    assert with_nan[0] == pytest.approx(0.04)
    assert math.isnan(with_nan[1])
    assert with_nan[2] == pytest.approx(0.04)


def test_holm_rejects_the_same_hypotheses_as_the_stepwise_procedure():
    """The procedure rejects in ascending order of p while p_(i) <= a / (m - i)."""
    rng = np.random.default_rng(1)
    for level in (0.01, 0.05, 0.2):
        p_values = list(rng.random(8) ** 3)
        rejected = set()
        for rank, i in enumerate(np.argsort(p_values)):
            if p_values[i] > level / (8 - rank):
                break
            rejected.add(i)
        assert {i for i, p in enumerate(holm(p_values)) if p <= level} == rejected


def test_best_is_the_highest_auc_or_the_lowest_error():
    means = {"a": 0.3, "b": 0.5, "c": math.nan}
    assert best(["a", "b", "c"], means, True) == "b"
    assert best(["a", "b", "c"], means, False) == "a"
    assert best(["c", "d"], means, True) is None
