"""Health of mechanisms in the report of a comparison: the table, and the notes about dead ones."""

import json
import math

import pytest

from pipelines.compare.plan.candidates import Comparison
from pipelines.compare.report.health_sheets import dead_notes, health_sheets
from pipelines.compare.report.table import make_table
from pipelines.compare.report.write import Origin, make_notes, make_sheets, write_report
from pipelines.compare.runs.outcome import Outcome
from pipelines.settings import ModelSettings, Settings
from tests.pipelines.compare.cases import SPEC, columns, noisy, result, settings
from tfmtl.health import Bound, Health

DATA = columns()
BASE = Settings(name="x", spec=SPEC, model=ModelSettings("mmoe"))


def healths(entropies, use=0.5):
    """Health of the gates of click and sale, and of a selector that is only described."""
    gates = [
        Health("gate", f"gate of {task}", "relative_entropy", value, Bound(high=0.99))
        for task, value in zip(("click", "sale"), entropies, strict=True)
    ]
    used = Health("gate", "gate of click", "expert_use", use, Bound(low=0.05))
    return (*gates, used, Health("selector", "selector, layer 1", "saturation", 0.25))


@pytest.fixture(scope="module")
def runs():
    by_row = {
        "base": [(), (), ()],
        "rival": [healths((0.8, 0.9)), healths((0.82, 0.92)), healths((0.84, 0.94))],
        "ours": [healths((0.996, 0.9)), healths((0.998, 0.9)), healths((0.95, 0.9), use=math.nan)],
    }
    return {
        row: [
            result(row, seed, noisy(DATA, 2.0, seed), DATA, health=health)
            for seed, health in enumerate(of_row, 1)
        ]
        for row, of_row in by_row.items()
    }  # fmt: skip


def test_table(runs):
    (sheet,) = health_sheets(runs)
    assert sheet.markdown().splitlines() == [
        "**Health of mechanisms (mean ± sd over runs)**",
        "",
        "| model | mechanism | measure | mean | worst | alive if | dead in |",
        "| :-- | :-- | :-- | --: | --: | --: | --: |",
        "| rival | gate | entropy | 0.870±0.020 | 0.940 | below 0.99 | 0 of 6 |",
        "| rival | gate | least use | 0.500±0.000 | 0.500 | at least 0.05 | 0 of 3 |",
        "| rival | selector | saturation | 0.250±0.000 |  |  |  |",
        "| ours | gate | entropy | 0.941±0.014 | 0.998 | below 0.99 | 2 of 6 |",
        "| ours | gate | least use | nan±nan | nan | at least 0.05 | 1 of 3 |",
        "| ours | selector | saturation | 0.250±0.000 |  |  |  |",
    ]


def test_notes_say_what_is_wrong_in_how_many_runs(runs):
    assert dead_notes(runs) == [
        "DEAD mechanisms of ours: "
        "The gate of click is uniform: entropy 0.997 of the maximum (alive: below 0.99), in 2 of 3 runs. "
        "The gate of click computes values that are not finite: least used expert nan of an equal share "
        "(alive: at least 0.05), in 1 of 3 runs."
    ]
    one = {"ours": runs["ours"][:1]}
    assert dead_notes(one) == [
        "DEAD mechanisms of ours: The gate of click is uniform: entropy 0.996 of the maximum (alive: below 0.99)."
    ]
    assert health_sheets(one)[0].rows[0] == ["ours", "gate", "entropy", "0.948", "0.996", "below 0.99", "1 of 2"]


def test_report_contains_table_notes_and_values(runs, tmp_path):
    outcome = Outcome(runs, {}, {}, {}, [])
    comparison = Comparison(settings(), BASE, ())
    table = make_table(comparison.settings, SPEC, runs)
    assert health_sheets(runs)[0] in make_sheets(comparison, table, outcome)
    assert dead_notes(runs)[0] in make_notes(comparison, table, outcome, 400)
    write_report(tmp_path, comparison, table, outcome, Origin("tfmtl compare x.yaml", {"test": 400}, "f00d"))
    page = (tmp_path / "results.md").read_text()
    assert "**Health of mechanisms (mean ± sd over runs)**" in page
    assert f"- {dead_notes(runs)[0]}\n" in page
    plain = json.loads((tmp_path / "results.json").read_text(), parse_constant=pytest.fail)
    (ours,) = [run for run in plain["runs"] if run["job"]["row"] == "ours" and run["job"]["seed"] == 3]
    assert [one["value"] for one in ours["health"]] == [0.95, 0.9, None, 0.25]
    assert [one["alive"] for one in ours["health"]] == [True, True, False, True]


def test_no_table_without_mechanisms(runs):
    assert health_sheets({"base": runs["base"]}) == []
    assert dead_notes({"base": runs["base"]}) == []
