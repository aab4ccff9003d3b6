"""Tables of every command with long names: nothing is cut, and no line is longer than the terminal."""

import io
import math

import numpy as np
import pyarrow as pa
import pytest
from rich.console import Console
from rich.table import Table

from pipelines.commands.data_checks import anomalies_table
from pipelines.commands.export_check import _table as signatures_table
from pipelines.commands.init import _table as columns_table
from pipelines.commands.models import _table as models_table
from pipelines.commands.runs import _metrics_table, _runs_table
from pipelines.compare.report.sheets import Sheet
from pipelines.data_checks.anomalies import Anomaly
from pipelines.evaluation.results import OutputMetrics, results_table
from pipelines.gates.gate import Gate
from pipelines.gates.report import gates_table
from pipelines.init.features import ColumnDecision
from pipelines.output.tables import fitted
from pipelines.prediction.output import scores_table
from pipelines.runners.history.record import Record
from pipelines.runners.history.runs import PastRun
from pipelines.tuning.report import best_table
from pipelines.week.results import Day
from pipelines.week.results import results_table as week_table
from serving.export_check import ExportCheck, SignatureCheck
from tests.pipelines.tuning import cases
from tfmtl.features import CategoricalFeature
from tfmtl.spec import DatasetSpec, Task
from transforms.profile.columns import ColumnProfile

FEATURE = "number_of_impressions_of_the_last_7_days"
TASK = "purchase_in_the_thirty_days_after_clicks"
OUTPUT = "probability_of_purchase_given_the_click_"
SCENARIO = "search_results_page_of_the_mobile_client"
LABEL = "purchased_within_thirty_days_of_the_view"
SPEC = DatasetSpec(
    "shop",
    (CategoricalFeature(FEATURE), CategoricalFeature("scenario")),
    (Task("click", "clicked", output="ctr"), Task(TASK, LABEL, output=OUTPUT, follows="click")),
    scenario="scenario",
)


def printed(table, width=80):
    console = Console(width=width, file=io.StringIO())
    console.print(fitted(table, console))
    return console.file.getvalue()


def is_whole(name, text):
    """Returns whether a name stands in a text, on one line, or continued on the next lines in the same column."""
    lines = text.splitlines()
    starts = ((i, c) for i, line in enumerate(lines) for c in range(len(line)) if line[c] == name[0])
    return any(_continues(name, lines, i, c) for i, c in starts)


def _continues(rest, lines, i, c):
    part = next((rest[:n] for n in range(len(rest), 0, -1) if i < len(lines) and lines[i][c : c + n] == rest[:n]), "")
    return part == rest or (bool(part) and _continues(rest[len(part) :].lstrip(), lines, i + 1, c))


def results():
    outputs = SPEC.outputs
    rows = [
        OutputMetrics(output, place, 0.7123, 1.01, rows=9.0, gauc=0.6) for place in ("", SCENARIO) for output in outputs
    ]
    return results_table(SPEC, rows, "Test split", {OUTPUT: 0.7}, "logistic regression"), (TASK, OUTPUT, SCENARIO)


def gates():
    gate = Gate("change of auc", "failed", OUTPUT, SCENARIO, 0.61, ">= 0.65", 0.7, (0.601, 0.619), "reason")
    return gates_table([gate, Gate("auc", "passed", OUTPUT, "", 0.7, ">= 0.6")]), (OUTPUT, SCENARIO)


def anomalies():
    one = Anomaly(FEATURE, "max_missing_share", "at most 0.05 missing", "0.51 missing", f"Look at {FEATURE}.")
    return anomalies_table([one], "Anomalies"), (FEATURE, "max_missing_share")


def columns():
    profile = ColumnProfile(FEATURE, "integer", 100, 3, 50, ((SCENARIO[:24], 60), ("b", 40)))
    return columns_table([ColumnDecision(profile, None, "predicts the label", True)]), (FEATURE,)


def runs():
    record = Record(status="finished", metrics={OUTPUT: {"auc": 0.71234}}, rows={"read": 1200}, blessed=True)
    return _runs_table([PastRun(1, "i", "2026-11-17T03:00:00", record, {})]), (OUTPUT,)


def metrics_of_a_run():
    values = {name: 0.71234 for name in ("rows", "auc", "gauc", "log_loss", "calibration", "mean_score", "nmae")}
    record = Record(status="finished", metrics={OUTPUT: values}, blessed=True)
    return _metrics_table(PastRun(1, "i", "2026-11-17T03:00:00", record, {})), (OUTPUT, "calibration")


def predictions():
    rows = pa.table({FEATURE: ["a", "b"], "city": ["x", "y"]})
    scores = {name: np.array([0.1, 0.2]) for name in (OUTPUT, TASK)}
    return scores_table(rows, scores, "rows", 80)[0], (OUTPUT, TASK)


