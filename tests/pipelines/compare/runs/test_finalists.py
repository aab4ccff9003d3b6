"""Finalists of a search, without training: they are trained with further seeds, and the best mean is chosen."""

import dataclasses

import numpy as np
import pytest

from pipelines.compare.runs.store import RunStore
from tests.pipelines.compare.fake_runs import comparison, run, run_until
from tfmtl.search_space import Range

NOISES = {"options.noise": Range(0.5, 9.0, digits=3)}


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path, "data", "c")


@pytest.mark.parametrize("method", ["halving", "random", "bayesian"])
def test_finalists_are_trained_with_further_seeds_and_the_best_mean_is_chosen(store, method):
    """The trial that is best with the search's seed has the most noise with the other seeds."""
    made = comparison(NOISES, search=method, trials=9, seeds=(1,), finalists=3, finalist_seeds=(11, 12))
    first, _, _ = run(store, dataclasses.replace(made, settings=dataclasses.replace(made.settings, finalist_seeds=())))
    whole = {one.job.trial: one.value for one in first.trials["ours"] if one.job.rows_fraction == 1}
    best, second = sorted(range(1, 9), key=lambda number: -whole.get(number, -1))[:2]
    assert first.chosen["ours"] == best

    def noise(job, given):
        return 9.0 if job.trial == best and job.seed in (11, 12) else given

    outcome, fake_runs, _ = run(store, made, noise=noise)
    repeated = [one.job for one in outcome.trials["ours"] if one.job.seed in (11, 12)]
    assert sorted((job.seed, job.trial) for job in repeated) == sorted(
        (s, n) for s in (11, 12) for n in (0, best, second)
    )
    assert {(job.rows_fraction, job.max_epochs) for job in repeated} == {(1.0, None)}
    assert f"ours, trial {best + 1}, seed 11" in fake_runs.done
    means = {n: np.mean([one.value for one in outcome.trials["ours"] if one.job.trial == n]) for n in (0, best, second)}
    chosen = outcome.chosen["ours"]
    assert chosen == max(means, key=means.get) != best
    options = next(one.job.options for one in outcome.trials["ours"] if one.job.trial == chosen)
    assert [one.job.options for one in outcome.runs["ours"]] == [options]
    assert run(store, made)[1].done == []


@pytest.mark.parametrize("ending", ["failed", "diverged"])
def test_finalist_whose_run_failed_or_diverged_is_not_chosen(tmp_path, ending):
    made = comparison(NOISES, search="random", trials=9, seeds=(1,), finalists=3, finalist_seeds=(11, 12))
    best = run(RunStore(tmp_path / "whole", "data", "c"), made)[0].chosen["ours"]
    title = f"ours, trial {best + 1}, seed 12"
    ends = {"fails": (title,)} if ending == "failed" else {"diverges": lambda job: job.title == title}
    outcome, _, _ = run(RunStore(tmp_path / ending, "data", "c"), made, **ends)
    assert outcome.chosen["ours"] != best
    assert len(outcome.runs["ours"]) == 1


def test_best_trial_of_the_search_is_chosen_if_all_finalists_diverge(store):
    made = comparison(NOISES, search="random", trials=9, seeds=(1,), finalist_seeds=(11,))
    outcome, _, _ = run(store, made, diverges=lambda job: job.seed == 11)
    values = {one.job.trial: one.value for one in outcome.trials["ours"] if one.job.seed == 0}
    assert outcome.chosen["ours"] == max(values, key=values.get)


def test_interrupted_trainings_of_finalists_continue(tmp_path):
    made = comparison(NOISES, trials=9, seeds=(1,), finalist_seeds=(11, 12))
    whole, all_runs, _ = run(RunStore(tmp_path / "whole", "data", "c"), made)
    store = RunStore(tmp_path / "parts", "data", "c")
    done = []
    for count in (25, None):
        interrupted, fake_runs = run_until(store, made, count)
        done += fake_runs.done
    assert done == all_runs.done
    assert interrupted == whole
