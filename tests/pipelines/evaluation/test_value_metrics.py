"""Metrics of values: the Evaluator and a comparison against NumPy, weights, unknown labels, slices and gates."""

import dataclasses
import json
import math

import numpy as np
import pytest

from pipelines.compare.metrics.evaluate import evaluate, main_metric, monitored_value
from pipelines.compare.metrics.scenarios import evaluate_scenarios
from pipelines.evaluation.evaluation import Evaluation
from pipelines.evaluation.records import read_measured, write_measured
from pipelines.evaluation.scored_batch import ScoredBatch
from pipelines.gates.gate import failed
from pipelines.gates.measured import Measured
from pipelines.gates.metric_gates import metric_gates
from pipelines.gates.output_gates import output_gates
from pipelines.gates.scenario_gates import scenario_gates
from pipelines.gates.thresholds import ScenarioThresholds, Thresholds
from pipelines.label_columns import known_labels, label_parsing
from pipelines.prepared.columns import Columns
from tests.tfmtl.metrics.test_gini import brute_force
from tfmtl.config import FieldError
from tfmtl.features import CategoricalFeature
from tfmtl.metrics import nmae, normalized_gini
from tfmtl.spec import DatasetSpec, Task

SPEC = DatasetSpec(
    "shop",
    (CategoricalFeature("page"),),
    (Task("buy", "bought"), Task("revenue", "paid", "value", "buy", output="expected", conditional_output="price")),
    scenario="page",
    group_key="user",
)

LOG = dataclasses.replace(
    SPEC, tasks=(Task("click", "clicked"), dataclasses.replace(SPEC.tasks[0], follows="click"), SPEC.tasks[1])
)


def batch(rows=4000, seed=0, weights=None, has_baseline=True):
    rng = np.random.default_rng(seed)
    probability, mean = rng.beta(2, 6, rows), rng.lognormal(3, 0.7, rows)
    bought = (rng.random(rows) < probability).astype(float)
    labels = {"bought": bought, "paid": np.round(bought * mean * rng.lognormal(-0.5, 1, rows), 2)}

    def scores(noise):
        p, m = np.clip(probability * rng.lognormal(0, noise, rows), 0, 1), mean * rng.lognormal(0, noise, rows)
        return {"buy": p, "price": m, "expected": p * m}

    pages = rng.choice([b"home", b"search"], rows).astype(object)
    users = rng.integers(0, 300, rows)
    return ScoredBatch(labels, scores(0.3), scores(0.8) if has_baseline else {}, pages, users, weights)


def rows_of(one, rows):
    def take(columns):
        return {name: values[rows] for name, values in columns.items()}

    weights = None if one.weights is None else one.weights[rows]
    return ScoredBatch(
        take(one.labels), take(one.scores), take(one.baseline), one.scenarios[rows], one.groups[rows], weights
    )


def measured(*batches):
    evaluation = Evaluation(SPEC)
    for one in batches:
        evaluation.add(one)
    return {(one.output, one.slice): one for one in evaluation.measured()}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("page", ["", "home"])
@pytest.mark.parametrize("output", ["price", "expected"])
def test_metrics_of_a_slice(output, page, weighted):
    weights = np.random.default_rng(5).uniform(0, 2, 4000) if weighted else None
    whole = batch(weights=weights)
    rows = whole.labels["bought"] == 1 if output == "price" else np.ones(4000, bool)
    rows &= (whole.scenarios == page.encode()) | (page == "")
    labels, scores, old = (
        column[rows] for column in (whole.labels["paid"], whole.scores[output], whole.baseline[output])
    )
    own = None if weights is None else weights[rows]
    one = measured(whole)[output, page]
    assert (one.is_count, one.is_value) == (True, True)
    assert one.gini == pytest.approx(normalized_gini(labels, scores, own), abs=1e-3)
    assert one.baseline_gini == pytest.approx(normalized_gini(labels, old, own), abs=1e-3)
    assert one.gini > one.baseline_gini > 0.05
    assert one.nmae == pytest.approx(nmae(labels, scores, own), rel=1e-9)
    assert one.calibration == pytest.approx(np.average(scores, weights=own) / np.average(labels, weights=own))
    assert 0 < one.gini_error < 0.1
    assert 0 < one.change_error < 0.1
    assert math.isnan(one.auc)


