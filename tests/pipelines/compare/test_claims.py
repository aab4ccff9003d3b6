"""Verdicts on papers' claims: better or worse, significantly or not, against SciPy's test."""

import math

import numpy as np
import pytest
from scipy import stats

from pipelines.compare.claims import FAILS, HOLDS, NO_RUNS, NOT_SHOWN, judge
from pipelines.compare.settings import Claim
from pipelines.compare.table import make_table
from tests.pipelines.compare.cases import SPEC, columns, noisy, result, settings

DATA = columns()
SEEDS = (1, 2, 3, 4, 5)
NAMES = ("base", "rival", "twin", "ours")


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
    return make_table(settings(NAMES), SPEC, runs)


def values(runs, row, output, metric):
    return np.array([run.metrics["test"][output][metric] for run in runs[row]])


def test_a_claim_is_judged_against_the_best_of_the_others(runs, table):
    (verdict,) = judge([Claim("", "ours", ("base", "rival"), "ctr")], SPEC, table)
    own, other = values(runs, "ours", "ctr", "auc"), values(runs, "rival", "ctr", "auc")
    assert (verdict.word, verdict.against, verdict.metric) == (HOLDS, "rival", "auc")
    assert verdict.advantage == pytest.approx(np.mean(own - other))
    assert verdict.p == pytest.approx(stats.ttest_rel(own, other).pvalue)


def test_of_an_error_less_is_better(runs, table):
    (verdict,) = judge([Claim("", "ours", ("base", "rival"), "ctr", "log_loss")], SPEC, table)
    gains = values(runs, "rival", "ctr", "log_loss") - values(runs, "ours", "ctr", "log_loss")
    assert (verdict.word, verdict.against) == (HOLDS, "rival")
    assert verdict.advantage == pytest.approx(np.mean(gains))


def test_worse_and_not_significantly_better(runs, table):
    twins = sorted(("rival", "twin"), key=lambda row: values(runs, row, "ctr", "auc").mean())
    claims = [Claim("", "base", ("ours",), "ctr"), Claim("", twins[1], (twins[0],), "ctr")]
    worse, level = judge(claims, SPEC, table)
    assert (worse.word, level.word) == (FAILS, NOT_SHOWN)
    assert level.advantage > 0


def test_p_is_corrected_over_all_claims(table):
    claims = [Claim("", "ours", (row,), "ctr") for row in ("base", "rival", "twin")]
    alone = [judge([claim], SPEC, table)[0].p for claim in claims]
    together = [verdict.p for verdict in judge(claims, SPEC, table)]
    assert min(together) == pytest.approx(3 * min(alone))
    assert max(together) >= max(alone)


def test_without_runs_nothing_is_judged(runs):
    table = make_table(settings(NAMES), SPEC, {**runs, "ours": []})
    (verdict,) = judge([Claim("", "ours", ("base",), "ctr")], SPEC, table)
    assert verdict.word == NO_RUNS
    assert math.isnan(verdict.advantage)
