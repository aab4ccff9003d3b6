import dataclasses

import numpy as np
import pytest

from pipelines.gates.gate import FAILED, PASSED, failed
from pipelines.gates.measured import Measured, auc_error, calibration_interval
from pipelines.gates.scenario_gates import scenario_gates
from pipelines.gates.thresholds import ScenarioThresholds

HOME = Measured(
    "ctr",
    "home",
    rows=4_000,
    positives=400.0,
    lowest=0.01,
    highest=0.9,
    auc=0.7,
    calibration=1.0,
    baseline_auc=0.71,
    change_error=0.01,
)
SEARCH = dataclasses.replace(HOME, slice="search", auc=0.66)


def titles(gates):
    return [gate.title for gate in gates]


def test_good_scenarios_pass():
    gates = scenario_gates([HOME, SEARCH], ScenarioThresholds(), 0.95)
    assert not failed(gates)
    assert titles(gates)[:3] == ["auc of ctr in home", "calibration of ctr in home", "change of auc of ctr in home"]
    assert len(gates) == 6


def test_an_inverted_scenario_fails():
    """Its AUC is .49 with a baseline of .7, its calibration 3.73."""
    bad = dataclasses.replace(SEARCH, auc=0.4, calibration=3.73, baseline_auc=0.7)
    assert titles(failed(scenario_gates([HOME, bad], ScenarioThresholds(), 0.95))) == [
        "auc of ctr in search",
        "calibration of ctr in search",
        "change of auc of ctr in search",
    ]
    text = failed(scenario_gates([bad], ScenarioThresholds(), 0.95))[0].reason
    assert text == "the auc of ctr in search is 0.4000, surely below 0.5"


def test_rows_that_depend_on_each_other_have_a_wider_interval():
    bad = dataclasses.replace(SEARCH, auc=0.4, calibration=3.0, baseline_auc=float("nan"))
    assert len(failed(scenario_gates([bad], ScenarioThresholds(), 0.95))) == 2
    clustered = dataclasses.replace(bad, auc_error=0.08, calibration_error=0.7)
    assert not failed(scenario_gates([clustered], ScenarioThresholds(), 0.95))


def test_a_value_beyond_the_bound_by_chance_passes():
    near = dataclasses.replace(HOME, rows=600, positives=30.0, auc=0.48, baseline_auc=0.5, change_error=0.05)
    assert not failed(scenario_gates([near], ScenarioThresholds(), 0.95))


def test_many_scenarios_of_a_model_without_skill_are_rarely_refused():
    """With 1,000 scenarios at an AUC of .5, the familywise error stays near 5 %; without the correction all fail."""
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(15):
        aucs = rng.normal(0.5, auc_error(0.5, 50, 950), 1000)
        slices = [
            Measured("ctr", str(i), rows=1000, positives=50.0, auc=auc, calibration=1.0) for i, auc in enumerate(aucs)
        ]
        refused += bool(failed(scenario_gates(slices, ScenarioThresholds(), 0.95)))
    assert refused <= 4


def test_small_scenarios_are_left_out_unless_they_are_required():
    small = dataclasses.replace(HOME, slice="tiny", rows=30, positives=2.0, auc=0.1)
    assert scenario_gates([small], ScenarioThresholds(), 0.95) == []
    gates = scenario_gates([HOME, small], ScenarioThresholds(required=("tiny", "gone", "home")), 0.95)
    assert titles(failed(gates)) == ["rows of ctr in gone", "rows of ctr in tiny"]
    assert [gate.reason for gate in failed(gates)] == [
        "the test split has no row of the required scenario gone",
        "ctr has 30 test rows, 2 positive in the required scenario tiny, too few to judge it",
    ]
    assert {gate.status for gate in gates} == {FAILED, PASSED}


def test_standard_error_of_an_auc_is_that_of_simulated_ones():
    rng = np.random.default_rng(1)
    positives, negatives, shift = 60, 300, 0.8
    aucs = []
    for _ in range(400):
        high, low = rng.exponential(1.0 + shift, positives), rng.exponential(1.0, negatives)
        aucs.append((high[:, None] > low).mean())
    assert auc_error(np.mean(aucs), positives, negatives) == pytest.approx(np.std(aucs), rel=0.15)


def test_interval_of_the_calibration_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(2)
    events = np.maximum(rng.poisson(30.0, 4000), 1)
    inside_low = np.mean([calibration_interval(30.0 / n, n, 0.95)[0] <= 1.0 for n in events])
    inside_high = np.mean([calibration_interval(30.0 / n, n, 0.95)[1] >= 1.0 for n in events])
    assert 0.94 <= inside_low <= 0.98
    assert 0.94 <= inside_high <= 0.98
