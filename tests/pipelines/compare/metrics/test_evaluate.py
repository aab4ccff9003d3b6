"""Metrics of scores, each output on its space, compared with scikit-learn."""

import dataclasses
import math

import numpy as np
import pytest
from sklearn import metrics as sklearn

from pipelines.compare.metrics.evaluate import evaluate, log_loss, main_metric, monitored_value, poisson_loss
from pipelines.prepared.columns import Columns
from tests.pipelines.compare.cases import ROWS, SPEC, columns, noisy
from tfmtl.features import NumberSequenceFeature
from tfmtl.spec import DatasetSpec, Task


def space_rows(data, output):
    return data.labels["click"] == 1 if output == "cvr" else np.ones(ROWS, bool)


@pytest.mark.parametrize(("output", "task"), [("ctr", "click"), ("cvr", "sale"), ("ctcvr", "sale")])
def test_metrics_of_binary_outputs_equal_scikit_learns(output, task):
    data = columns()
    scores = noisy(data, 2.0, 1)
    metrics = evaluate(SPEC, data, scores)[output]
    rows = space_rows(data, output)
    labels, predicted, groups = data.labels[task][rows], scores[output][rows].astype(float), data.groups[rows]
    assert metrics["auc"] == pytest.approx(sklearn.roc_auc_score(labels, predicted))
    assert metrics["log_loss"] == pytest.approx(sklearn.log_loss(labels, predicted))
    assert metrics["calibration"] == pytest.approx(predicted.sum() / labels.sum())
    total = weight = 0.0
    for group in np.unique(groups):
        own = groups == group
        if 0 < labels[own].sum() < own.sum():
            total += own.sum() * sklearn.roc_auc_score(labels[own], predicted[own])
            weight += own.sum()
    assert metrics["gauc"] == pytest.approx(total / weight)


def test_auc_on_all_rows_is_the_mean_over_labels_drawn_from_the_true_probabilities():
    """Labels of P(sale | click) are drawn for every row, clicked or not."""
    data = columns()
    rng = np.random.default_rng(2)
    truth = {name: rng.random(ROWS) ** 2 for name in ("ctr", "cvr", "ctcvr")}
    scores = {name: (p + 0.3 * rng.normal(size=ROWS)).astype(np.float32) for name, p in truth.items()}
    metrics = evaluate(SPEC, data, scores, truth)
    draws = [sklearn.roc_auc_score(rng.random(ROWS) < truth["cvr"], scores["cvr"]) for _ in range(200)]
    assert metrics["cvr"]["auc_all_rows"] == pytest.approx(np.mean(draws), abs=4 * np.std(draws) / 200**0.5)
    assert metrics["cvr"]["calibration_all_rows"] == pytest.approx(scores["cvr"].sum() / truth["cvr"].sum(), rel=1e-6)
    assert "auc_all_rows" not in metrics["ctr"]
    assert metrics["cvr"]["auc"] == evaluate(SPEC, data, scores)["cvr"]["auc"]


def test_no_gauc_without_groups():
    data = dataclasses.replace(columns(), groups=None)
    metrics = evaluate(SPEC, data, noisy(data, 2.0, 1))
    assert "gauc" not in metrics["ctr"]


def test_metrics_of_counts():
    spec = DatasetSpec(
        name="panels",
        features=(NumberSequenceFeature("clicks", max_length=3),),
        tasks=(Task("next", "next", kind="count"),),
    )
    labels, rates = np.array([0.0, 2.0, 5.0]), np.array([0.5, 2.0, 4.0])
    metrics = evaluate(spec, Columns({"next": labels}), {"next": rates})["next"]
    assert metrics["nmae"] == pytest.approx((0.5 + 0 + 1) / 7)
    assert metrics["smape"] == pytest.approx((0.5 / 0.25 + 0 + 1 / 4.5) / 3)
    assert metrics["poisson_loss"] == pytest.approx((0.5 + 2 - 2 * math.log(2) + 4 - 5 * math.log(4)) / 3)
    assert main_metric(spec, spec.outputs[0]) == "nmae"
    assert monitored_value(spec, {"next": metrics}, "next_loss") == -metrics["poisson_loss"]


def test_losses_of_extreme_predictions_are_finite():
    assert log_loss([1, 0], [0.0, 1.0]) == pytest.approx(-math.log(1e-7), rel=1e-6)
    assert poisson_loss([1.0], [0.0]) == pytest.approx(-math.log(1e-7), rel=1e-6)


def test_rejects_scores_that_are_not_finite():
    data = columns()
    scores = noisy(data, 1.0, 1)
    scores["ctr"][3] = np.nan
    with pytest.raises(ValueError, match=r"scores of `ctr` should be finite\. Received: nan"):
        evaluate(SPEC, data, scores)


def test_monitored_value_is_higher_for_better_scores():
    data = columns()
    good, bad = (evaluate(SPEC, data, noisy(data, noise, 1)) for noise in (1.0, 4.0))
    for monitor in ("ctr_auc", "cvr_auc", "sale_loss", "loss"):
        assert monitored_value(SPEC, good, monitor) > monitored_value(SPEC, bad, monitor)
    assert monitored_value(SPEC, good, "cvr_auc") == good["cvr"]["auc"]
    assert monitored_value(SPEC, good, "sale_loss") == -good["ctcvr"]["log_loss"]
    assert monitored_value(SPEC, good, "loss") == -good["ctr"]["log_loss"] - good["ctcvr"]["log_loss"]
