"""Searches of the rows' hyper-parameters, without training: equal trials, the choice on eval, and continuation."""

import dataclasses

import numpy as np
import pytest

from pipelines.compare.jobs import NO_SEED
from pipelines.compare.runs.runner import Runner
from pipelines.compare.runs.search import changed_values
from pipelines.compare.runs.store import RunStore
from pipelines.compare.runs.trial_records import TrialRecords
from pipelines.prepared.columns import Columns
from pipelines.search.halving import Halving
from pipelines.search.proposals import draw_settings
from tests.pipelines.compare.fake_runs import AS_GIVEN, DATA, Observer, comparison, run, run_until
from tfmtl.search_space import Choice, Range

NOISES = {"options.noise": Range(0.5, 9.0, digits=3)}
METHODS = ["halving", "random"]


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path, "data", "c")


def noises(outcome, row="ours"):
    return [one.job.options.get("noise", AS_GIVEN) for one in outcome.trials[row]]


def drawn(count):
    return [one["options.noise"] for one in draw_settings(NOISES, count, 0)]


@pytest.mark.parametrize("method", METHODS)
def test_rows_have_equal_trials_and_the_first_is_the_settings_as_they_are(store, method):
    outcome, _, _ = run(store, comparison(NOISES, search=method, trials=9, seeds=(1,)))
    first = [one.job for one in outcome.trials["ours"]][:9]
    assert [job.trial for job in first] == list(range(9))
    assert "noise" not in first[0].options
    assert noises(outcome)[1:5] == drawn(4), "the first draws"
    assert noises(outcome) == noises(outcome, "base")
    assert {job.splits for job in first} == {("eval",)}


@pytest.mark.parametrize("method", METHODS)
def test_trains_the_best_trial_with_every_seed(store, method):
    outcome, _, _ = run(store, comparison(NOISES, search=method, trials=9, seeds=(1, 2)))
    for row in ("base", "ours"):
        whole = {one.job.trial: one for one in outcome.trials[row] if one.job.rows_fraction == 1}
        best = max(whole.values(), key=lambda one: one.value)
        assert outcome.chosen[row] == best.job.trial
        assert best.value > whole[0].value
        for one in outcome.runs[row]:
            assert one.job.options == best.job.options
            assert (one.job.trial, one.job.rows_fraction, one.job.max_epochs) == (None, 1.0, None)
    again, fake_runs, _ = run(store, comparison(NOISES, search=method, trials=9, seeds=(1, 2)))
    assert fake_runs.done == []
    assert again == outcome


def test_halving_tries_the_best_settings_on_more_rows(store):
    made = comparison(NOISES, trials=12, halving=Halving(eta=2, first_fraction=0.25), seeds=(1,))
    outcome, fake_runs, observer = run(store, made)
    jobs = [one.job for one in outcome.trials["ours"]]
    rungs = [[job for job in jobs if job.rows_fraction == share] for share in (0.25, 0.5, 1)]
    assert [len(rung) for rung in rungs] == [12, 6, 3]
    assert [rung[0].max_epochs for rung in rungs] == [4, 4, None]
    best = sorted(range(1, 12), key=lambda i: drawn(11)[i - 1])
    assert {job.trial for job in rungs[1]} == {0, *best[:5]}
    assert {job.trial for job in rungs[2]} == {0, *best[:2]}
    assert fake_runs.done[:12] == [f"base, trial {n} (25 %)" for n in range(1, 13)]
    assert fake_runs.done[12:15] == [f"ours, trial {n} (25 %)" for n in range(1, 4)]
    assert observer.plans == [(24, 0), (12, 0), (6, 0), (2, 0)]


def test_model_without_epochs_has_no_maximum_of_epochs(store):
    made = comparison(NOISES, trials=9, seeds=(1,))
    rows = (dataclasses.replace(made.candidates[0], model="lightgbm"), made.candidates[1])
    outcome, _, _ = run(store, dataclasses.replace(made, candidates=rows))
    assert {one.job.max_epochs for one in outcome.trials["base"]} == {None}
    assert {one.job.max_epochs for one in outcome.trials["ours"]} == {4, None}
    assert outcome.runs["base"][0].job.rows_fraction == 1


def test_halving_returns_to_the_settings_as_they_are_if_they_are_best_on_all_rows(store):
    """On few rows, a large value of the option gives the small noise."""
    made = comparison({"options.noise": Range(2.5, 8.5, digits=3)}, trials=9, seeds=(1,))
    outcome, _, _ = run(store, made, noise=lambda job, noise: noise if job.rows_fraction == 1 else 9.0 - noise)
    few, all_rows = outcome.trials["ours"][:9], outcome.trials["ours"][9:]
    assert few[0].value == min(one.value for one in few)
    assert all_rows[0].value == max(one.value for one in all_rows)
    assert outcome.chosen["ours"] == 0
    assert "noise" not in outcome.runs["ours"][0].job.options


