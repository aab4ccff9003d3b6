"""Report of a comparison: the same numbers on the terminal, in Markdown, CSV and JSON, and figures."""

import csv
import dataclasses
import io
import json

import pytest
from rich.console import Console

from pipelines.compare.jobs import run_code_hash
from pipelines.compare.metrics.evaluate import evaluate
from pipelines.compare.plan.candidates import Comparison
from pipelines.compare.plan.settings import Claim, PaperTable
from pipelines.compare.report.sheets import Sheet
from pipelines.compare.report.table import make_table
from pipelines.compare.report.write import Origin, make_notes, make_sheets, write_report
from pipelines.compare.runs.outcome import Outcome
from pipelines.compare.runs.time_estimate import Estimate
from pipelines.progress.duration import duration
from pipelines.settings import ModelSettings, Settings
from pipelines.training_settings import TrainingSettings
from tests.pipelines.compare.cases import SPEC, columns, job, noisy, result, settings

DATA = columns()
TRUTH = noisy(DATA, 0.5, 9)
BASE = Settings(name="x", spec=SPEC, model=ModelSettings("mmoe"), training=TrainingSettings(monitor="ctr_auc"))
PAPER = PaperTable("MAN, table 1", ("CTR AUC", "CVR AUC"), {"MAN": (0.6225, "0.6599 ± 0.0047")})
CLAIMS = (
    Claim("Ours, table 1", "ours", ("base", "rival"), "ctr"),
    Claim("Base, table 2", "base", ("rival",), "cvr", "log_loss"),
)
ORIGIN = Origin("tfmtl compare x.yaml", {"train": 3200, "eval": 400, "test": 400}, "f00d")


@pytest.fixture(scope="module")
def made():
    runs = {
        row: [result(row, seed, noisy(DATA, noise, seed), DATA, truth=TRUTH) for seed in (1, 2, 3)]
        for row, noise in {"base": 4.0, "rival": 3.0, "ours": 1.0}.items()
    }
    outcome = Outcome(runs, {}, {}, {job("base", 4): "killed"}, [job("ours", 4)])
    comparison = Comparison(settings(papers=(PAPER,), claims=CLAIMS, gain="difference"), BASE, ())
    table = make_table(comparison.settings, SPEC, runs, evaluate(SPEC, DATA, TRUTH, TRUTH))
    return comparison, table, outcome


