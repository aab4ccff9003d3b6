"""Metrics by scenario, compared with scikit-learn, from the rows of the log to terminal, Markdown, CSV and JSON."""

import csv
import dataclasses
import json
import math

import numpy as np
import pytest
from rich.console import Console
from sklearn import metrics as sklearn

from pipelines.compare.metrics.evaluate import evaluate
from pipelines.compare.metrics.scenarios import (
    MAX_SCENARIOS,
    evaluate_scenarios,
    largest_scenarios,
    make_scenario_table,
)
from pipelines.compare.plan.candidates import Comparison
from pipelines.compare.report.scenario_sheets import scenario_sheets
from pipelines.compare.report.table import ORACLE, make_table
from pipelines.compare.report.write import make_notes, make_sheets, write_report
from pipelines.compare.runs.outcome import Outcome
from pipelines.prepared.columns import ColumnReader, Columns, write_columns
from pipelines.prepared.prepared import Prepared
from tests.pipelines.compare import cases
from tests.pipelines.compare.report.test_write import BASE, ORIGIN
from tests.pipelines.prepared.test_row_order import example
from tfmtl.features import CategoricalFeature
from tfmtl.spec import DatasetSpec, Task

SPEC = dataclasses.replace(cases.SPEC, features=(*cases.SPEC.features, CategoricalFeature("page")), scenario="page")
COUNTS = DatasetSpec("panels", (CategoricalFeature("page"),), (Task("next", "next", kind="count"),), scenario="page")
NAMES = ("feed", "live", "search|ads", "[tiny]")


def columns(names=NAMES, seed=0) -> Columns:
    """Labels of `cases` with scenarios of different sizes, the last one without clicks."""
    plain = cases.columns(seed)
    rng = np.random.default_rng(seed + 100)
    shares = 0.5 ** np.arange(len(names))
    numbers = rng.choice(len(names), cases.ROWS, p=shares / shares.sum())
    labels = {name: np.where(numbers == len(names) - 1, 0, values) for name, values in plain.labels.items()}
    return dataclasses.replace(plain, labels=labels, scenarios=numbers, scenario_names=tuple(names))


DATA = columns()


def scores_of(seed, noise=2.0):
    return cases.noisy(DATA, noise, seed)


def test_auc_of_each_scenario_equals_scikit_learns():
    scores = scores_of(1)
    metrics = evaluate_scenarios(SPEC, DATA, scores)
    assert set(metrics) == {"ctr", "cvr", "ctcvr"}
    for output, task in (("ctr", "click"), ("cvr", "sale"), ("ctcvr", "sale")):
        assert list(metrics[output]) == list(NAMES)
        for number, name in enumerate(NAMES[:-1]):
            rows = DATA.scenarios == number
            rows &= (DATA.labels["click"] == 1) | (output != "cvr")
            expected = sklearn.roc_auc_score(DATA.labels[task][rows], scores[output][rows])
            assert metrics[output][name] == {"auc": pytest.approx(expected)}


def test_errors_of_counts_equal_numpys():
    rng = np.random.default_rng(1)
    labels, rates = rng.poisson(2.0, 300).astype("float32"), rng.gamma(2.0, 1.0, 300)
    numbers = rng.integers(0, 2, 300)
    data = Columns({"next": labels}, scenarios=numbers, scenario_names=("a", "b"))
    metrics = evaluate_scenarios(COUNTS, data, {"next": rates})["next"]
    for number, name in enumerate("ab"):
        y, p = labels[numbers == number], rates[numbers == number]
        assert metrics[name]["nmae"] == pytest.approx(np.abs(p - y).sum() / y.sum())
        assert metrics[name]["smape"] == pytest.approx(np.mean(2 * np.abs(p - y) / (p + y)))


def test_auc_of_equal_labels_is_nan():
    metrics = evaluate_scenarios(SPEC, DATA, scores_of(1))
    for output in ("ctr", "cvr", "ctcvr"):
        assert math.isnan(metrics[output]["[tiny]"]["auc"])


def test_no_metrics_without_scenarios():
    assert evaluate_scenarios(cases.SPEC, cases.columns(), scores_of(1)) == {}
    assert make_scenario_table(cases.SPEC, cases.columns(), {"ours": {1: {}}}) is None


def test_evaluates_the_largest_scenarios():
    names = [f"s{i:02}" for i in range(15)]
    numbers = np.repeat(np.arange(15), np.r_[np.full(14, 5), 30])  # The last is the largest.
    data = Columns({}, scenarios=numbers, scenario_names=tuple(names))
    assert largest_scenarios(data) == ("s14", *names[: MAX_SCENARIOS - 1])


@pytest.fixture(scope="module")
def made():
    runs = {
        row: [cases.result(row, seed, scores_of(seed, noise), DATA) for seed in (1, 2, 3)]
        for row, noise in {"base": 4.0, "ours": 1.0}.items()
    }
    outcome = Outcome(runs, {}, {}, {}, [])
    comparison = Comparison(cases.settings(("base", "ours")), dataclasses.replace(BASE, spec=SPEC), ())
    by_row = {
        row: {seed: evaluate_scenarios(SPEC, DATA, scores_of(seed, noise)) for seed in (1, 2, 3)}
        for row, noise in {"base": 4.0, "ours": 1.0}.items()
    }
    truth = scores_of(9, 0.5)
    by_row[ORACLE] = {-1: evaluate_scenarios(SPEC, DATA, truth)}
    table = make_table(comparison.settings, SPEC, runs, evaluate(SPEC, DATA, truth))
    return comparison, dataclasses.replace(table, scenarios=make_scenario_table(SPEC, DATA, by_row)), outcome