def test_proposals_depend_on_the_space_and_the_seed_of_the_search_alone(tmp_path):
    """In the second search, no score is finite."""
    found = []
    for i, (seed, diverged) in enumerate(((0, ()), (0, range(9)), (1, ()))):
        made = comparison(NOISES, trials=9, seeds=(1,), tuning_seed=seed)
        store = RunStore(tmp_path / str(i), "data", "c")
        outcome, _, _ = run(store, made, diverges=lambda job, numbers=diverged: job.trial in numbers)
        found.append(noises(outcome)[:9])
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize("method", METHODS)
def test_interrupted_search_continues_with_the_trials_that_it_would_have_run(tmp_path, method):
    made = comparison(NOISES, search=method, trials=9, seeds=(1,))
    whole, all_runs, _ = run(RunStore(tmp_path / "whole", "data", "c"), made)
    store = RunStore(tmp_path / "parts", "data", "c")
    done = []
    for count in (5, 13, None):
        interrupted, fake_runs = run_until(store, made, count)
        done += fake_runs.done
    assert done == all_runs.done
    assert interrupted == whole


def test_bayesian_trials_follow_the_results_and_continue_after_an_interruption(tmp_path):
    made = comparison(NOISES, search="bayesian", trials=7, seeds=(1,))
    store = RunStore(tmp_path, "data", "c")
    _, first = run_until(store, made, 11)
    outcome, fake_runs, observer = run(store, made, fails=("ours, trial 7",))
    assert first.done[:4] == ["base, trial 1", "ours, trial 1", "base, trial 2", "ours, trial 2"]
    assert fake_runs.done == ["ours, trial 6", "base, trial 7", "base, seed 1", "ours, seed 1"]
    assert observer.plans == [(1, 1), (2, 0), (2, 0)]
    found = noises(outcome)
    assert found == noises(outcome, "base")[:6]
    assert found[1:4] == drawn(3), "begins with the random search"
    assert min(found[4:]) < min(found[:4]), "proposals approach the smallest noise"
    assert outcome.runs["ours"][0].job.options["noise"] == min(found)


def test_search_goes_on_after_a_failed_trial_which_runs_again(store):
    made = comparison(NOISES, search="random", trials=6, seeds=(1,))
    outcome, fake_runs, _ = run(store, made, fails=("ours, trial 2", "ours, trial 6"))
    assert [job.title for job in outcome.failed] == ["ours, trial 2", "ours, trial 6"]
    assert len(noises(outcome)) == 4
    assert fake_runs.done[-1] == "ours, seed 1"
    again, fake_runs, _ = run(store, made)
    assert "ours, trial 2" in fake_runs.done
    assert len(noises(again)) == 6


def test_halving_goes_on_after_failed_trials(store):
    fails = tuple(f"ours, trial {n} (10 %)" for n in (1, *range(3, 9)))
    outcome, _, _ = run(store, comparison(NOISES, trials=9, seeds=(1,)), fails=fails)
    assert [one.job.trial for one in outcome.trials["ours"]] == [1, 8, 1, 8], "the only ones that have not failed"
    assert outcome.chosen["ours"] in (1, 8)


def test_trial_whose_scores_are_not_finite_is_finished_but_never_chosen(store):
    def diverges(job):
        return job.trial is not None and job.options.get("noise", AS_GIVEN) < AS_GIVEN

    made = comparison(NOISES, search="random", trials=9, seeds=(1,))
    outcome, _, _ = run(store, made, diverges=diverges)
    assert len(outcome.trials["ours"]) == 9
    assert min(noises(outcome)) < AS_GIVEN
    assert outcome.runs["ours"][0].job.options.get("noise", AS_GIVEN) == AS_GIVEN
    _, fake_runs, _ = run(store, made, diverges=diverges)
    assert fake_runs.done == []


def test_row_whose_trials_all_fail_is_not_run(store):
    fails = tuple(f"ours, trial {n}" for n in (1, 2))
    outcome, _, _ = run(store, comparison(NOISES, trials=2, seeds=(1,)), fails=fails)
    assert sorted(job.title for job in outcome.failed) == sorted(fails)
    assert outcome.runs["ours"] == []
    assert len(outcome.runs["base"]) == 1


def test_nothing_runs_if_only_kept_runs_are_wanted(store):
    made = comparison(NOISES, trials=9, seeds=(1,))
    run_until(store, made, 5)
    kept = Runner(made, store, None, Observer()).run()
    assert [one.job.trial for one in kept.trials["base"]] == [0, 1, 2, 3, 4]
    assert len(kept.missing) == 4 + 9
    assert kept.chosen == {}
    assert kept.runs == {"base": [], "ours": []}


def test_choice_does_not_depend_on_the_test_split(tmp_path):
    """The labels of the test split are permuted, and those of eval are not."""
    order = np.random.default_rng(1).permutation(len(DATA.labels["click"]))
    permuted = Columns({name: values[order] for name, values in DATA.labels.items()}, DATA.groups)
    for method in METHODS:
        made = comparison(NOISES, search=method, trials=9, seeds=(1,))
        outcomes = [
            run(RunStore(tmp_path / f"{method}{i}", "data", "c"), made, test=test)[0]
            for i, test in enumerate((DATA, permuted))
        ]
        assert outcomes[0].runs["ours"][0].metrics["test"] != outcomes[1].runs["ours"][0].metrics["test"]
        assert outcomes[0].chosen == outcomes[1].chosen
        assert noises(outcomes[0]) == noises(outcomes[1])


