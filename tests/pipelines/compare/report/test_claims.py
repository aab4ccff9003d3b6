"""Results of claims: significantly better or worse, or not shown, compared with SciPy's tests."""

import math

import numpy as np
import pytest
from scipy import stats

from pipelines.compare.jobs import NO_SEED
from pipelines.compare.metrics.significance import summarize
from pipelines.compare.plan.settings import Claim
from pipelines.compare.report.claims import FAILS, HOLDS, NOT_RUN, NOT_SHOWN, judge_claims
from pipelines.compare.report.table import Cell, ResultTable, make_table
from tests.pipelines.compare.cases import SPEC, columns, noisy, result, settings

DATA = columns()
SEEDS = (1, 2, 3, 4, 5)
NAMES = ("base", "rival", "twin", "ours")
OURS = (0.7310, 0.7312, 0.7311, 0.7309, 0.7313)
NEAREST = (0.7300, 0.7302, 0.7300, 0.7299, 0.7303)
WIDE = (0.7420, 0.7150, 0.7330, 0.7210, 0.7380)
"""AUC by seed with a lower mean than `NEAREST`, but better than `OURS` with three of five seeds."""
BETTER = (0.7320, 0.7322, 0.7320, 0.7319, 0.7323)


@pytest.fixture(scope="module")
def runs():
    """Runs in which `twin` is as good as `rival`, with other noise, and `ours` is much better."""
    noises = {"base": 4.0, "rival": 2.5, "twin": 2.5, "ours": 1.0}
    return {
        row: [result(row, seed, noisy(DATA, noise, 100 * i + seed), DATA) for seed in SEEDS]
        for i, (row, noise) in enumerate(noises.items())
    }


@pytest.fixture(scope="module")
def table(runs):
    return make_table(settings(NAMES, seeds=SEEDS), SPEC, runs)


def claim_results(table, *claims):
    return judge_claims(settings(NAMES, seeds=SEEDS, claims=claims), SPEC, table)


def table_of_auc(**rows):
    """Table of the AUC of clicks, from the values of each row in the order of the seeds, or by seed."""
    by_seed = {row: dict(zip(SEEDS, v, strict=True)) if isinstance(v, tuple) else v for row, v in rows.items()}
    cells = {(row, "ctr", "auc"): Cell(row, "ctr", "auc", v, summarize(v)) for row, v in by_seed.items()}
    return ResultTable(tuple(rows), cells, {})


def values(runs, row, output, metric):
    return np.array([run.metrics["test"][output][metric] for run in runs[row]])


def test_claim_is_tested_against_each_of_the_other_rows(runs, table):
    (claim_result,) = claim_results(table, Claim("", "ours", ("base", "rival"), "ctr"))
    own, other = values(runs, "ours", "ctr", "auc"), values(runs, "rival", "ctr", "auc")
    p_values = [stats.ttest_rel(own, values(runs, row, "ctr", "auc")).pvalue for row in ("base", "rival")]
    assert (claim_result.conclusion, claim_result.best_other, claim_result.metric) == (HOLDS, "rival", "auc")
    assert claim_result.advantage == pytest.approx(np.mean(own - other))
    assert claim_result.p == pytest.approx(max(p_values))


def test_smaller_error_is_better(runs, table):
    (claim_result,) = claim_results(table, Claim("", "ours", ("base", "rival"), "ctr", "log_loss"))
    gains = values(runs, "rival", "ctr", "log_loss") - values(runs, "ours", "ctr", "log_loss")
    assert (claim_result.conclusion, claim_result.best_other) == (HOLDS, "rival")
    assert claim_result.advantage == pytest.approx(np.mean(gains))


@pytest.mark.parametrize(
    ("margin", "conclusion"), [(0.0, FAILS), (0.0005, FAILS), (0.001, NOT_SHOWN), (0.0015, HOLDS), (0.005, HOLDS)]
)
def test_row_with_a_margin_is_not_worse_by_as_much(margin, conclusion):
    """The row is worse by .0010: the margin counts as an advantage."""
    table = table_of_auc(ours=OURS, rival=BETTER, twin=NEAREST)
    (claim_result,) = claim_results(table, Claim("", "ours", ("twin", "rival"), "ctr", margin=margin))
    assert claim_result.conclusion == conclusion
    assert claim_result.best_other == "rival"
    assert claim_result.advantage == pytest.approx(np.mean(OURS) - np.mean(BETTER)), "without the margin"
    if conclusion == HOLDS:
        p = stats.ttest_1samp(np.subtract(OURS, BETTER) + margin, 0.0).pvalue
        assert claim_result.p == pytest.approx(p), "the larger one of both p-values"


