"""Draws of hyper-parameters: inside the space, distinct, and reproducible by the seed."""

import pytest

from pipelines.compare.plan.search_space import Choice, Range, draw_settings, values_to_validate, with_drawn_values
from tfmtl.config import FieldError

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


def test_drawn_values_replace_the_fields_of_their_names():
    options = {"embedding_dim": 8, "backbone_options": {"num_experts": 2, "dropout": 0.1}}
    drawn = {"options.backbone_options.num_experts": 4, "training.learning_rate": 0.1, "options.num_layers": 1}
    changed = with_drawn_values(options, drawn, "options")
    assert changed == {
        "embedding_dim": 8,
        "backbone_options": {"num_experts": 4, "dropout": 0.1},
        "num_layers": 1,
    }
    assert options["backbone_options"] == {"num_experts": 2, "dropout": 0.1}
    assert with_drawn_values({}, drawn, "training") == {"learning_rate": 0.1}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Choice((1,)), "values: should be at least two"),
        (lambda: Range(2, 2), "high: should be above low, 2"),
        (lambda: Range(0, 1, log=True), "low: should be above 0 if `log` is true"),
        (lambda: Range(0.5, 2, whole=True), "low: should be an integer if `whole` is true"),
    ],
)
def test_rejects_invalid_dimensions(make, message):
    with pytest.raises(FieldError, match=message):
        make()


def test_values_to_validate_are_all_choices_or_both_bounds():
    assert list(values_to_validate(SPACE["options.expert_units"])) == [(16,), (32, 16), (64,)]
    assert list(values_to_validate(SPACE["options.num_experts"])) == [2, 5]
