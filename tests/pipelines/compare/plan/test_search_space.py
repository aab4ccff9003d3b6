"""Draws of hyper-parameters: within the space, different, and the same for the same seed."""

import pytest

from pipelines.compare.plan.search_space import Choice, Range, draws, extremes, put
from tfmtl.config import FieldError

SPACE = {
    "options.expert_units": Choice(((16,), (32, 16), (64,))),
    "options.num_experts": Range(2, 5, whole=True),
    "training.learning_rate": Range(1e-4, 1e-2, log=True),
}


def test_draws_are_of_the_space():
    drawn = draws(SPACE, 30, 1)
    assert len(drawn) == 30
    assert {one["options.expert_units"] for one in drawn} == {(16,), (32, 16), (64,)}
    assert {one["options.num_experts"] for one in drawn} == {2, 3, 4, 5}
    rates = [one["training.learning_rate"] for one in drawn]
    assert all(1e-4 <= rate <= 1e-2 for rate in rates)
    assert 5 < sum(rate < 1e-3 for rate in rates) < 25, "of a logarithm, half lie below the middle"


def test_the_seed_decides_and_more_trials_begin_with_the_same():
    assert draws(SPACE, 6, 1) == draws(SPACE, 6, 1)
    assert draws(SPACE, 6, 0) == draws(SPACE, 6, 0)
    assert draws(SPACE, 9, 1)[:6] == draws(SPACE, 6, 1)
    assert draws(SPACE, 6, 2) != draws(SPACE, 6, 1)


def test_no_setting_is_drawn_twice():
    small = {"options.num_experts": Range(2, 4, whole=True)}
    assert sorted(one["options.num_experts"] for one in draws(small, 10, 1)) == [2, 3, 4]


def test_what_was_drawn_is_put_in_its_place():
    options = {"embedding_dim": 8, "backbone_options": {"num_experts": 2, "dropout": 0.1}}
    drawn = {"options.backbone_options.num_experts": 4, "training.learning_rate": 0.1, "options.num_layers": 1}
    found = put(options, drawn, "options")
    assert found == {
        "embedding_dim": 8,
        "backbone_options": {"num_experts": 4, "dropout": 0.1},
        "num_layers": 1,
    }
    assert options["backbone_options"] == {"num_experts": 2, "dropout": 0.1}
    assert put({}, drawn, "training") == {"learning_rate": 0.1}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Choice((1,)), "values: should be at least two"),
        (lambda: Range(2, 2), "high: should be above low, 2"),
        (lambda: Range(0, 1, log=True), "low: should be above 0 where `log` is true"),
        (lambda: Range(0.5, 2, whole=True), "low: should be a whole number where `whole` is true"),
    ],
)
def test_mistakes(make, message):
    with pytest.raises(FieldError, match=message):
        make()


def test_the_extremes_are_all_choices_or_both_ends():
    assert list(extremes(SPACE["options.expert_units"])) == [(16,), (32, 16), (64,)]
    assert list(extremes(SPACE["options.num_experts"])) == [2, 5]
