"""Selection and order of the runs, without training."""

import dataclasses

import pytest

from pipelines.compare.jobs import NO_SEED
from pipelines.compare.plan.candidates import Candidate, Comparison
from pipelines.compare.plan.settings import ModelEntry
from pipelines.compare.runs.result import write_run
from pipelines.compare.runs.runner import Runner
from pipelines.compare.runs.store import RunStore
from pipelines.compare.runs.subprocesses import RunFailedError
from pipelines.search.proposals import draw_settings
from pipelines.settings import ModelSettings, Settings, TrainingSettings
from tests.pipelines.compare.cases import SPEC, columns, noisy, result, settings
from tfmtl.search_space import Choice, Range

DATA = columns()
BASE = Settings(name="x", spec=SPEC, model=ModelSettings("mmoe"), training=TrainingSettings(monitor="ctr_auc"))


def comparison(space=None, **changes):
    space = space or {}
    entry = ModelEntry("mmoe", space=space)
    made = dataclasses.replace(settings(("base", "ours")), models={"base": entry, "ours": entry}, **changes)
    rows = tuple(Candidate(row, "mmoe", {"name": row}, {"max_epochs": 2}, space) for row in made.models)
    return Comparison(made, BASE, rows)


class FakeRuns:
    """Stands for the subprocesses: writes scores that depend on the seed and on the option `noise`."""

    def __init__(self, store, fails=()):
        self.store, self.fails, self.done = store, fails, []

    def __call__(self, job, on_line):
        on_line("epoch 1")
        if job.title in self.fails:
            raise RunFailedError("out of memory")
        self.done.append(job.title)
        scores = noisy(DATA, job.options.get("noise", 2.0), job.seed + 1)
        one = dataclasses.replace(result(job.row, job.seed, scores, DATA), job=job)
        with self.store.writing(job) as folder:
            write_run(folder, one, scores)


class Observer:
    def __init__(self):
        self.plans, self.lines, self.errors = [], [], []

    def plan(self, jobs, kept):
        self.plans.append((len(jobs), len(kept)))

    def start(self, job):
        pass

    def line(self, job, text):
        self.lines.append((job.title, text))

    def end(self, job, result, error=""):
        self.errors.append(error)


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path, "data", "c")


def run(store, made, **options):
    fake_runs, observer = FakeRuns(store, **options), Observer()
    return Runner(made, store, fake_runs, observer).run(), fake_runs, observer


def test_runs_every_row_with_one_seed_before_the_next(store):
    outcome, fake_runs, observer = run(store, comparison(seeds=(1, 2)))
    assert fake_runs.done == ["base, seed 1", "ours, seed 1", "base, seed 2", "ours, seed 2"]
    assert [one.job.seed for one in outcome.runs["ours"]] == [1, 2]
    assert observer.lines[0] == ("base, seed 1", "epoch 1")
    assert not outcome.failed
    assert not outcome.missing


def test_another_seed_only_adds_runs(store):
    run(store, comparison(seeds=(1, 2)))
    outcome, fake_runs, observer = run(store, comparison(seeds=(1, 2, 3)))
    assert fake_runs.done == ["base, seed 3", "ours, seed 3"]
    assert observer.plans[-1] == (2, 4)
    assert [len(results) for results in outcome.runs.values()] == [3, 3]


def test_failed_run_does_not_affect_others_and_is_run_again(store):
    outcome, fake_runs, observer = run(store, comparison(seeds=(1, 2)), fails=("base, seed 1",))
    assert [job.title for job in outcome.failed] == ["base, seed 1"]
    assert observer.errors[0] == "out of memory"
    assert len(fake_runs.done) == 3
    assert not outcome.missing
    outcome, fake_runs, _ = run(store, comparison(seeds=(1, 2)))
    assert fake_runs.done == ["base, seed 1"]
    assert not outcome.failed


def test_outcome_without_execution_holds_the_kept_runs(store):
    run(store, comparison(seeds=(1,)))
    outcome = Runner(comparison(seeds=(1, 2)), store, None, Observer()).run()
    assert [len(results) for results in outcome.runs.values()] == [1, 1]
    assert [job.title for job in outcome.missing] == ["base, seed 2", "ours, seed 2"]


