"""Verdicts on papers' claims: better or worse, significantly or not, against SciPy's test."""

import math

import numpy as np
import pytest
from scipy import stats

from pipelines.compare.jobs import NO_SEED
from pipelines.compare.metrics.significance import summarize
from pipelines.compare.plan.settings import Claim
from pipelines.compare.report.claims import FAILS, HOLDS, NO_RUNS, NOT_SHOWN, judge
from pipelines.compare.report.table import Cell, ResultTable, make_table
from tests.pipelines.compare.cases import SPEC, columns, noisy, result, settings

DATA = columns()
SEEDS = (1, 2, 3, 4, 5)
NAMES = ("base", "rival", "twin", "ours")
OURS = (0.7310, 0.7312, 0.7311, 0.7309, 0.7313)
NEAREST = (0.7300, 0.7302, 0.7300, 0.7299, 0.7303)
WIDE = (0.7420, 0.7150, 0.7330, 0.7210, 0.7380)
"""Of a lower mean than `NEAREST`, yet better than `OURS` with three seeds of five."""
BETTER = (0.7320, 0.7322, 0.7320, 0.7319, 0.7323)


@pytest.fixture(scope="module")
def runs():
    """`twin` is as good as `rival`, with other noise; `ours` is better by far."""
    noises = {"base": 4.0, "rival": 2.5, "twin": 2.5, "ours": 1.0}
    return {
        row: [result(row, seed, noisy(DATA, noise, 100 * i + seed), DATA) for seed in SEEDS]
        for i, (row, noise) in enumerate(noises.items())
    }


@pytest.fixture(scope="module")
def table(runs):
    return make_table(settings(NAMES, seeds=SEEDS), SPEC, runs)


def judged(table, *claims):
    return judge(settings(NAMES, seeds=SEEDS, claims=claims), SPEC, table)


def of_numbers(**rows):
    """A table of the AUC of clicks: each row's numbers by seed, or a dictionary of them."""
    by_seed = {row: dict(zip(SEEDS, v, strict=True)) if isinstance(v, tuple) else v for row, v in rows.items()}
    cells = {(row, "ctr", "auc"): Cell(row, "ctr", "auc", v, summarize(v)) for row, v in by_seed.items()}
    return ResultTable(tuple(rows), cells, {})


def values(runs, row, output, metric):
    return np.array([run.metrics["test"][output][metric] for run in runs[row]])


def test_a_claim_is_judged_against_each_of_the_others(runs, table):
    (verdict,) = judged(table, Claim("", "ours", ("base", "rival"), "ctr"))
    own, other = values(runs, "ours", "ctr", "auc"), values(runs, "rival", "ctr", "auc")
    p_values = [stats.ttest_rel(own, values(runs, row, "ctr", "auc")).pvalue for row in ("base", "rival")]
    assert (verdict.word, verdict.against, verdict.metric) == (HOLDS, "rival", "auc")
    assert verdict.advantage == pytest.approx(np.mean(own - other))
    assert verdict.p == pytest.approx(max(p_values))


def test_of_an_error_less_is_better(runs, table):
    (verdict,) = judged(table, Claim("", "ours", ("base", "rival"), "ctr", "log_loss"))
    gains = values(runs, "rival", "ctr", "log_loss") - values(runs, "ours", "ctr", "log_loss")
    assert (verdict.word, verdict.against) == (HOLDS, "rival")
    assert verdict.advantage == pytest.approx(np.mean(gains))


def test_better_than_all_takes_being_better_than_each():
    """The largest p counts, not that against the best mean; the advantage is the smallest."""
    table = of_numbers(ours=OURS, rival=NEAREST, twin=WIDE)
    alone, both = judged(table, Claim("", "ours", ("rival",), "ctr"))[0], Claim("", "ours", ("rival", "twin"), "ctr")
    assert alone.word == HOLDS
    (verdict,) = judged(table, both)
    assert (verdict.word, verdict.against) == (NOT_SHOWN, "rival")
    assert verdict.p == pytest.approx(stats.ttest_rel(OURS, WIDE).pvalue)
    assert verdict.advantage == pytest.approx(np.mean(OURS) - np.mean(NEAREST))


def test_it_fails_only_where_one_is_significantly_better():
    table = of_numbers(ours=OURS, rival=BETTER, twin=WIDE, base=NEAREST)
    (verdict,) = judged(table, Claim("", "ours", ("base", "rival", "twin"), "ctr"))
    assert (verdict.word, verdict.against) == (FAILS, "rival")
    assert verdict.p == pytest.approx(3 * stats.ttest_rel(OURS, BETTER).pvalue), "Bonferroni: one of three was chosen"
    (verdict,) = judged(table, Claim("", "twin", ("ours",), "ctr"))
    assert verdict.advantage < 0
    assert (verdict.word, verdict.p) == (NOT_SHOWN, pytest.approx(stats.ttest_rel(WIDE, OURS).pvalue))


def test_p_is_corrected_over_all_claims(table):
    claims = [Claim("", "ours", (row,), "ctr") for row in ("base", "rival", "twin")]
    alone = [judged(table, claim)[0].p for claim in claims]
    together = [verdict.p for verdict in judged(table, *claims)]
    assert min(together) == pytest.approx(3 * min(alone))
    assert max(together) >= max(alone)


@pytest.mark.parametrize(
    "missing",
    [
        {"ours": {}},
        {"rival": {}},
        {"rival": {1: 0.7}},
        {"ours": {1: 0.74}},
        {"rival": {**dict.fromkeys(SEEDS, 0.7), 3: math.nan}},
    ],
    ids=str,
)
def test_where_a_row_or_a_seed_is_missing_nothing_is_judged(missing):
    rows = {"ours": OURS, "rival": NEAREST, "base": WIDE, **missing}
    table = of_numbers(**{row: numbers for row, numbers in rows.items() if numbers})
    (verdict,) = judged(table, Claim("", "ours", ("rival", "base"), "ctr"))
    assert verdict.word == NO_RUNS
    assert math.isnan(verdict.advantage)
    assert math.isnan(verdict.p)


def test_a_row_without_seeds_misses_none_and_is_no_test_of_its_kind():
    claims = [Claim("", "ours", ("base",), "ctr"), Claim("", "twin", ("base",), "ctr")]
    table = of_numbers(ours=OURS, base={NO_SEED: 0.70}, twin={NO_SEED: 0.71})
    seeded, level = judged(table, *claims)
    assert seeded.word == HOLDS
    assert (level.word, level.advantage) == (NOT_SHOWN, pytest.approx(0.01))
    assert math.isnan(level.p)
