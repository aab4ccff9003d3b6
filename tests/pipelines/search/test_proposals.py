"""Proposals of hyper-parameters: inside the space, distinct, reproducible by the seed, and better than random ones."""

import math
import statistics

import pytest

from pipelines.search.proposals import Tried, draw_settings, initial_trials, propose
from tfmtl.search_space import Choice, Range

SPACE = {
    "options.expert_units": Choice(((16,), (32, 16), (64,))),
    "options.num_experts": Range(2, 5, whole=True),
    "training.learning_rate": Range(1e-4, 1e-2, log=True),
}


def test_draws_are_inside_the_space():
    drawn = draw_settings(SPACE, 30, 1)
    assert len(drawn) == 30
    assert {one["options.expert_units"] for one in drawn} == {(16,), (32, 16), (64,)}
    assert {one["options.num_experts"] for one in drawn} == {2, 3, 4, 5}
    rates = [one["training.learning_rate"] for one in drawn]
    assert all(1e-4 <= rate <= 1e-2 for rate in rates)
    assert 5 < sum(rate < 1e-3 for rate in rates) < 25, "half of the logarithms lie below the middle"


def test_same_seed_gives_the_same_draws_and_more_trials_begin_with_them():
    assert draw_settings(SPACE, 6, 1) == draw_settings(SPACE, 6, 1)
    assert draw_settings(SPACE, 6, 0) == draw_settings(SPACE, 6, 0)
    assert draw_settings(SPACE, 9, 1)[:6] == draw_settings(SPACE, 6, 1)
    assert draw_settings(SPACE, 6, 2) != draw_settings(SPACE, 6, 1)


def test_draws_no_setting_twice():
    small = {"options.num_experts": Range(2, 4, whole=True)}
    assert sorted(one["options.num_experts"] for one in draw_settings(small, 10, 1)) == [2, 3, 4]


def search(space, objective, trials, seed, method="bayesian", tried=()):
    """Tries `trials` proposals in turn."""
    tried = list(tried)
    while len(tried) < trials:
        values = propose(space, tried, seed, method)
        tried.append(Tried(values, objective(values)))
    return tried


def best(tried):
    return max(one.score for one in tried if one.score is not None)


PLANE = {"options.x": Range(0.0, 1.0), "options.y": Range(0.0, 1.0), "options.z": Range(1e-4, 1.0, log=True)}


def quadratic(values):
    z = 1 + math.log10(values["options.z"]) / 4
    return -((values["options.x"] - 0.3) ** 2) - (values["options.y"] - 0.7) ** 2 - (z - 0.75) ** 2


@pytest.mark.long
def test_bayesian_search_beats_the_median_of_random_search_within_30_trials():
    random = statistics.median(best(search(PLANE, quadratic, 30, seed, "random")) for seed in range(9))
    assert random < -5e-3
    for seed in range(2):
        assert best(search(PLANE, quadratic, 16, seed)) > random / 5, "with half of the trials"


def test_proposals_depend_on_the_seed_and_the_trials_only():
    whole = search(PLANE, quadratic, 8, 1)
    assert search(PLANE, quadratic, 8, 1) == whole
    assert search(PLANE, quadratic, 8, 1, tried=whole[:6]) == whole
    assert search(PLANE, quadratic, 8, 2)[:1] != whole[:1]
    assert search(PLANE, quadratic, 8, 1, tried=[*whole[:6], Tried(whole[6].values, 0.0)])[7] != whole[7]


def test_bayesian_search_begins_with_the_random_one():
    first = initial_trials(PLANE)
    drawn = [one.values for one in search(PLANE, quadratic, first + 1, 1, "random")]
    proposed = [one.values for one in search(PLANE, quadratic, first + 1, 1)]
    assert proposed[:first] == drawn[:first] == draw_settings(PLANE, first, 1)
    assert proposed[first] != drawn[first]


def test_bayesian_search_avoids_the_region_of_failed_trials():
    line = {"options.x": Range(0.0, 1.0)}

    def fails_above_half(values):
        return None if values["options.x"] > 0.5 else values["options.x"]

    tried = search(line, fails_above_half, 14, 3)
    assert sum(one.score is None for one in tried[6:]) <= 4
    assert best(tried) > 0.45


def test_search_without_a_score_stays_random():
    tried = search(PLANE, lambda values: None, 7, 1)
    assert [one.values for one in tried] == draw_settings(PLANE, 7, 1)


def test_settings_outside_the_space_are_left_out_of_the_model():
    given = Tried({"options.x": 7.0, "options.y": None, "options.z": 0.1}, 0.9)
    tried = search(PLANE, quadratic, 7, 1, tried=[given])
    assert all(0 <= one.values["options.x"] <= 1 for one in tried[1:])
    assert [one.values for one in tried[1:4]] == draw_settings(PLANE, 3, 1)


@pytest.mark.parametrize("method", ["bayesian", "random"])
def test_proposes_no_setting_twice_and_ends_with_the_space(method):
    small = {"options.n": Range(2, 4, whole=True), "options.units": Choice(((8,), (16, 8)))}
    tried = search(small, lambda values: values["options.n"], 6, 1, method)
    assert len({str(one.values) for one in tried}) == 6
    assert propose(small, tried, 1, method) is None


def test_ranges_round_and_choices_keep_their_type():
    space = {"options.d": Range(0.0, 0.5, digits=2), "options.units": Choice(((8,), (16, 8)))}
    for one in search(space, lambda values: values["options.d"], 7, 1):
        assert one.values["options.d"] == round(one.values["options.d"], 3)
        assert one.values["options.units"] in ((8,), (16, 8))
