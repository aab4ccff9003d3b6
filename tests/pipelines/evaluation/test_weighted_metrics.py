"""Metrics of weighted rows and of rows whose label is not known, by the Evaluator and by a comparison."""

import collections
import dataclasses
import math

import numpy as np
import pytest

from pipelines.compare.metrics.evaluate import evaluate
from pipelines.compare.metrics.scenarios import evaluate_scenarios
from pipelines.evaluation.evaluation import Evaluation
from pipelines.evaluation.group_rows import divide, gaucs_of_part, sum_gaucs
from pipelines.gates.metric_gates import metric_gates
from pipelines.prepared.columns import Columns
from tests.pipelines.evaluation.scored_cases import SPEC, batch, part

OPEN = dataclasses.replace(
    SPEC, tasks=tuple(dataclasses.replace(t, open=f"{t.label}_open") if t.name == "buy" else t for t in SPEC.tasks)
)


def repeated(whole, counts):
    """Returns a batch in which each row is repeated."""
    return part(whole, np.repeat(np.arange(len(counts)), counts))


def weighted(whole, weights):
    return dataclasses.replace(whole, weights=np.asarray(weights, float))


def measured(*batches, spec=SPEC):
    evaluation, parts = Evaluation(spec), collections.defaultdict(list)
    for one in batches:
        evaluation.add(one)
        for number, rows in divide(spec, one):
            parts[number].append(rows)
    gaucs = sum_gaucs(gaucs_of_part(one, spec) for one in parts.items())
    return evaluation.measured(gaucs), evaluation.scores()


def same(first, second):
    for one, two in zip(first, second, strict=True):
        for field in dataclasses.fields(one):
            values = getattr(one, field.name), getattr(two, field.name)
            if isinstance(values[0], float):
                assert values[0] == pytest.approx(values[1], rel=1e-9, nan_ok=True), (one.output, one.slice, field.name)
            else:
                assert values[0] == values[1], (one.output, one.slice, field.name)


def counts_of(rows, seed=1):
    return np.random.default_rng(seed).integers(0, 4, rows)


def test_metrics_and_gates_of_weights_are_those_of_repeated_rows():
    whole = batch()
    counts = counts_of(len(whole.groups))
    by_weight, by_rows = measured(weighted(whole, counts)), measured(repeated(whole, counts))
    same(by_weight[0], by_rows[0])
    assert math.isfinite(by_weight[0][0].gauc)
    assert by_weight[0][0].rows == counts.sum()
    for output in by_rows[1]:
        for model, histogram in by_rows[1][output].items():
            np.testing.assert_array_equal(by_weight[1][output][model].positives, histogram.positives)
    outputs = [output.name for output in SPEC.outputs]
    statuses = [
        [(gate.title, gate.status) for gate in metric_gates(found[0], outputs, {})] for found in (by_weight, by_rows)
    ]
    assert statuses[0] == statuses[1]
    assert len(statuses[0]) > 10


def test_weights_below_one_are_not_rounded():
    whole = batch(400)
    one, half = measured(weighted(whole, np.ones(400))), measured(weighted(whole, np.full(400, 0.01)))
    for first, second in zip(one[0], half[0], strict=True):
        assert (first.auc, first.calibration, first.log_loss, first.nmae) == pytest.approx(
            (second.auc, second.calibration, second.log_loss, second.nmae), nan_ok=True
        )
    histograms = one[1]["ctr"]["candidate"], half[1]["ctr"]["candidate"]
    assert histograms[0].auc == pytest.approx(histograms[1].auc, abs=2e-3)


def test_a_label_that_is_not_known_counts_for_no_metric_of_its_output():
    whole = batch()
    unknown = (np.random.default_rng(2).random(len(whole.groups)) < 0.3) & (whole.labels["bought"] == 0)
    labels = {**whole.labels, "bought": np.where(unknown, np.nan, whole.labels["bought"])}
    found = measured(dataclasses.replace(whole, labels=labels), spec=OPEN)[0]
    kept, everything = measured(part(whole, np.flatnonzero(~unknown)))[0], measured(whole)[0]
    for one, without, every in zip(found, kept, everything, strict=True):
        same([one], [without if one.output.startswith("buy") else every])


def columns_of(whole, weights=None):
    numbers = np.unique(whole.scenarios, return_inverse=True)[1]
    labels = {task.name: whole.labels[task.label].astype(np.float32) for task in SPEC.tasks}
    return Columns(labels, whole.groups, numbers, ("", "home", "only clicks", "search"), weights)


def test_metrics_of_a_comparison():
    whole = batch(1500)
    counts = counts_of(1500)
    again = repeated(whole, counts)
    for function in (evaluate, evaluate_scenarios):
        by_weight = function(SPEC, columns_of(whole, counts.astype(np.float32)), whole.scores)
        by_rows = function(SPEC, columns_of(again), again.scores)
        for output, metrics in by_rows.items():
            assert flat(by_weight[output]) == pytest.approx(flat(metrics), rel=1e-6, nan_ok=True)


def flat(metrics):
    values = {}
    for name, value in metrics.items():
        values |= (
            flat({f"{name}/{inner}": one for inner, one in value.items()}) if isinstance(value, dict) else {name: value}
        )
    return values
