"""Which runs are done, in which order, and which are not done again; without any training."""

import dataclasses

import pytest

from pipelines.compare.plan.candidates import Candidate, Comparison
from pipelines.compare.jobs import NO_SEED
from pipelines.compare.runs.subprocesses import RunFailedError
from pipelines.compare.runs.runner import Runner
from pipelines.compare.plan.settings import ModelEntry
from pipelines.compare.plan.search_space import Choice
from pipelines.compare.runs.store import RunStore, write_run
from pipelines.settings import ModelSettings, Settings, TrainingSettings
from tests.pipelines.compare.cases import SPEC, columns, noisy, result, settings

DATA = columns()
BASE = Settings(name="x", spec=SPEC, model=ModelSettings("mmoe"), training=TrainingSettings(monitor="ctr_auc"))


def comparison(space=None, **changes):
    space = space or {}
    entry = ModelEntry("mmoe", space=space)
    made = dataclasses.replace(settings(("base", "ours")), models={"base": entry, "ours": entry}, **changes)
    rows = tuple(Candidate(row, "mmoe", {"name": row}, {"max_epochs": 2}, space) for row in made.models)
    return Comparison(made, BASE, rows)


class Machine:
    """Stands for the child processes: writes scores that depend on the seed, and on the option `noise`."""

    def __init__(self, store, fails=()):
        self.store, self.fails, self.done = store, fails, []

    def __call__(self, job, listen):
        listen("epoch 1")
        if job.title in self.fails:
            raise RunFailedError("out of memory")
        self.done.append(job.title)
        scores = noisy(DATA, job.options.get("noise", 2.0), job.seed + 1)
        one = dataclasses.replace(result(job.row, job.seed, scores, DATA), job=job)
        with self.store.writing(job) as folder:
            write_run(folder, one, scores)


class Watcher:
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
    machine, watcher = Machine(store, **options), Watcher()
    return Runner(made, store, machine, watcher).run(), machine, watcher


def test_every_row_has_a_seed_before_any_has_the_next(store):
    outcome, machine, watcher = run(store, comparison(seeds=(1, 2)))
    assert machine.done == ["base, seed 1", "ours, seed 1", "base, seed 2", "ours, seed 2"]
    assert [one.job.seed for one in outcome.runs["ours"]] == [1, 2]
    assert watcher.lines[0] == ("base, seed 1", "epoch 1")
    assert not outcome.failed
    assert not outcome.missing


def test_a_further_seed_only_adds_runs(store):
    run(store, comparison(seeds=(1, 2)))
    outcome, machine, watcher = run(store, comparison(seeds=(1, 2, 3)))
    assert machine.done == ["base, seed 3", "ours, seed 3"]
    assert watcher.plans[-1] == (2, 4)
    assert [len(of_row) for of_row in outcome.runs.values()] == [3, 3]


def test_a_failure_loses_its_run_alone_and_is_tried_again(store):
    outcome, machine, watcher = run(store, comparison(seeds=(1, 2)), fails=("base, seed 1",))
    assert [job.title for job in outcome.failed] == ["base, seed 1"]
    assert watcher.errors[0] == "out of memory"
    assert len(machine.done) == 3
    assert not outcome.missing
    outcome, machine, _ = run(store, comparison(seeds=(1, 2)))
    assert machine.done == ["base, seed 1"]
    assert not outcome.failed


def test_what_is_kept_is_shown_without_running(store):
    run(store, comparison(seeds=(1,)))
    outcome = Runner(comparison(seeds=(1, 2)), store, None, Watcher()).run()
    assert [len(of_row) for of_row in outcome.runs.values()] == [1, 1]
    assert [job.title for job in outcome.missing] == ["base, seed 2", "ours, seed 2"]


def test_the_best_trial_is_trained_with_every_seed(store):
    space = {"options.noise": Choice((9.0, 0.5, 4.0))}
    outcome, machine, _ = run(store, comparison(space, trials=3, seeds=(1, 2)))
    assert machine.done[:3] == ["base, trial 1", "base, trial 2", "base, trial 3"]
    assert len(machine.done) == 6 + 4
    for row in ("base", "ours"):
        assert {one.job.options["noise"] for one in outcome.runs[row]} == {0.5}
        number = outcome.chosen[row]
        assert outcome.trials[row][number].job.options["noise"] == 0.5
    again, machine, _ = run(store, comparison(space, trials=3, seeds=(1, 2)))
    assert machine.done == []
    assert again.chosen == outcome.chosen


def test_a_second_stage_that_is_drawn_stops_by_the_same_metric(store):
    space = {"training.fine_tuning.max_epochs": Choice((1, 2))}
    made = comparison(space, trials=2, seeds=(1,))
    rows = tuple(dataclasses.replace(row, training={"monitor": "ctr_auc"}) for row in made.candidates)
    outcome, _, _ = run(store, dataclasses.replace(made, candidates=rows))
    stages = [one.job.training["fine_tuning"] for one in (*outcome.trials["ours"], *outcome.runs["ours"])]
    assert [stage["monitor"] for stage in stages] == ["ctr_auc"] * 3


def test_a_trial_of_the_same_seed_is_the_run_itself(store):
    space = {"options.noise": Choice((9.0, 0.5))}
    _, machine, _ = run(store, comparison(space, trials=2, tuning_seed=1, seeds=(1, 2)))
    assert machine.done[4:] == ["base, seed 2", "ours, seed 2"]


def test_a_row_whose_trials_all_fail_is_left_out(store):
    space = {"options.noise": Choice((9.0, 0.5))}
    fails = ("ours, trial 1", "ours, trial 2")
    outcome, _, _ = run(store, comparison(space, trials=2, seeds=(1,)), fails=fails)
    assert sorted(job.title for job in outcome.failed) == sorted(fails)
    assert outcome.runs["ours"] == []
    assert len(outcome.runs["base"]) == 1


def test_what_has_nothing_random_runs_once(store):
    made = comparison(seeds=(1, 2))
    rows = (made.candidates[0], dataclasses.replace(made.candidates[1], model="last_week"))
    outcome, machine, _ = run(store, dataclasses.replace(made, candidates=rows))
    assert machine.done == ["base, seed 1", "ours", "base, seed 2"]
    assert [one.job.seed for one in outcome.runs["ours"]] == [NO_SEED]
