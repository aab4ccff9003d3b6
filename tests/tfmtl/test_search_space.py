"""Dimensions of a search space, and the spaces that options declare: every value of theirs is valid."""

import dataclasses

import pytest

from tfmtl import config
from tfmtl.config import FieldError
from tfmtl.models import MODELS
from tfmtl.search_space import Choice, Range, holds, values_to_validate
from tfmtl.training import AdagradOptions, FtrlOptions, Stage


def with_value(options, name, value):
    """Returns options with one changed field; the name `a.b` is the field b of the option a."""
    first, _, field = name.partition(".")
    if field:
        value = {**getattr(options, first), field: value}
    return config.build(type(options), config.Document({**config.to_plain(options), first: config.to_plain(value)}))


@pytest.mark.parametrize("model", sorted(MODELS))
def test_every_declared_value_is_valid_and_read_back(model):
    options = MODELS.info(model).options_class()
    space = options.declared_space()
    assert {"embedding_dim", "embedding_l2", "wide"} < set(space)
    assert any(name.endswith("_units") for name in space), "the capacity of the network"
    for name, dimension in space.items():
        for value in values_to_validate(dimension):
            changed = with_value(options, name, value)
            first, _, field = name.partition(".")
            found = getattr(changed, first)[field] if field else getattr(changed, first)
            assert config.to_plain(found) == config.to_plain(value)


def test_subclass_declares_the_space_of_its_base_and_its_own():
    ple, cgc = (MODELS.info(model).options_class().declared_space() for model in ("ple", "cgc"))
    assert {**cgc, "num_levels": ple["num_levels"]} == ple


def test_wrapper_declares_the_space_of_its_backbone():
    space = MODELS.info("adaftr").options_class(backbone="shared_bottom").declared_space()
    assert "backbone_options.bottom_units" in space
    assert "backbone_options.num_experts" not in space
    assert "backbone_options.embedding_dim" not in space, "an option of the wrapper"


def test_stage_declares_the_learning_rates_of_its_optimizer():
    adam = Stage().declared_space()
    assert list(adam) == ["learning_rate", "optimizer.epsilon"]
    for options in (AdagradOptions(), FtrlOptions()):
        space = Stage(optimizer=options).declared_space()
        assert list(space) == ["learning_rate"]
        assert space["learning_rate"].high > adam["learning_rate"].high
    for name in ("learning_rate", "optimizer"):
        assert name in {field.name for field in dataclasses.fields(Stage)}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Choice((1,)), "values: should be at least two"),
        (lambda: Range(2, 2), "high: should be above low, 2"),
        (lambda: Range(0, 1, log=True), "low: should be above 0 if `log` is true"),
        (lambda: Range(0.5, 2, whole=True), "low: should be an integer if `whole` is true"),
        (lambda: Range(0, 1, digits=0), "digits: should be at least 1, or null"),
    ],
)
def test_rejects_invalid_dimensions(make, message):
    with pytest.raises(FieldError, match=message):
        make()


def test_rounded_values_stay_within_the_bounds():
    assert Range(0.0, 1.0, digits=2).rounded(0.12345) == 0.12
    assert Range(0.123, 1.0, digits=2).rounded(0.1231) == 0.123
    assert Range(0.0, 1.0).rounded(0.12345) == 0.12345
    whole = Range(2, 5, whole=True).rounded(3.0)
    assert (whole, type(whole)) == (3, int)


def test_holds_tells_whether_a_value_belongs_to_a_dimension():
    assert holds(Choice(((32,), (64, 32))), [64, 32])
    assert not holds(Choice(((32,), (64, 32))), (16,))
    assert holds(Range(0.0, 0.5), 0)
    assert not holds(Range(0.0, 0.5), 0.6)
    assert not holds(Range(0.0, 0.5), None)
