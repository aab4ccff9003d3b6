"""Metrics of accumulators against NumPy and scikit-learn on the rows themselves, and gates computed from them."""

import dataclasses
import math

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from pipelines.evaluation import slice_metrics
from pipelines.evaluation.evaluation import Evaluation
from pipelines.evaluation.scored_batch import ScoredBatch
from pipelines.gates.gate import failed
from pipelines.gates.output_gates import output_gates
from pipelines.gates.thresholds import Thresholds
from tests.pipelines.evaluation.scored_cases import SPEC, batch, part
from tfmtl import metrics
from tfmtl.features import CategoricalFeature
from tfmtl.spec import DatasetSpec, Task


def evaluated(*batches):
    evaluation = Evaluation(SPEC)
    for one in batches:
        evaluation.add(one)
    return {(one.output, one.slice): one for one in evaluation.measured()}


def space(whole, output):
    return whole.labels["clicked"] == 1 if output == "buy_given_click" else np.ones(len(whole.groups), bool)


LABELS = {"ctr": "clicked", "buy": "bought", "buy_given_click": "bought", "pay": "paid"}


@pytest.mark.parametrize("page", [None, "home", "search", "only clicks"])
@pytest.mark.parametrize("output", ["ctr", "buy", "buy_given_click"])
def test_metrics_of_a_binary_output(output, page):
    whole = batch()
    one = evaluated(whole)[output, page or ""]
    rows = space(whole, output)
    if page is not None:
        rows &= whole.scenarios == page.encode()
    labels, scores, old = (
        x[rows] for x in (whole.labels[LABELS[output]], whole.scores[output], whole.baseline[output])
    )
    assert (one.rows, one.positives) == (rows.sum(), labels.sum())
    if len(set(labels)) == 2:
        assert one.auc == pytest.approx(roc_auc_score(labels, scores), abs=5e-4)
        assert one.baseline_auc == pytest.approx(roc_auc_score(labels, old), abs=5e-4)
        assert one.log_loss == pytest.approx(log_loss(labels, scores), rel=1e-9)
        assert one.baseline_log_loss == pytest.approx(log_loss(labels, old), rel=1e-9)
    else:
        assert math.isnan(one.auc)
        assert math.isnan(one.auc_error)
    assert one.calibration == pytest.approx(scores.mean() / labels.mean())
    assert one.baseline_calibration == pytest.approx(old.mean() / labels.mean())
    assert (one.mean_score, one.mean_label) == pytest.approx((scores.mean(), labels.mean()))
    if page is None:
        assert (one.lowest, one.highest) == (scores.min(), scores.max())


def test_metrics_of_a_count():
    whole = batch()
    one = evaluated(whole)["pay", ""]
    labels, scores = whole.labels["paid"], whole.scores["pay"]
    assert one.is_count
    assert one.nmae == pytest.approx(metrics.nmae(labels, scores), rel=1e-6)
    assert one.smape == pytest.approx(metrics.smape(labels, scores), rel=1e-6)
    assert one.baseline_nmae == pytest.approx(metrics.nmae(labels, whole.baseline["pay"]), rel=1e-6)
    assert one.change_error > 0
    assert math.isnan(one.auc)


def test_slices_are_the_scenarios_that_rows_have():
    found = evaluated(batch())
    assert {name for _, name in found} == {"", "home", "only clicks", "search"}
    assert sum(one.rows for (output, name), one in found.items() if output == "ctr" and name) < found["ctr", ""].rows


def test_slices_taken_one_at_a_time_have_the_same_metrics(monkeypatch):
    expected = evaluated(batch())
    monkeypatch.setattr(slice_metrics, "CELLS", 1)
    found = evaluated(batch())
    assert len(found) == 4 * len({output for output, _ in found})
    for key, one in found.items():
        assert repr(one) == repr(expected[key])  # NaN is not equal to itself.


def test_parts_of_the_rows_merged_in_any_order_give_the_same_metrics():
    whole = batch()
    order = np.random.default_rng(3).permutation(len(whole.groups))
    parts = []
    for rows in np.array_split(order, 5):
        parts.append(Evaluation(SPEC))
        for some in np.array_split(rows, 3):
            parts[-1].add(part(whole, some))
    first, *others = parts[::-1]
    for one in others:
        first.merge(one.compact())
    expected = evaluated(whole)
    for one in first.measured():
        values = dataclasses.asdict(expected[one.output, one.slice])
        for name, value in dataclasses.asdict(one).items():
            expected_value = values[name]
            if isinstance(value, float):
                expected_value = pytest.approx(expected_value, rel=1e-9, nan_ok=True)
            assert value == expected_value, name