def test_trials_of_other_code_are_used_and_runs_of_the_table_are_not(tmp_path):
    made = comparison(NOISES, trials=4, seeds=(1,))
    run(RunStore(tmp_path, "data", "old"), made, code="old")
    outcome, fake_runs, _ = run(RunStore(tmp_path, "data", "new"), made, code="new")
    assert fake_runs.done == ["base, seed 1", "ours, seed 1"]
    assert {one.record.code for one in outcome.trials["ours"]} == {"old"}


def test_recorded_trials_are_not_run_in_another_folder(tmp_path):
    path = tmp_path / "report" / "trials.jsonl"
    made = comparison(NOISES, trials=9, seeds=(1,))
    first, _, _ = run(RunStore(tmp_path / "here", "data", "c"), made, TrialRecords(path))
    assert len(path.read_text().splitlines()) == 2 * 9 + 2 * 3
    elsewhere = RunStore(tmp_path / "there", "data", "c")
    outcome, fake_runs, observer = run(elsewhere, made, TrialRecords(path))
    assert fake_runs.done == ["base, seed 1", "ours, seed 1"]
    assert observer.plans == [(2, 0)]
    assert outcome == first
    on_other_data = RunStore(tmp_path / "there", "other data", "c")
    _, fake_runs, _ = run(on_other_data, made, TrialRecords(path))
    assert len(fake_runs.done) == 2 * (9 + 3 + 1)


def test_record_counts_where_the_store_has_another_result(tmp_path):
    path = tmp_path / "trials.jsonl"
    made = comparison(NOISES, search="random", trials=5, seeds=(1,))
    first, _, _ = run(RunStore(tmp_path / "here", "data", "c"), made, TrialRecords(path))
    other = RunStore(tmp_path / "there", "data", "c")
    different, _, _ = run(other, made, diverges=lambda job: job.trial == first.chosen["ours"])
    assert different.chosen["ours"] != first.chosen["ours"]
    again, _, _ = run(other, made, TrialRecords(path))
    assert again.chosen == first.chosen


def test_record_holds_what_differs_from_the_row(tmp_path):
    path = tmp_path / "trials.jsonl"
    made = comparison(NOISES, search="random", trials=3, seeds=(1,), tuning_seed=5)
    outcome, _, _ = run(RunStore(tmp_path, "data", "c"), made, TrialRecords(path))
    trial = outcome.trials["ours"][1]
    assert trial.record.options == {"noise": trial.job.options["noise"]}
    assert (trial.record.training, trial.record.trial, trial.record.seed) == ({}, 2, 5)
    assert (trial.record.monitor, trial.record.value) == ("ctr_auc", trial.record.metrics["ctr"]["auc"])
    assert outcome.trials["ours"][0].record.options == {}
    assert changed_values(made.candidates[1], trial.job) == {"options.noise": trial.job.options["noise"]}


def test_several_trials_at_a_time_give_the_same_outcome(tmp_path):
    outcomes, texts = [], []
    for jobs in (1, 3):
        path = tmp_path / f"{jobs}.jsonl"
        made = comparison(NOISES, trials=9, seeds=(1, 2), jobs=jobs)
        outcomes.append(run(RunStore(tmp_path / str(jobs), "data", "c"), made, TrialRecords(path))[0])
        texts.append(sorted(path.read_text().splitlines()))
    assert outcomes[0] == outcomes[1]
    assert texts[0] == texts[1]


def test_drawn_second_stage_has_the_monitor_of_the_comparison(store):
    space = {"training.fine_tuning.max_epochs": Choice((1, 2))}
    made = comparison(space, search="random", trials=3, seeds=(1,))
    rows = tuple(dataclasses.replace(row, training={"monitor": "ctr_auc"}) for row in made.candidates)
    outcome, _, _ = run(store, dataclasses.replace(made, candidates=rows))
    stages = [one.job.training["fine_tuning"] for one in outcome.trials["ours"][1:]]
    assert [stage["monitor"] for stage in stages] == ["ctr_auc"] * 2


def test_model_without_randomness_has_trials_without_a_seed(store):
    made = comparison(NOISES, search="random", trials=3, seeds=(1, 2), tuning_seed=4)
    rows = (dataclasses.replace(made.candidates[0], model="logistic_regression"), made.candidates[1])
    made = dataclasses.replace(made, settings=dataclasses.replace(made.settings, finalist_seeds=(11,)))
    outcome, _, _ = run(store, dataclasses.replace(made, candidates=rows))
    assert [one.job.seed for one in outcome.trials["base"]] == [NO_SEED] * 3
    assert [one.job.seed for one in outcome.runs["base"]] == [NO_SEED]
    assert [one.job.seed for one in outcome.trials["ours"]] == [4] * 3 + [11] * 3
