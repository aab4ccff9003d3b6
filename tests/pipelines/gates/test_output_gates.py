import dataclasses
import itertools
import math

import pytest

from pipelines.gates.gate import FAILED, NOT_JUDGED, PASSED, failed, gates_from_json, gates_to_json
from pipelines.gates.measured import Measured
from pipelines.gates.output_gates import output_gates
from pipelines.gates.thresholds import Thresholds

GOOD = Measured(
    "ctr",
    rows=20_000,
    positives=2_000.0,
    lowest=0.01,
    highest=0.9,
    auc=0.72,
    calibration=1.02,
    baseline_auc=0.725,
    change_error=0.003,
)
GOOD_COUNT = Measured(
    "pay",
    is_count=True,
    rows=900,
    positives=7_000.0,
    lowest=0.1,
    highest=80.0,
    calibration=1.0,
    nmae=0.15,
    baseline_nmae=0.14,
    change_error=0.01,
)


def names(gates, status):
    return [gate.name for gate in gates if gate.status == status]


def test_a_good_model_passes_and_each_gate_has_a_value_and_a_bound():
    gates = output_gates(GOOD, Thresholds(), required=True)
    expected = [
        "finite scores",
        "range of scores",
        "rows",
        "positives",
        "negatives",
        "auc",
        "change of auc",
        "calibration",
    ]
    assert names(gates, PASSED) == [gate.name for gate in gates] == expected
    assert all(gate.bound and math.isfinite(gate.value) and not gate.reason for gate in gates)
    change = gates[-2]
    assert change.value == pytest.approx(-0.005)
    assert change.interval == pytest.approx((-0.005 - 1.645 * 0.003, -0.005 + 1.645 * 0.003), abs=1e-5)
    assert change.baseline == 0.725


def test_gates_of_a_count():
    gates = output_gates(GOOD_COUNT, Thresholds(), required=True)
    expected = ["finite scores", "range of scores", "rows", "nmae", "change of nmae", "calibration"]
    assert names(gates, PASSED) == [gate.name for gate in gates] == expected


@pytest.mark.parametrize(
    ("measured", "failures", "reason"),
    [
        (dataclasses.replace(GOOD, not_finite=3), ["finite scores"], "3 of 20,000 scores of ctr are NaN or infinite"),
        (dataclasses.replace(GOOD, lowest=0.1, highest=0.1, auc=0.5), ["range of scores"], "all scores of ctr are 0.1"),
        (dataclasses.replace(GOOD, rows=40, positives=20), ["rows"], "ctr has 40 test rows, too few to judge it"),
        (dataclasses.replace(GOOD, positives=3), ["positives"], "ctr has 3 positive test rows, too few"),
        (dataclasses.replace(GOOD, positives=19_999), ["negatives"], "ctr has 1 negative test rows, too few"),
        (dataclasses.replace(GOOD, auc=0.49, baseline_auc=math.nan), ["auc"], "the auc of ctr is 0.4900, below 0.5"),
        (dataclasses.replace(GOOD, calibration=3.7), ["calibration"], "calibration of ctr is 3.7, outside [0.5, 2]"),
        (dataclasses.replace(GOOD, calibration=math.inf), ["calibration"], "calibration of ctr is inf, outside"),
        (
            dataclasses.replace(GOOD, auc=0.70),
            ["change of auc"],
            "changed by -0.0250 from 0.7250 of the served model, with 0.95 confidence by less than -0.01",
        ),
        (dataclasses.replace(GOOD_COUNT, nmae=1.2, baseline_nmae=math.nan), ["nmae"], "nmae of pay is 1.2000, above 1"),
        (
            dataclasses.replace(GOOD_COUNT, nmae=0.18),
            ["change of nmae"],
            "changed by +0.0400 from 0.1400 of the served model, with 0.95 confidence by more than +0.02",
        ),
    ],
)
def test_a_gate_that_fails_names_the_value_and_the_bound(measured, failures, reason):
    gates = output_gates(measured, Thresholds(), required=True)
    assert names(gates, FAILED) == failures
    assert reason in failed(gates)[0].reason


def test_a_difference_within_its_uncertainty_passes():
    """Another seed loses .012 of AUC on 3,035 rows, where the difference has a standard error of .006."""
    small = dataclasses.replace(GOOD, rows=3_035, positives=300, auc=0.713, change_error=0.006)
    assert not failed(output_gates(small, Thresholds(), required=True))
    assert failed(output_gates(dataclasses.replace(small, change_error=0.0005), Thresholds(), required=True))


def test_an_output_without_thresholds_of_its_own_is_not_judged_on_few_rows():
    few = dataclasses.replace(GOOD, rows=40, positives=2, auc=0.3)
    gates = output_gates(few, Thresholds(), required=False)
    assert names(gates, NOT_JUDGED) == ["rows", "positives"]
    assert not failed(gates)
    assert names(output_gates(dataclasses.replace(few, not_finite=1), Thresholds(), False), FAILED) == ["finite scores"]


def test_null_turns_a_bound_off():
    none = Thresholds(min_auc=None, calibration=None, max_auc_drop=None)
    bad = dataclasses.replace(GOOD, auc=0.2, calibration=9.0)
    names_left = [gate.name for gate in output_gates(bad, none, True)]
    assert names_left == ["finite scores", "range of scores", "rows", "positives", "negatives"]


def test_every_combination_of_outcomes_passes_only_if_each_gate_does():
    changes = {
        "auc": {"auc": 0.4, "baseline_auc": 0.4},
        "calibration": {"calibration": 2.5},
        "change of auc": {"baseline_auc": 0.9},
    }
    for size in range(len(changes) + 1):
        for chosen in itertools.combinations(changes, size):
            measured = dataclasses.replace(GOOD, **{k: v for name in chosen for k, v in changes[name].items()})
            gates = output_gates(measured, Thresholds(), required=True)
            assert {gate.name for gate in failed(gates)} == set(chosen)


def test_json_round_trip_keeps_values_that_are_not_finite_as_null():
    gates = output_gates(dataclasses.replace(GOOD, baseline_auc=math.nan, calibration=math.nan), Thresholds(), True)
    text = gates_to_json(gates)
    assert '"passed": false' in text
    assert "NaN" not in text
    again = gates_from_json(text)
    assert [gate.title for gate in again] == [gate.title for gate in gates]
    assert [gate.status for gate in again] == [gate.status for gate in gates]
    assert math.isnan(again[-1].value)