def test_scores_that_are_not_finite_are_counted_and_left_out():
    whole = batch()
    scores = whole.scores["ctr"].copy()
    scores[:7], scores[7] = np.nan, np.inf
    one = evaluated(dataclasses.replace(whole, scores={**whole.scores, "ctr": scores}))["ctr", ""]
    kept = np.isfinite(scores)
    assert one.not_finite == 8
    assert one.auc == pytest.approx(roc_auc_score(whole.labels["clicked"][kept], scores[kept]), abs=5e-4)
    assert one.mean_score == pytest.approx(scores[kept].mean())


def test_an_output_without_finite_scores_has_no_calibration():
    whole = batch()
    scores = {**whole.scores, "ctr": np.full_like(whole.scores["ctr"], np.nan)}
    one = evaluated(dataclasses.replace(whole, scores=scores))["ctr", ""]
    assert one.not_finite == one.rows
    assert math.isnan(one.calibration)
    assert math.isnan(one.mean_score)
    assert one.mean_label == pytest.approx(whole.labels["clicked"].mean())


def test_an_output_without_scores_is_left_out_and_no_row_gives_no_metric():
    whole = batch(has_baseline=False)
    scores = {name: values for name, values in whole.scores.items() if name != "buy"}
    found = evaluated(dataclasses.replace(whole, scores=scores))
    assert {output for output, _ in found} == {"ctr", "buy_given_click", "pay"}
    assert math.isnan(found["ctr", ""].baseline_auc)
    for one in found.values():
        assert all(math.isnan(value) for name, value in vars(one).items() if name.startswith(("baseline_", "change_")))
    assert Evaluation(SPEC).measured() == []


def test_scores_close_to_zero_and_close_to_each_other_are_told_apart():
    rng = np.random.default_rng(4)
    spec = DatasetSpec("shop", (CategoricalFeature("page"),), (Task("click", "clicked"),))
    labels = (rng.random(50_000) < 0.01).astype(float)
    for scale, spread in ((1e-5, 1.0), (0.01, 0.02), (1 - 1e-4, 1e-5)):
        scores = np.clip(scale * (1 + spread * (rng.normal(0, 1, 50_000) + labels)), 1e-9, 1 - 1e-9)
        evaluation = Evaluation(spec)
        evaluation.add(ScoredBatch({"clicked": labels}, {"click": scores}, {}, None, np.arange(50_000)))
        assert evaluation.measured()[0].auc == pytest.approx(roc_auc_score(labels, scores), abs=1e-3)


def ctr_gates(seed, worse):
    """Gates of a model beside another seed of it, or of one whose AUC is lower by about .02, on 20,000 test rows."""
    rng = np.random.default_rng(seed)
    rows, users = 20_000, 2_000
    user = rng.integers(0, users, rows)
    logits = rng.normal(-2.6, 1, rows) + rng.normal(0, 0.7, users)[user]
    labels = (rng.random(rows) < 1 / (1 + np.exp(-logits))).astype(float)

    def model(own):
        noise = rng.normal(0, own, rows) + rng.normal(0, own / 2, users)[user]
        return 1 / (1 + np.exp(-(logits + noise)))

    spec = DatasetSpec("shop", (CategoricalFeature("page"),), (Task("click", "clicked"),), group_key="user")
    evaluation = Evaluation(spec)
    evaluation.add(
        ScoredBatch({"clicked": labels}, {"click": model(0.56 if worse else 0.3)}, {"click": model(0.3)}, None, user)
    )
    (one,) = evaluation.measured()
    bounds = Thresholds(max_auc_drop=0.005, calibration=None)
    return one, bool(failed(output_gates(one, bounds, required=True)))


def test_reseeds_pass_the_gate_of_change_and_worse_models_do_not():
    same, worse = ([ctr_gates(seed, is_worse) for seed in range(20)] for is_worse in (False, True))
    assert all(one.positives >= 2_000 for one, _ in same)
    drops = [one.auc - one.baseline_auc for one, _ in worse]
    assert -0.024 < np.mean(drops) < -0.016
    assert sum(refused for _, refused in same) <= 1
    assert sum(refused for _, refused in worse) >= 19


def test_standard_error_of_the_change_is_its_spread():
    found = [ctr_gates(100 + seed, worse=False)[0] for seed in range(60)]
    spread = np.std([one.auc - one.baseline_auc for one in found])
    assert np.mean([one.change_error for one in found]) == pytest.approx(spread, rel=0.25)