def test_standard_error_is_that_of_new_logs():
    found = [measured(batch(seed=seed))["expected", ""] for seed in range(30)]
    spread = np.std([one.gini for one in found], ddof=1)
    assert np.mean([one.gini_error for one in found]) == pytest.approx(spread, rel=0.4)


def test_integer_weights_are_repeated_rows_and_parts_are_merged():
    counts = np.random.default_rng(1).integers(0, 3, 4000)
    whole = batch()
    by_weight = measured(dataclasses.replace(whole, weights=counts.astype(float)))
    by_rows = measured(rows_of(whole, np.repeat(np.arange(4000), counts)))
    parts = [Evaluation(SPEC) for _ in range(3)]
    for part, rows in zip(parts, np.array_split(np.random.default_rng(2).permutation(4000), 3), strict=True):
        part.add(rows_of(dataclasses.replace(whole, weights=counts.astype(float)), rows))
    parts[0].merge(parts[1].compact())
    parts[0].merge(parts[2])
    merged = {(one.output, one.slice): one for one in parts[0].measured()}
    for key, one in by_weight.items():
        for other in (by_rows[key], merged[key]):
            for field in dataclasses.fields(one):
                value, expected = getattr(other, field.name), getattr(one, field.name)
                is_number = isinstance(expected, float)
                assert value == (pytest.approx(expected, rel=1e-9, nan_ok=True) if is_number else expected), field.name


def test_rows_with_an_unknown_label_do_not_count():
    whole = batch()
    hidden = np.random.default_rng(3).random(4000) < 0.3
    labels = {**whole.labels, "paid": np.where(hidden, np.nan, whole.labels["paid"])}
    one, other = measured(dataclasses.replace(whole, labels=labels)), measured(rows_of(whole, ~hidden))
    assert one["expected", ""].gini == pytest.approx(other["expected", ""].gini, rel=1e-12)
    assert one["price", "home"].rows == other["price", "home"].rows


def test_values_without_an_event_or_a_served_model_have_no_coefficient():
    whole = batch(has_baseline=False)
    none = dataclasses.replace(whole, labels={name: np.zeros(4000) for name in whole.labels})
    assert math.isnan(measured(none)["expected", ""].gini)
    assert math.isnan(measured(whole)["expected", ""].baseline_gini)
    assert math.isnan(measured(whole)["expected", ""].change_error)


def test_metrics_are_written_and_read(tmp_path):
    found = list(measured(batch()).values())
    write_measured(str(tmp_path), found)
    assert repr(read_measured(str(tmp_path))) == repr(found)
    assert all(
        one["gini"] is None for one in json.loads((tmp_path / "metrics.json").read_text()) if not one["is_value"]
    )


GOOD = Measured(
    "expected", is_count=True, is_value=True, rows=4000, positives=9e4, lowest=0.1, highest=90.0, calibration=1.1,
    calibration_error=0.05, nmae=1.8, gini=0.3, baseline_gini=0.31, change_error=0.004,
)  # fmt: skip


def statuses(one, **thresholds):
    gates = output_gates(one, Thresholds(**thresholds), required=True)
    return [gate.name for gate in gates], [gate.name for gate in failed(gates)]


def test_gates_of_a_value():
    assert statuses(GOOD) == (["finite scores", "range of scores", "rows", "gini", "change of gini", "calibration"], [])
    assert statuses(GOOD, min_gini=0.35)[1] == ["gini"]
    assert statuses(dataclasses.replace(GOOD, gini=-0.1, baseline_gini=math.nan))[1] == ["gini"]
    assert statuses(dataclasses.replace(GOOD, baseline_gini=0.4))[1] == ["change of gini"]
    assert statuses(dataclasses.replace(GOOD, baseline_gini=0.4, change_error=0.1))[1] == []
    assert statuses(dataclasses.replace(GOOD, baseline_gini=0.2))[1] == []
    assert statuses(GOOD, calibration=(0.95, 1.05))[1] == ["calibration"]
    assert statuses(GOOD, min_gini=None, max_gini_drop=None)[0][3:] == ["calibration"]
    for wrong in ({"min_gini": 1.5}, {"max_gini_drop": -0.1}):
        with pytest.raises(FieldError, match="gini"):
            Thresholds(**wrong)