@pytest.fixture(scope="module")
def folder(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    write_report(folder, *made, ORIGIN)
    return folder


def test_csv_contains_every_cell(made, folder):
    _, table, _ = made
    with (folder / "results.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(table.cells) == 4 * (3 * 5 + 2)
    for line in lines:
        cell = table.cells[line["model"], line["output"], line["metric"]]
        assert float(line["mean"]) == cell.summary.mean
        assert line["space"] == ("conditional" if line["output"] == "cvr" else "entire")
        assert (line["p_holm"] == "") == (not cell.best_baseline)


def test_json_is_strict_and_contains_every_run(made, folder):
    text = (folder / "results.json").read_text()

    def refuse(word):
        raise AssertionError(word)

    plain = json.loads(text, parse_constant=refuse)
    assert plain["command"] == ORIGIN.command
    assert len(plain["runs"]) == 9
    ours = next(r for r in plain["records"] if (r["model"], r["output"], r["metric"]) == ("ours", "ctr", "auc"))
    assert list(ours["values"]) == ["1", "2", "3"]
    assert ours["mean"] == made[1].cells["ours", "ctr", "auc"].summary.mean


def test_page_contains_command_table_and_figures(made, folder):
    page = (folder / "results.md").read_text()
    cell = made[1].cells["ours", "ctr", "auc"]
    assert f"- Command: `{ORIGIN.command}`" in page
    assert "- Seeds: 1, 2, 3\n- Search: no search of hyper-parameters\n" in page
    assert "2 min in all of 9 runs, one after another, on " in page
    assert f"| ours | {cell.summary.mean:.4f}±{cell.summary.sd:.4f} | {cell.gain:+.4f} |" in page
    assert "| MAN | 0.6225 | 0.6599 ± 0.0047 |" in page
    assert f"| {100 * cell.lift_share:.1f} % |" in page
    assert "| Ours, table 1 | AUC of ctr | ours | rival | +0." in page
    assert "| does not hold |" in page
    assert "FAILED: base, seed 4." in page
    assert "NOT RUN YET: ours, seed 4." in page
    for name in ("gains", "cost", "curves", "selection"):
        assert f"![{name}]({name}.png)" in page
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_terminal_shows_the_same_numbers(made):
    comparison, table, outcome = made
    console = Console(width=110, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    for sheet in make_sheets(comparison, table, outcome):
        console.print(sheet.rich())
    shown = console.export_text()
    cell = table.cells["ours", "ctcvr", "auc"]
    assert f"{cell.summary.mean:.4f}±{cell.summary.sd:.4f}" in shown
    assert "…" not in shown, "no cell is truncated"
    assert "conversion" not in shown
    assert "sale: cvr on click = 1" in shown
    assert "sale: cvr on all rows, against the true probability" in shown


def test_stars_mark_significantly_better_rows(made):
    comparison, table, outcome = made
    cell = table.cells["ours", "ctr", "auc"]

    def shown(**changes):
        cells = {**table.cells, ("ours", "ctr", "auc"): dataclasses.replace(cell, **changes)}
        sheet = make_sheets(comparison, dataclasses.replace(table, cells=cells), outcome)[0]
        return next(row for row in sheet.rows if row[0] == "ours")[3]

    assert shown(p_holm=0.2, better=True) == "0.2000"
    assert shown(p_holm=0.03, better=True) == "0.0300 *"
    assert shown(p_holm=0.003, better=True) == "0.0030 **"
    assert shown(p_holm=1e-6, better=False) == "< 0.0001 worse"


def test_no_metrics_of_all_rows_without_true_probabilities(tmp_path):
    runs = {"base": [result("base", 1, noisy(DATA, 1.0, 1), DATA)]}
    comparison = Comparison(settings(("base",), baselines=()), BASE, ())
    table = make_table(comparison.settings, SPEC, runs)
    outcome = Outcome(runs, {}, {}, {}, [])
    assert not any("true probability" in sheet.title for sheet in make_sheets(comparison, table, outcome))
    write_report(tmp_path, comparison, table, outcome, ORIGIN)
    assert not (tmp_path / "selection.png").exists()


def with_code(results, version):
    return {row: [dataclasses.replace(run, code=version) for run in runs] for row, runs in results.items()}


def test_notes_name_the_code_of_runs_that_differs_from_the_current_code(made):
    comparison, table, outcome = made
    current = with_code(outcome.runs, run_code_hash())
    old = with_code({"base": outcome.runs["base"]}, "old")

    def code_notes(runs):
        changed = dataclasses.replace(outcome, runs=runs)
        return [note for note in make_notes(comparison, table, changed, 400) if note.startswith("The commit")]

    assert code_notes(current) == []
    prefix = f"The commit is that of the code that wrote this report ({run_code_hash()}); the code of the runs is "
    assert code_notes({**current, **old}) == [f"{prefix}{', '.join(sorted([run_code_hash(), 'old']))}."]
    assert code_notes(with_code(outcome.runs, "old")) == [f"{prefix}old."], "one version, but not the current one"


def test_note_names_different_numbers_of_threads(made):
    comparison, table, outcome = made
    one = {row: [dataclasses.replace(run, threads=1) for run in runs] for row, runs in outcome.runs.items()}

    def notes(runs):
        changed = dataclasses.replace(outcome, runs=runs)
        return [note for note in make_notes(comparison, table, changed, 400) if "threads" in note]

    assert notes(outcome.runs) == notes(one) == []
    (note,) = notes({**outcome.runs, "ours": one["ours"]})
    assert note.startswith("Runs computed with different numbers of threads (one for each core, 1): ")


def test_prints_markup_like_text_unchanged():
    console = Console(width=110, record=True, file=io.StringIO())
    console.print(Sheet("of [/red]", ["model", "drawn"], [["[bold]wide", "[/job:localhost]"]], text_columns=2).rich())
    shown = console.export_text()
    for text in ("of [/red]", "[bold]wide", "[/job:localhost]"):
        assert text in shown


def test_time_estimate_is_by_row():
    estimate = Estimate()
    assert estimate.remaining([job("a", 1)]) is None
    estimate.add(job("a", 1), 10)
    estimate.add(job("a", 2), 20)
    estimate.add(job("b", 1), 60)
    assert estimate.remaining([job("a", 3), job("b", 2), job("c", 1)]) == pytest.approx(15 + 60 + 30)
    assert [duration(seconds) for seconds in (42, 720, 3600 * 3.4)] == ["42 s", "12 min", "3.4 h"]