def test_margin_of_an_error(runs, table):
    own, other = values(runs, "rival", "ctr", "log_loss"), values(runs, "ours", "ctr", "log_loss")
    margin = 1.5 * float(np.mean(own - other))
    (claim_result,) = claim_results(table, Claim("", "rival", ("ours",), "ctr", "log_loss", margin))
    assert claim_result.conclusion == HOLDS
    assert claim_result.advantage == pytest.approx(-np.mean(own - other))
    (claim_result,) = claim_results(table, Claim("", "rival", ("ours",), "ctr", "log_loss", margin / 3))
    assert claim_result.conclusion == FAILS


def test_claim_holds_only_if_the_row_is_better_than_each_other_row():
    """The largest p-value decides, not that against the best mean; the advantage is the smallest one."""
    table = table_of_auc(ours=OURS, rival=NEAREST, twin=WIDE)
    alone, both = (
        claim_results(table, Claim("", "ours", ("rival",), "ctr"))[0],
        Claim("", "ours", ("rival", "twin"), "ctr"),
    )
    assert alone.conclusion == HOLDS
    (claim_result,) = claim_results(table, both)
    assert (claim_result.conclusion, claim_result.best_other) == (NOT_SHOWN, "rival")
    assert claim_result.p == pytest.approx(stats.ttest_rel(OURS, WIDE).pvalue)
    assert claim_result.advantage == pytest.approx(np.mean(OURS) - np.mean(NEAREST))


def test_claim_does_not_hold_only_if_another_row_is_significantly_better():
    table = table_of_auc(ours=OURS, rival=BETTER, twin=WIDE, base=NEAREST)
    (claim_result,) = claim_results(table, Claim("", "ours", ("base", "rival", "twin"), "ctr"))
    assert (claim_result.conclusion, claim_result.best_other) == (FAILS, "rival")
    assert claim_result.p == pytest.approx(3 * stats.ttest_rel(OURS, BETTER).pvalue), (
        "Bonferroni: the best of three rows was selected"
    )
    (claim_result,) = claim_results(table, Claim("", "twin", ("ours",), "ctr"))
    assert claim_result.advantage < 0
    assert (claim_result.conclusion, claim_result.p) == (NOT_SHOWN, pytest.approx(stats.ttest_rel(WIDE, OURS).pvalue))


def test_p_values_are_corrected_over_all_claims(table):
    claims = [Claim("", "ours", (row,), "ctr") for row in ("base", "rival", "twin")]
    alone = [claim_results(table, claim)[0].p for claim in claims]
    together = [claim_result.p for claim_result in claim_results(table, *claims)]
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
def test_claim_is_not_run_if_a_row_or_a_seed_is_missing(missing):
    rows = {"ours": OURS, "rival": NEAREST, "base": WIDE, **missing}
    table = table_of_auc(**{row: numbers for row, numbers in rows.items() if numbers})
    (claim_result,) = claim_results(table, Claim("", "ours", ("rival", "base"), "ctr"))
    assert claim_result.conclusion == NOT_RUN
    assert math.isnan(claim_result.advantage)
    assert math.isnan(claim_result.p)


def test_row_without_randomness_is_complete_but_two_of_them_are_not_tested():
    claims = [Claim("", "ours", ("base",), "ctr"), Claim("", "twin", ("base",), "ctr")]
    table = table_of_auc(ours=OURS, base={NO_SEED: 0.70}, twin={NO_SEED: 0.71})
    seeded, level = claim_results(table, *claims)
    assert seeded.conclusion == HOLDS
    assert (level.conclusion, level.advantage) == (NOT_SHOWN, pytest.approx(0.01))
    assert math.isnan(level.p)