def trials(tmp_path):
    plan = cases.plan(tmp_path / "plan")
    done = cases.run(plan, tmp_path / "out", 3)[0]
    return best_table(plan, done), ("learning_rate",)


def signatures():
    check = ExportCheck("folder", (SignatureCheck(OUTPUT, 3, 100, 100, 1e-7),), ())
    return signatures_table(check), (OUTPUT, "3", "1.0e-07")


def comparison():
    names = ["model", "AUC", "gain", "p (Holm)", "lift over\nthe oracle", "GAUC", "log loss", "calibration", "ECE"]
    row = [
        TASK,
        "0.7412±0.0008",
        "+0.12 %",
        "< 0.0001 **",
        "98.7 %",
        "0.7001±0.0002",
        "0.312±0.001",
        "1.001±0.01",
        "0.01",
    ]
    return Sheet(f"{TASK}: {OUTPUT} on all rows", names, [row]).rich(), (TASK, OUTPUT, "0.7412±0.0008", "0.312±0.001")


def week():
    day = Day("2026-11-16", 100, 3, f"The auc of {OUTPUT} is 0.52.", 7, 40, {OUTPUT: 0.61}, {OUTPUT: 0.52})
    return week_table([day], [OUTPUT, "ctr"]), (OUTPUT,)


def models():
    table = models_table("name", "type", "default", "in Python", "meaning", title="Options")
    table.add_row(FEATURE, "list of int", "[64, 32]", "[256, 128, 64]", "Width of each layer of the tower.")
    return table, (FEATURE, "[256, 128, 64]")


CASES = (results, gates, anomalies, columns, runs, metrics_of_a_run, predictions, signatures, comparison, week, models)


@pytest.mark.parametrize("width", [60, 80, 110])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_no_name_is_cut(case, width):
    table, names = case()
    text = printed(table, width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width, text
    for name in names:
        assert is_whole(name, text), (name, text)


def test_no_hyper_parameter_of_a_search_is_cut(tmp_path):
    table, names = trials(tmp_path)
    text = printed(table)
    assert max(map(len, text.splitlines())) <= 80
    assert all(is_whole(name, text) for name in names)


def table_of(columns, rows, **options):
    table = Table(**options)
    for name in columns:
        table.add_column(name, justify="right" if name.startswith("n") else "left")
    for row in rows:
        table.add_row(*row)
    return table


def test_a_table_that_fits_stays_as_it_is():
    console = Console(width=80, file=io.StringIO())
    table = table_of(["a", "n"], [["x", "1"]])
    assert fitted(table, console) is table
    assert [column.width for column in table.columns] == [None, None]


def test_words_are_wrapped_and_numbers_are_not():
    text = printed(table_of(["text", "n1", "n2"], [["several words of text " * 5, "0.123456789", "1,234,567"]]))
    assert "0.123456789" in text
    assert "1,234,567" in text
    assert "┃" in text


def test_few_rows_become_columns_and_many_become_records():
    names = [f"n_of_something_{i}" for i in range(9)]
    two = printed(table_of(names, [[f"{row}.{i}" for i in range(9)] for row in range(2)]))
    line = next(line for line in two.splitlines() if "n_of_something_3" in line)
    assert line.split() == ["n_of_something_3", "0.3", "1.3"]
    many = printed(table_of(names, [[f"{row:010d}.{i}" for i in range(9)] for row in range(9)]))
    assert [line.split() for line in many.splitlines() if "something_3" in line] == [
        ["n_of_something_3", f"{row:010d}.3"] for row in range(9)
    ]


def test_an_undefined_number_has_an_empty_cell():
    rows = [OutputMetrics(SPEC.outputs[0], "", math.nan, 1.0)]
    assert "nan" not in printed(results_table(SPEC, rows, "Test split"))


def test_the_metrics_of_three_outputs_stand_beside_each_other():
    table = Table()
    for name in ("task", "output", "space", "slice"):
        table.add_column(name)
    for name in ("AUC", "GAUC", "logistic regression AUC", "lift over the logistic regression", "calibration"):
        table.add_column(name, justify="right")
    numbers = ("0.7677", "0.6447", "0.7694", "99.4 %", "1.003")
    table.add_row("click", "ctr", "all rows", "all", *numbers)
    table.add_row("buy", "probability_given_a_click", "click = 1", "all", *numbers)
    table.add_row("buy", "ctcvr", "all rows", "all", *numbers)
    console = Console(width=80, file=io.StringIO())
    console.print(fitted(table, console))
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split() for line in lines if line.split()[:1] == ["AUC"]] == [["AUC", *["0.7677"] * 3]]
    assert ["output", "ctr", "probability_given_a_click", "ctcvr"] in [line.split() for line in lines]
