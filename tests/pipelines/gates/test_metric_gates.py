import dataclasses
import io

from rich.console import Console

from pipelines.gates.gate import NOT_JUDGED, failed
from pipelines.gates.measured import Measured
from pipelines.gates.metric_gates import metric_gates
from pipelines.gates.report import gates_table, refusal, scenario_count
from pipelines.gates.thresholds import ScenarioThresholds, Thresholds

CTR = Measured("ctr", rows=20_000, positives=2_000.0, lowest=0.01, highest=0.9, auc=0.72, calibration=1.02)
CVR = Measured("cvr", rows=2_000, positives=12.0, lowest=0.01, highest=0.5, auc=0.45, calibration=3.0)
SEARCH = dataclasses.replace(CTR, slice="search", rows=3_000, positives=300.0, auc=0.4)
OUTPUTS = ("ctr", "cvr")


def test_an_output_with_few_rows_is_not_judged_and_the_others_decide():
    gates = metric_gates([CTR, CVR], OUTPUTS, {})
    assert not failed(gates)
    assert [gate.title for gate in gates if gate.status == NOT_JUDGED] == ["positives of cvr"]


def test_thresholds_of_its_own_need_enough_rows():
    gates = metric_gates([CTR, CVR], OUTPUTS, {"cvr": Thresholds(min_auc=0.4)})
    assert [gate.title for gate in failed(gates)] == ["positives of cvr"]
    assert refusal(gates) == "The model was not pushed: cvr has 12 positive test rows, too few to judge it."


def test_a_model_that_no_output_can_judge_is_refused():
    gates = metric_gates([dataclasses.replace(CTR, rows=40, positives=20.0)], ("ctr",), {})
    assert refusal(gates) == "The model was not pushed: no output has enough test rows to judge the model."


def test_a_missing_output_is_refused():
    assert [gate.title for gate in failed(metric_gates([CTR], OUTPUTS, {}))] == ["rows of cvr"]


def test_null_leaves_the_check_that_scores_are_finite():
    off = {"ctr": None, "cvr": None}
    bad = dataclasses.replace(CTR, auc=0.1)
    assert not failed(metric_gates([bad, CVR], OUTPUTS, off))
    gates = metric_gates([dataclasses.replace(bad, not_finite=7), CVR], OUTPUTS, off)
    assert refusal(gates) == "The model was not pushed: 7 of 20,000 scores of ctr are NaN or infinite."


def test_scenarios_have_default_bounds_and_their_own():
    measured = [CTR, SEARCH]
    gates = metric_gates(measured, ("ctr",), {})
    assert [gate.title for gate in failed(gates)] == ["auc of ctr in search"]
    own = {"ctr": Thresholds(slices={"page": ScenarioThresholds(min_auc=0.3, required=("home",))})}
    assert [gate.title for gate in failed(metric_gates(measured, ("ctr",), own))] == ["rows of ctr in home"]


def test_the_table_shows_gates_of_all_rows_and_scenarios_that_failed():
    gates = metric_gates([CTR, SEARCH, dataclasses.replace(SEARCH, slice="home", auc=0.7)], ("ctr",), {})
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(gates_table(gates))
    text = console.export_text()
    lines = [line for line in text.splitlines() if "failed" in line]
    assert len(lines) == 1
    assert "search" in lines[0]
    assert ">= 0.5" in lines[0]
    assert "home" not in text
    assert scenario_count(gates) == "3 of 4 gates of scenarios passed."
    many = metric_gates([CTR] + [dataclasses.replace(SEARCH, slice=str(i)) for i in range(5)], ("ctr",), {})
    assert refusal(many).endswith("; and 2 more.")
