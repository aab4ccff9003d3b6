"""Selection and order of the runs, without training."""

import dataclasses

import pytest

from pipelines.compare.jobs import NO_SEED
from pipelines.compare.runs.runner import Runner
from pipelines.compare.runs.store import RunStore
from tests.pipelines.compare.fake_runs import Observer, comparison, run


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path, "data", "c")


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


def test_model_without_randomness_runs_once(store):
    made = comparison(seeds=(1, 2))
    rows = (made.candidates[0], dataclasses.replace(made.candidates[1], model="last_week"))
    outcome, fake_runs, _ = run(store, dataclasses.replace(made, candidates=rows))
    assert fake_runs.done == ["base, seed 1", "ours", "base, seed 2"]
    assert [one.job.seed for one in outcome.runs["ours"]] == [NO_SEED]


def test_runs_at_a_time_give_the_same_outcome(tmp_path):
    one, fake_runs, _ = run(RunStore(tmp_path / "one", "data", "c"), comparison(seeds=(1, 2, 3)))
    assert fake_runs.most_running == 1
    two, fake_runs, observer = run(RunStore(tmp_path / "two", "data", "c"), comparison(seeds=(1, 2, 3), jobs=2))
    assert two == one
    assert len(fake_runs.done) == len(observer.errors) == 6


def test_failed_run_among_several_at_a_time_does_not_affect_others(store):
    outcome, fake_runs, _ = run(store, comparison(seeds=(1, 2, 3), jobs=3), fails=("base, seed 2",))
    assert [job.title for job in outcome.failed] == ["base, seed 2"]
    assert len(fake_runs.done) == 5
    assert not outcome.missing


def test_error_of_a_run_ends_the_comparison(store):
    def execute(job, on_line):
        raise OSError("no space left")

    for jobs in (1, 2):
        with pytest.raises(OSError, match="no space left"):
            Runner(comparison(seeds=(1, 2, 3), jobs=jobs), store, execute, Observer()).run()
