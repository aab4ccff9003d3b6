"""Tables of the searches: the settings that were chosen, the progress, and the code that ran the trials."""

import dataclasses

import pytest

from pipelines.compare.jobs import run_code_hash
from pipelines.compare.report.search_sheets import code_note, search_line, search_sheets
from pipelines.compare.report.table import make_table
from pipelines.compare.report.write import Origin, make_sheets, write_report
from pipelines.compare.runs.store import RunStore
from pipelines.search.halving import Halving
from tests.pipelines.compare.cases import SPEC
from tests.pipelines.compare.fake_runs import BASE, comparison, run
from tfmtl.search_space import Range

SPACE = {"options.noise": Range(0.5, 9.0, digits=3)}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    made = comparison(SPACE, trials=9, seeds=(1, 2), jobs=2, halving=Halving(first_fraction=1 / 9))
    return made, run(RunStore(tmp_path_factory.mktemp("runs"), "data", "c"), made)[0]


def values(outcome, share, row="ours"):
    return sorted(one.value for one in outcome.trials[row] if one.job.rows_fraction == pytest.approx(share))


def test_table_of_what_was_chosen_has_values_and_metrics_before_and_after(made):
    chosen, _ = search_sheets(*made)
    outcome = made[1]
    assert [row[0] for row in chosen.rows] == ["base", "ours"]
    whole = {one.job.trial: one for one in outcome.trials["ours"] if one.job.rows_fraction == 1}
    number = outcome.chosen["ours"]
    first, second = whole[0], whole[number]
    noise = second.job.options["noise"]
    assert chosen.rows[1][1:] == [
        str(number + 1),
        f"noise 2 -> {noise:.4g}",
        f"{first.value:.4f}",
        f"{second.value:.4f}",
    ]
    assert "ctr_auc on the eval split" in chosen.title


def test_settings_as_they_are_may_be_chosen(made):
    outcome = dataclasses.replace(made[1], chosen={"base": 0})
    rows = search_sheets(made[0], outcome)[0].rows
    assert rows[0][1:3] == ["1", "settings as they are"]
    assert rows[0][3] == rows[0][4] != ""
    assert rows[1][1:] == ["", "none yet", rows[1][3], ""]


def test_progress_has_median_and_best_of_each_share_of_the_rows(made):
    _, progress = search_sheets(*made)
    ninth, whole = (values(made[1], share) for share in (1 / 9, 1))
    assert (len(ninth), len(whole)) == (9, 3)
    expected = ["ours", "9", f"{ninth[4]:.4f} / {ninth[-1]:.4f}", "3", f"{whole[1]:.4f} / {whole[-1]:.4f}"]
    assert progress.rows[1] == expected
    assert progress.columns[1:3] == ["trials", "11 % of the rows:\nmedian / best"]


def test_values_of_finalists_are_means_over_their_seeds(tmp_path):
    made = comparison(SPACE, search="random", trials=9, seeds=(1,), finalist_seeds=(11, 12))
    outcome, _, _ = run(RunStore(tmp_path, "data", "c"), made)
    chosen, progress = search_sheets(made, outcome)
    number = outcome.chosen["ours"]
    for cell, wanted in ((3, 0), (4, number)):
        ones = [one.value for one in outcome.trials["ours"] if one.job.trial == wanted]
        assert len(ones) == 3
        assert chosen.rows[1][cell] == f"{sum(ones) / 3:.4f}"
    assert chosen.title.endswith("(mean over 3 seeds)")
    assert progress.rows[1][1] == "9"


def test_loss_is_shown_as_a_loss(made):
    training = dataclasses.replace(BASE.training, monitor="click_loss")
    base = dataclasses.replace(made[0], base=dataclasses.replace(BASE, training=training))
    trials = {row: [dataclasses.replace(one, value=-0.5) for one in ones] for row, ones in made[1].trials.items()}
    chosen, progress = search_sheets(base, dataclasses.replace(made[1], trials=trials))
    assert chosen.rows[0][3:] == ["0.5000", "0.5000"]
    assert progress.rows[0][2] == "0.5000 / 0.5000"


def test_no_tables_without_trials(made):
    assert search_sheets(made[0], dataclasses.replace(made[1], trials={})) == []
    assert code_note(dataclasses.replace(made[1], trials={})) == ""


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"trials": 0}, "no search of hyper-parameters"),
        (
            {"trials": 12},
            "12 on 10 % of the rows (at most 4 epochs), then 4 on all rows; by ctr_auc on the eval",
        ),
        ({"trials": 12}, "on the eval split, with the seed 3"),
        (
            {"trials": 27, "halving": Halving(max_epochs=None)},
            "27 on 10 % of the rows, then 9 on 32 % of the rows",
        ),
        (
            {"trials": 6, "search": "random"},
            "random search, 6 trials of each tunable row on all training rows; by ctr_auc",
        ),
        ({"trials": 6, "search": "bayesian"}, "Bayesian optimization, 6 trials"),
        (
            {"trials": 6, "finalist_seeds": (11, 12)},
            "with the seed 3; then the settings as they are and the best 2 of the others with the seeds 11, 12 as well",
        ),
    ],
)
def test_line_describes_the_search(changes, text):
    assert text in search_line(comparison(SPACE, tuning_seed=3, **changes).settings, "ctr_auc")


def test_note_names_the_code_and_libraries_of_the_trials(made):
    def with_code(*codes):
        records = [
            dataclasses.replace(one, record=dataclasses.replace(one.record, code=code, versions={"keras": "3.9"}))
            for one, code in zip(made[1].trials["ours"], codes, strict=False)
        ]
        return dataclasses.replace(made[1], trials={"ours": records})

    assert code_note(with_code(run_code_hash(), run_code_hash())) == ""
    assert "2 by old (keras 3.9); 1 by new (keras 3.9)." in code_note(with_code("old", "old", "new"))
    assert "1 by old (keras 3.9)." in code_note(with_code("old")), "one version, but not the current one"


def test_page_has_trials_and_seeds_in_its_header_and_the_tables(made, tmp_path):
    table = make_table(made[0].settings, SPEC, made[1].runs)
    assert [sheet.title for sheet in search_sheets(*made)] == [
        one.title for one in make_sheets(made[0], table, made[1])
    ][-2:]
    write_report(tmp_path, made[0], table, made[1], Origin("tfmtl compare x.yaml", {"test": 400}, "data"))
    page = (tmp_path / "results.md").read_text()
    assert "- Seeds: 1, 2\n- Search: successive halving, 9 trials of each tunable row: 9 on 11 % of the rows" in page
    assert "in all of 4 runs and 24 trials, 2 at a time with one thread each, on " in page
    assert "**What was chosen, by ctr_auc on the eval split (one seed)**" in page
    assert "Trials are used whatever code ran them" in page