def test_trains_the_best_trial_with_every_seed(store):
    space = {"options.noise": Choice((9.0, 0.5, 4.0))}
    outcome, fake_runs, _ = run(store, comparison(space, trials=3, seeds=(1, 2)))
    assert fake_runs.done[:3] == ["base, trial 1", "base, trial 2", "base, trial 3"]
    assert len(fake_runs.done) == 6 + 4
    for row in ("base", "ours"):
        assert {one.job.options["noise"] for one in outcome.runs[row]} == {0.5}
        number = outcome.chosen[row]
        assert outcome.trials[row][number].job.options["noise"] == 0.5
    again, fake_runs, _ = run(store, comparison(space, trials=3, seeds=(1, 2)))
    assert fake_runs.done == []
    assert again.chosen == outcome.chosen


def bayesian(trials):
    space = {"options.noise": Range(0.5, 9.0, digits=3)}
    return comparison(space, search="bayesian", trials=trials, seeds=(1,))


def noises(outcome, row="ours"):
    return [one.job.options["noise"] for one in outcome.trials[row]]


def test_bayesian_trials_follow_the_results_and_continue_after_an_interruption(tmp_path):
    whole, fake_runs, _ = run(RunStore(tmp_path / "whole", "data", "c"), bayesian(8))
    assert fake_runs.done[:9] == [*(f"base, trial {n}" for n in range(1, 9)), "ours, trial 1"]
    drawn = draw_settings({"options.noise": Range(0.5, 9.0, digits=3)}, 8, 0)
    assert noises(whole)[:4] == [one["options.noise"] for one in drawn[:4]], "begins with the random search"
    assert min(noises(whole)[4:]) < min(noises(whole)[:4]), "proposals approach the smallest noise"
    assert whole.runs["ours"][0].job.options["noise"] == min(noises(whole))

    store = RunStore(tmp_path / "parts", "data", "c")
    run(store, bayesian(5))
    kept = Runner(bayesian(8), store, None, Observer()).run()
    assert noises(kept) == noises(whole)[:5]
    assert [job.trial for job in kept.missing if job.row == "ours" and job.trial] == [5]
    rest, fake_runs, observer = run(store, bayesian(8))
    assert fake_runs.done[:3] == ["base, trial 6", "base, trial 7", "base, trial 8"]
    assert observer.plans[0] == (3, 5)
    assert noises(rest) == noises(whole)


def test_bayesian_search_goes_on_after_a_failed_trial(store):
    outcome, fake_runs, _ = run(store, bayesian(6), fails=("ours, trial 2", "ours, trial 6"))
    assert [job.title for job in outcome.failed] == ["ours, trial 2", "ours, trial 6"]
    assert len(noises(outcome)) == 4
    assert fake_runs.done[-1] == "ours, seed 1"


def test_drawn_second_stage_has_the_monitor_of_the_comparison(store):
    space = {"training.fine_tuning.max_epochs": Choice((1, 2))}
    made = comparison(space, trials=2, seeds=(1,))
    rows = tuple(dataclasses.replace(row, training={"monitor": "ctr_auc"}) for row in made.candidates)
    outcome, _, _ = run(store, dataclasses.replace(made, candidates=rows))
    stages = [one.job.training["fine_tuning"] for one in (*outcome.trials["ours"], *outcome.runs["ours"])]
    assert [stage["monitor"] for stage in stages] == ["ctr_auc"] * 3


def test_trial_with_the_same_seed_is_used_as_run(store):
    space = {"options.noise": Choice((9.0, 0.5))}
    _, fake_runs, _ = run(store, comparison(space, trials=2, tuning_seed=1, seeds=(1, 2)))
    assert fake_runs.done[4:] == ["base, seed 2", "ours, seed 2"]


def test_row_whose_trials_all_fail_is_not_run(store):
    space = {"options.noise": Choice((9.0, 0.5))}
    fails = ("ours, trial 1", "ours, trial 2")
    outcome, _, _ = run(store, comparison(space, trials=2, seeds=(1,)), fails=fails)
    assert sorted(job.title for job in outcome.failed) == sorted(fails)
    assert outcome.runs["ours"] == []
    assert len(outcome.runs["base"]) == 1


def test_model_without_randomness_runs_once(store):
    made = comparison(seeds=(1, 2))
    rows = (made.candidates[0], dataclasses.replace(made.candidates[1], model="last_week"))
    outcome, fake_runs, _ = run(store, dataclasses.replace(made, candidates=rows))
    assert fake_runs.done == ["base, seed 1", "ours", "base, seed 2"]
    assert [one.job.seed for one in outcome.runs["ours"]] == [NO_SEED]
