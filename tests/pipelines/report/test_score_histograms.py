"""Histograms of scores, and the curves from them, against scikit-learn on the rows themselves."""

import numpy as np
import pytest
from sklearn.metrics import auc as area
from sklearn.metrics import roc_auc_score

from pipelines.evaluation.evaluation import Evaluation
from pipelines.evaluation.score_histograms import BASELINE, CANDIDATE, read_scores, write_scores
from pipelines.report.curves import (
    count_reliability,
    lift_by_decile,
    precision_recall_curve,
    reliability,
    roc_curve,
    score_distribution,
    wilson_interval,
)
from tests.pipelines.evaluation.scored_cases import SPEC, batch


@pytest.fixture(scope="module")
def whole():
    return batch(rows=20_000)


@pytest.fixture(scope="module")
def scores(whole):
    evaluation = Evaluation(SPEC)
    evaluation.add(whole)
    return evaluation.scores()


def rows_of(whole, output):
    labels = whole.labels["clicked" if output == "ctr" else "bought"]
    rows = whole.labels["clicked"] == 1 if output == "buy_given_click" else np.ones(len(labels), bool)
    return labels[rows], whole.scores[output][rows]


@pytest.mark.parametrize("output", ["ctr", "buy", "buy_given_click"])
def test_curves_are_those_of_the_rows(whole, scores, output):
    labels, values = rows_of(whole, output)
    histogram = scores[output][CANDIDATE]
    assert histogram.rows == len(labels)
    assert histogram.positives.sum() == labels.sum()
    assert histogram.auc == pytest.approx(roc_auc_score(labels, values), abs=1e-3)
    roc = roc_curve(histogram)
    x, y = ([point[name] for point in roc] for name in ("false_positive_rate", "true_positive_rate"))
    assert area(x, y) == pytest.approx(roc_auc_score(labels, values), abs=1e-3)
    for point in roc[20:-20:20]:
        assert point["true_positive_rate"] == pytest.approx(
            np.mean(values[labels == 1] >= point["threshold"]), abs=5e-3
        )
    curve = precision_recall_curve(histogram)
    for point in curve[20:-20:20]:
        above = values >= point["threshold"]
        assert point["precision"] == pytest.approx(labels[above].mean(), abs=1e-2)
        assert point["recall"] == pytest.approx(labels[above].sum() / labels.sum(), abs=5e-3)


def test_reliability_has_the_rows_of_ten_bins(whole, scores):
    labels, values = rows_of(whole, "ctr")
    bins = reliability(scores["ctr"][CANDIDATE])
    assert len(bins) == 10
    assert sum(one.rows for one in bins) == len(labels)
    assert sum(one.positives for one in bins) == labels.sum()
    assert sum(one.score * one.rows for one in bins) / len(labels) == pytest.approx(values.mean(), rel=1e-3)
    order = np.argsort(values, kind="stable")
    first = labels[order][: bins[0].rows]
    assert bins[0].rate == pytest.approx(first.mean(), abs=2 / bins[0].rows)
    assert all(one.low <= one.rate <= one.high for one in bins)


def test_lift_of_all_rows_is_one(scores):
    deciles = lift_by_decile(scores["ctr"][CANDIDATE])
    rows = sum(one["rows"] for one in deciles)
    assert sum(one["lift"] * one["rows"] for one in deciles) / rows == pytest.approx(1)
    assert deciles[0]["lift"] > 1 > deciles[-1]["lift"]


def test_distribution_has_all_rows_of_each_class(scores):
    rows = score_distribution(scores["buy"][CANDIDATE])
    for name in ("label 0", "label 1"):
        assert sum(row["share"] for row in rows if row["class"] == name) == pytest.approx(1)


def test_wilson_interval_is_that_of_scipy():
    from scipy.stats import binomtest

    for positives, rows in ((0, 50), (3, 50), (50, 50), (120, 4000)):
        expected = binomtest(positives, rows).proportion_ci(method="wilson")
        assert wilson_interval(positives, rows) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_histograms_are_kept_in_a_file(scores, tmp_path):
    write_scores(str(tmp_path), scores)
    kept = read_scores(str(tmp_path))
    assert {output: set(found) for output, found in kept.items()} == {
        output: {CANDIDATE, BASELINE} for output in ("ctr", "buy", "buy_given_click")
    }
    assert kept["ctr"][BASELINE].auc == pytest.approx(scores["ctr"][BASELINE].auc)
    assert (tmp_path / "score_histograms.json").stat().st_size < 200_000
    assert read_scores(str(tmp_path / "none")) == {}


def test_one_score_for_all_rows():
    whole = batch(rows=100, has_baseline=False)
    whole.scores["ctr"][:] = 0.25
    evaluation = Evaluation(SPEC)
    evaluation.add(whole)
    (histogram,) = evaluation.scores()["ctr"].values()
    assert histogram.auc == 0.5
    assert [one.rows for one in reliability(histogram)] == [100]
    assert score_distribution(histogram)


def test_reliability_of_a_count_is_that_of_ten_bins():
    rng = np.random.default_rng(1)
    scores = rng.gamma(2.0, 3.0, 997)
    labels = rng.poisson(scores).astype(float)
    bins = count_reliability(labels, scores)
    assert sum(one["rows"] for one in bins) == 997
    assert sum(one["label"] * one["rows"] for one in bins) == pytest.approx(labels.sum())
    order = sorted(range(997), key=lambda row: scores[row])
    last = [labels[row] for row in order[-bins[-1]["rows"] :]]
    assert bins[-1]["label"] == pytest.approx(np.mean(last))
    half = 1.959964 * np.std(last) / np.sqrt(len(last))
    assert (bins[-1]["low"], bins[-1]["high"]) == pytest.approx((np.mean(last) - half, np.mean(last) + half))
    assert [one["rows"] for one in count_reliability(labels[:3], scores[:3])] == [1, 1, 1]
