"""Runs of a page: they are read as they were run, and are not run again in another folder."""

import dataclasses
import json
import math

import pytest

from pipelines.compare.report.table import make_table
from pipelines.compare.report.write import JSON, Origin, write_report
from pipelines.compare.runs.published import read_published
from pipelines.compare.runs.store import RunStore
from tests.pipelines.compare.cases import SPEC, columns, noisy, result
from tests.pipelines.compare.fake_runs import comparison, run
from tfmtl.config import ConfigError
from tfmtl.health import Bound, Health
from tfmtl.search_space import Range

ORIGIN = Origin("tfmtl compare x.yaml", {"train": 3200, "eval": 400, "test": 400}, "data")
NOISES = {"options.noise": Range(0.5, 9.0, digits=3)}


def write(folder, made, outcome):
    """Writes the page of a comparison; returns its results.json."""
    write_report(folder, made, make_table(made.settings, SPEC, outcome.runs), outcome, ORIGIN)
    return folder / JSON


@pytest.fixture
def published(tmp_path):
    made = comparison(seeds=(1, 2))
    outcome, _, _ = run(RunStore(tmp_path / "here", "data", "c"), made)
    return made, outcome, write(tmp_path / "report", made, outcome)


def test_results_are_those_of_the_runs_with_nan_and_infinity_kept(tmp_path):
    data = columns()
    metrics = {"ctr": {"auc": math.nan, "log_loss": math.inf}}
    health = (Health("gate", "gate of click", "relative_entropy", math.nan, Bound(high=0.99)),)
    changes = {"metrics": {"test": metrics}, "health": health, "scenarios": {"ctr": {"feed": {"auc": math.nan}}}}
    one = result("base", 1, noisy(data, 2.0, 1), data, **changes)
    path = tmp_path / JSON
    plain = json.loads(json.dumps(one.to_plain()).replace("NaN", "null"))
    path.write_text(json.dumps({"data": {"fingerprint": "data"}, "runs": [plain]}))
    for by_scenario in (False, True):
        read = read_published(path, "data", by_scenario=by_scenario)
        assert list(read) == [one.job.key("data")]
        assert repr(read[one.job.key("data")]) == repr(one)


def test_runs_of_a_page_are_not_run_again_in_another_folder(published, tmp_path):
    made, outcome, path = published
    runs = read_published(path, "data", by_scenario=False)
    elsewhere = RunStore(tmp_path / "there", "data", "c", runs)
    again, fake_runs, observer = run(elsewhere, made)
    assert fake_runs.done == []
    assert observer.plans == [(0, 4)]
    assert again == outcome
    more = dataclasses.replace(made, settings=dataclasses.replace(made.settings, seeds=(1, 2, 3)))
    _, fake_runs, _ = run(elsewhere, more)
    assert fake_runs.done == ["base, seed 3", "ours, seed 3"]


def test_runs_of_other_code_are_used_if_any_code_is_accepted(published, tmp_path):
    made, outcome, path = published
    runs = read_published(path, "data", by_scenario=False)
    again, fake_runs, _ = run(RunStore(tmp_path / "any", "data", None, runs), made)
    assert fake_runs.done == []
    assert again == outcome
    _, fake_runs, _ = run(RunStore(tmp_path / "new", "data", "new", runs), made, code="new")
    assert len(fake_runs.done) == 4


def test_kept_run_of_the_code_comes_before_that_of_the_page(published, tmp_path):
    made, _, path = published
    runs = read_published(path, "data", by_scenario=False)
    root = tmp_path / "new"
    run(RunStore(root, "data", "new"), made, code="new")
    assert run(RunStore(root, "data", None, runs), made)[0].runs["ours"][0].code == "new"
    assert run(RunStore(root, "data", "c", runs), made)[0].runs["ours"][0].code == "c"


def test_runs_of_chosen_settings_are_found(tmp_path):
    made = comparison(NOISES, trials=9, seeds=(1, 2))
    outcome, _, _ = run(RunStore(tmp_path / "here", "data", "c"), made)
    runs = read_published(write(tmp_path / "report", made, outcome), "data", by_scenario=False)
    _, fake_runs, _ = run(RunStore(tmp_path / "there", "data", "c", runs), made)
    assert len(fake_runs.done) == 2 * (9 + 3), "the trials, which are in a file of their own"


def test_pages_of_other_data_and_absent_ones_have_no_runs(published, tmp_path):
    assert read_published(published[2], "other data", by_scenario=False) == {}
    assert read_published(tmp_path / "none" / JSON, "data", by_scenario=False) == {}


def test_runs_without_metrics_by_scenario_are_left_out_where_the_page_needs_them(published):
    assert read_published(published[2], "data", by_scenario=True) == {}


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"data": {}}', '{"data": {"fingerprint": "data"}, "runs": [{"job": {}}]}'],
)
def test_file_that_is_not_of_a_comparison_is_named(tmp_path, text):
    path = tmp_path / JSON
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"results\.json: should be the results\.json that `tfmtl compare` wrote"):
        read_published(path, "data", by_scenario=False)
