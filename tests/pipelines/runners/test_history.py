"""History of runs: what was recorded, in which way two runs differ, and the commands that print it."""

import json
import time

import pytest
from click.testing import CliRunner

from pipelines.cli import main
from pipelines.runners.history.compare import differences
from pipelines.runners.history.record import FAILED, FINISHED
from pipelines.runners.history.runs import RunHistory, find_run, read_runs
from pipelines.runners.run_lock import lock_run_folder
from tests.html_check import texts_of
from tests.pipelines.runners.past_runs import PastRuns
from tfmtl.config import ConfigError

IDS = [f"2026-11-{day}T03:00:00.00000{day % 10}" for day in (17, 18, 19, 20, 21)]


def fields(rate, auc, **others):
    settings = {"name": "shop", "training": {"learning_rate": rate}, "spec": {"features": [{"name": "user"}]}}
    metrics = {"ctr": {"auc": auc, "rows": 40.0}}
    common = {"settings": settings, "spec_hash": "abcdef0123456789", "code": "0.1.0 0123456789abcdef"}
    return {"status": FINISHED, "metrics": metrics, "rows": {"read": 240, "train": 140}, **common, **others}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Runs: pushed; pushed, from the first; refused; failed; one of an earlier version, without a record."""
    monkeypatch.chdir(tmp_path)
    runs = PastRuns(tmp_path / "runs/shop")
    first = runs.day(IDS[0], spans=("17",), pushed_version="12", **fields(0.01, 0.71))
    second = runs.day(IDS[1], start=first, spans=("17", "18"), pushed_version="13", **fields(0.02, 0.72))
    runs.day(IDS[2], blessed=False, start=second, **fields(0.02, 0.5))
    runs.start(IDS[3])
    runs.step("LogExampleGen", {"examples": "Examples"})
    runs.day(IDS[4])
    return tmp_path / "runs/shop"


def read(folder):
    return read_runs(folder)


def test_runs_are_read_with_results_and_origins(folder):
    runs = read(folder)
    assert [run.number for run in runs] == [1, 2, 3, 4, 5]
    assert [run.id for run in runs] == IDS
    assert [run.result for run in runs] == ["pushed", "pushed", "refused", "interrupted", "pushed"]
    assert [run.started_from for run in runs] == [None, 1, 2, None, None]
    assert runs[4].record.pushed_version == IDS[4][-2:]
    assert runs[1].steps == dict.fromkeys(("LogExampleGen", "StatisticsGen", "Trainer", "Evaluator", "Pusher"), "run")


def test_history_is_a_list_that_a_notebook_shows_as_a_table(folder):
    runs = read(folder)
    assert runs == list(runs)
    texts = texts_of(runs._repr_html_())
    assert {"refused", "interrupted", "12", "13", "17 to 18", "ctr AUC 0.7200", "240"} <= set(texts)
    assert texts_of(RunHistory()._repr_html_())[0] == "Runs"


def test_a_run_is_running_while_the_folder_is_locked_and_killed_afterwards(folder):
    runs = PastRuns(folder)
    runs.day("2026-11-22", status="running")
    with lock_run_folder(folder):
        assert read(folder)[-1].result == "running"
    assert read(folder)[-1].result == "killed"


def test_a_run_is_found_by_number_or_id(folder):
    runs = read(folder)
    assert find_run(runs, "2").number == find_run(runs, IDS[1]).number == find_run(runs, "2026-11-18").number == 2
    for wrong in ("6", "2026-11", ""):
        with pytest.raises(ConfigError, match="ID should be the number of a run, 1 to 5"):
            find_run(runs, wrong)


def test_differences_are_those_of_settings_data_and_metrics(folder):
    runs = read(folder)
    found = {one.field: (one.before, one.after) for one in differences(runs[0], runs[1])}
    assert found == {
        "settings.training.learning_rate": (0.01, 0.02),
        "spans": ("17", "17, 18"),
        "metrics.ctr.auc": (0.71, 0.72),
        "pushed_version": ("12", "13"),
        "started_from": (None, 1),
    }
    assert differences(runs[0], runs[0]) == []


def invoke(*words):
    result = CliRunner().invoke(main, ["runs", *words], terminal_width=200)
    return result.exit_code, result.output


@pytest.mark.parametrize("words", [(), ("shop",), ("runs/shop",), ("list", "shop")])
def test_the_table_has_a_line_for_each_run(folder, words):
    code, output = invoke(*words)
    assert code == 0, output
    lines = [line.split() for line in output.splitlines() if line.lstrip()[:1].isdigit()]
    assert [line[0] for line in lines] == ["1", "2", "3", "4", "5"]
    assert "ctr AUC 0.7200" in output
    assert "17 to 18" in output
    assert "refused" in output


def test_json_has_all_fields(folder):
    code, output = invoke("shop", "--json")
    assert code == 0, output
    ((path, runs),) = json.loads(output).items()
    assert path == str(folder)
    assert [run["result"] for run in runs] == [run.result for run in read(folder)]
    code, output = invoke("show", "2", "--json")
    assert json.loads(output)["record"]["metrics"]["ctr"]["auc"] == 0.72
    code, output = invoke("diff", "1", "2", "--json")
    assert json.loads(output)["settings.training.learning_rate"] == [0.01, 0.02]


def test_show_and_diff_print_the_run(folder):
    code, output = invoke("show", "2", "shop")
    assert code == 0, output
    for text in ("2 of", IDS[1], "17, 18", "240 read", "run 1", "0.7200", "version 13"):
        assert text in output
    code, output = invoke("diff", "1", "2", "shop")
    assert code == 0, output
    assert [line.split() for line in output.splitlines() if "learning_rate" in line] == [
        ["settings.training.learning_rate", "0.01", "0.02"]
    ]
    assert "do not differ" in invoke("diff", "1", "1", "shop")[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("missing",), "runs/missing/metadata.sqlite should exist: `tfmtl run` writes it"),
        (("show", "9", "shop"), "ID should be the number of a run, 1 to 5"),
        (("diff", "1", "9", "shop"), "Received: 9"),
    ],
)
def test_mistakes_have_one_line(folder, words, message):
    code, output = invoke(*words)
    assert code == 2
    assert message in output.replace("\n", " ")
    assert "Traceback" not in output


def test_a_folder_without_runs_is_a_mistake(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, output = invoke()
    assert code == 2
    assert "FOLDER should be a run folder, as there is none below runs/" in output


def test_a_failed_run_shows_its_error(folder):
    PastRuns(folder).day("2026-11-23", status=FAILED, error="log.csv: is empty", ended=str(time.time()))
    assert "log.csv: is empty" in invoke("show", "6", "shop")[1]
    assert read(folder)[-1].result == "failed"