def test_sheets_show_rows_and_means_by_scenario(made):
    comparison, table, outcome = made
    scenario_tables = scenario_sheets(SPEC, table)
    assert [sheet.title for sheet in scenario_tables] == [
        "click: ctr on all rows, by scenario: AUC",
        "sale: cvr on click = 1, by scenario: AUC",
        "sale: ctcvr on all rows, by scenario: AUC",
    ]
    shown = make_sheets(comparison, table, outcome)
    assert all(sheet in shown for sheet in scenario_tables)
    cvr = scenario_tables[1]
    assert list(cvr.columns) == ["model", *NAMES]
    assert [row[0] for row in cvr.rows] == ["rows", "base", "ours", "oracle"]
    clicks = [int(np.sum((DATA.scenarios == i) & (DATA.labels["click"] == 1))) for i in range(4)]
    assert cvr.rows[0][1:] == [str(count) for count in clicks]
    assert cvr.rows[0][-1] == "0"
    feed = (DATA.scenarios == 0) & (DATA.labels["click"] == 1)
    aucs = [sklearn.roc_auc_score(DATA.labels["sale"][feed], scores_of(seed, 1.0)["cvr"][feed]) for seed in (1, 2, 3)]
    assert cvr.rows[2][1] == f"{np.mean(aucs):.4f}±{np.std(aucs, ddof=1):.4f}"
    assert [row[-1] for row in cvr.rows[1:]] == ["", "", ""]


def test_sheets_fit_a_terminal(made):
    comparison, table, outcome = made
    console = Console(width=110, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    for sheet in make_sheets(comparison, table, outcome):
        console.print(sheet.rich())
    shown = console.export_text()
    assert "…" not in shown, "no cell is truncated"
    assert "[tiny]" in shown, "no name is interpreted as markup"


def test_report_contains_metrics_by_scenario(made, tmp_path):
    comparison, table, outcome = made
    write_report(tmp_path, comparison, table, outcome, ORIGIN)
    page = (tmp_path / "results.md").read_text()
    assert "| model | feed | live | search\\|ads | [tiny] |" in page
    assert "By scenario: metrics of the test rows with each value of page (all 4, in descending order of size)." in page
    with (tmp_path / "results.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    own = [line for line in lines if line["scenario"]]
    assert len(own) == 3 * 3 * 4
    assert len(lines) - len(own) == len(table.cells)
    plain = json.loads((tmp_path / "results.json").read_text())
    records = plain["scenario_records"]
    assert len(records) == len(own)
    for line, record in zip(own, records, strict=True):
        mean = table.scenarios.summary(line["model"], line["output"], line["scenario"], "auc").mean
        assert line["mean"] == ("" if math.isnan(mean) else str(mean))
        assert record["mean"] == (None if math.isnan(mean) else mean)
        assert record["rows"] == int(line["rows"]) == table.scenarios.rows[line["output"]][line["scenario"]]
    assert all("scenario" not in record for record in plain["records"])


def test_many_scenarios_are_shown_in_parts():
    data = columns(tuple(f"s{i:02}" for i in range(15)))
    by_row = {"base": {1: evaluate_scenarios(SPEC, data, scores_of(1))}}
    runs = {"base": [cases.result("base", 1, scores_of(1), DATA)]}
    comparison = Comparison(cases.settings(("base",), baselines=()), dataclasses.replace(BASE, spec=SPEC), ())
    table = make_table(comparison.settings, SPEC, runs)
    table = dataclasses.replace(table, scenarios=make_scenario_table(SPEC, data, by_row))
    titles = [sheet.title for sheet in scenario_sheets(SPEC, table)]
    assert titles[:2] == [f"click: ctr on all rows, by scenario: AUC ({part})" for part in ("1 to 6", "7 to 12")]
    notes = make_notes(comparison, table, Outcome(runs, {}, {}, {}, []), 400)
    assert any("the 12 largest of 15" in note for note in notes)


def read(spec, rows):
    reader = ColumnReader(spec)
    for row in rows:
        reader.add([row])
    return reader.columns()


def scenarios_of(spec, rows):
    columns = read(spec, rows)
    return [columns.scenario_names[number] for number in columns.scenarios]


def test_rows_without_a_value_are_in_the_default_scenario():
    pages = [b"feed", b"", b"search", b"feed"]
    rows = [example(user=[b"u"], click=[0], sale=[0], page=[page] if page else []) for page in pages]
    assert scenarios_of(SPEC, rows) == ["feed", "<missing>", "search", "feed"]
    default = dataclasses.replace(SPEC, features=(*SPEC.features[:1], CategoricalFeature("page", default="search")))
    assert scenarios_of(default, rows) == ["feed", "search", "search", "feed"]
    assert read(cases.SPEC, rows).scenarios is None


@pytest.mark.parametrize("data", [DATA, cases.columns()])
def test_columns_survive_writing_and_reading(data, tmp_path):
    write_columns(tmp_path, "test", data)
    read = Prepared(tmp_path, SPEC, "", {}).columns("test")
    assert read.scenario_names == data.scenario_names
    for one, other in ((read.scenarios, data.scenarios), (read.groups, data.groups)):
        np.testing.assert_array_equal(one, other)