def test_calibration_of_a_scenario_is_judged_by_its_standard_error_alone():
    one = dataclasses.replace(GOOD, slice="home", calibration=2.2)
    bounds = ScenarioThresholds()
    assert failed(scenario_gates([one], bounds, 0.95))
    assert not failed(scenario_gates([dataclasses.replace(one, calibration_error=0.2)], bounds, 0.95))
    assert scenario_gates([dataclasses.replace(one, calibration_error=math.nan)], bounds, 0.95) == []


def test_gates_of_a_measured_model():
    gates = metric_gates(list(measured(batch()).values()), [output.name for output in SPEC.outputs], {})
    assert not failed(gates)
    assert {gate.name for gate in gates if gate.output == "price" and not gate.slice} >= {"gini", "change of gini"}


def test_metrics_of_a_comparison():
    metrics = pytest.importorskip("sklearn.metrics")
    whole = batch(weights=np.random.default_rng(5).uniform(0, 2, 4000))
    labels = {"buy": whole.labels["bought"], "revenue": whole.labels["paid"]}
    numbers = np.unique(whole.scenarios, return_inverse=True)[1]
    columns = Columns(labels, scenarios=numbers, scenario_names=("home", "search"), weights=whole.weights)
    truth = {**whole.scores, "price": np.full(4000, 20.0)}
    found = evaluate(SPEC, columns, whole.scores, truth)
    bought = labels["buy"] == 1
    for output, rows in (("price", bought), ("expected", np.ones(4000, bool))):
        y, p, w = labels["revenue"][rows], whole.scores[output][rows], whole.weights[rows]
        unit = np.average(y, weights=w)
        deviance = metrics.mean_tweedie_deviance(y / unit, p / unit, power=1.5, sample_weight=w) / 2
        assert found[output]["tweedie_loss"] == pytest.approx(deviance)
        assert found[output]["gini"] == normalized_gini(y, p, w)
        assert found[output]["calibration"] == pytest.approx(np.average(p, weights=w) / unit)
    assert found["price"]["calibration_all_rows"] == pytest.approx(whole.scores["price"].mean() / 20)
    assert "auc_all_rows" not in found["price"]
    assert [main_metric(SPEC, output) for output in SPEC.outputs] == ["auc", "gini", "gini"]
    assert monitored_value(SPEC, found, "price_gini") == found["price"]["gini"]
    assert monitored_value(SPEC, found, "loss") == -found["buy"]["log_loss"] - found["expected"]["tweedie_loss"]
    home = evaluate_scenarios(SPEC, columns, whole.scores)["price"]["home"]
    rows = bought & (numbers == 0)
    assert home["gini"] == normalized_gini(labels["revenue"][rows], whole.scores["price"][rows], whole.weights[rows])


def test_a_comparison_agrees_with_brute_force():
    columns = Columns({"buy": np.ones(5), "revenue": np.array([1.0, 0, 3, 3, 9])})
    scores = np.array([2.0, 2, 1, 5, 4])
    found = evaluate(SPEC, columns, dict.fromkeys(("buy", "price", "expected"), scores / 10))["price"]
    assert found["gini"] == pytest.approx(brute_force(columns.labels["revenue"], scores))


def test_a_value_is_unknown_where_its_event_is_open():
    tasks = tuple(dataclasses.replace(task, open="is_open") if task.name == "buy" else task for task in LOG.tasks)
    spec = dataclasses.replace(LOG, tasks=tasks)
    types = {name: feature.dtype.name for name, feature in label_parsing(spec).items()}
    assert types == {"clicked": "int64", "bought": "int64", "paid": "float32", "is_open": "int64"}
    parsed = {
        "clicked": np.array([1, 1, 1]),
        "bought": np.array([0, 1, 0]),
        "paid": np.float32([0, 2.5, 0]),
        "is_open": np.array([1, 0, 0]),
    }
    np.testing.assert_array_equal(known_labels(spec, parsed)["paid"], [np.nan, 2.5, 0])
