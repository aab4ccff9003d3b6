"""Field selection: in each context a few fields of its own explain the logit, and the other ones nothing."""

import dataclasses

import numpy as np
import pytest

from tests.transforms.simulation.premises.example_worlds import explained, load, rows
from tfmtl.config import FieldError
from tfmtl.features import NumericalFeature
from transforms.simulation.feature_options import FeatureOptions
from transforms.simulation.options import check_options
from transforms.simulation.world import World

CONTEXTS = 8
FIELDS = [name for name in load("apem")[1].features if name != "placement"]


def shares(table, task):
    """Share of the logit's variance that each field alone explains, by context; `(contexts, fields)`."""
    found = np.zeros((CONTEXTS, len(FIELDS)))
    for context, part in table.groupby("placement"):
        for i, name in enumerate(FIELDS):
            found[context, i] = part.groupby(name)[task].transform("mean").var() / part[task].var()
    return found


@pytest.mark.parametrize("task", ["click", "conversion"])
def test_three_fields_of_each_context_explain_the_logit(task):
    table = rows("apem")
    found = shares(table, task)
    selected = found > 0.1
    assert (selected.sum(1) == 3).all()
    np.testing.assert_allclose(found[selected], 1 / 3, atol=0.06)
    assert found[~selected].max() < 0.02
    assert len({tuple(mask) for mask in selected}) == CONTEXTS
    assert np.ptp(selected.sum(0)) <= 1
    for context, part in table.groupby("placement"):
        names = [name for name, acts in zip(FIELDS, selected[context], strict=True) if acts]
        assert explained(part[task], part[names]) == pytest.approx(1, abs=1e-9)


def test_both_tasks_have_the_same_fields():
    click, conversion = (shares(rows("apem"), task) > 0.1 for task in ("click", "conversion"))
    np.testing.assert_array_equal(click, conversion)


@pytest.mark.parametrize("task", ["click", "conversion"])
def test_strength_0_has_the_same_additive_effects_in_every_context(task):
    table = rows("apem", 0.0)
    assert explained(table[task], table[["placement", *FIELDS]]) == pytest.approx(1, abs=1e-9)
    assert explained(rows("apem")[task], table[["placement", *FIELDS]]) < 0.4


def test_conversion_given_click_is_nearly_certain_on_many_rows():
    """The probability of a conversion is then close to that of a click, its bound."""
    for strength in (0.0, 1.0):
        assert (rows("apem", strength)["conversion"] > np.log(9)).mean() > 0.3


def test_missing_values_numbers_and_the_smallest_selection():
    spec, options = load("apem", fields=1)
    spec = dataclasses.replace(spec, features=(*spec.features, NumericalFeature("price")))
    features = {**options.features, "price": FeatureOptions(median=5.0, missing=0.2)}
    features["age"] = FeatureOptions(cardinality=6, missing=0.3)
    made = World(spec, dataclasses.replace(options, features=features))
    drawn = made.rows(0, 20_000)
    selected = made.premise._premise.selected
    assert selected.shape == (CONTEXTS + 1, len(FIELDS) + 1)
    assert (selected.sum(1) == 1).all()
    logit = np.log(drawn.probabilities["click"] / (1 - drawn.probabilities["click"]))
    contexts = drawn.values["placement"].codes[:, 0]
    by_field = {made.premise._premise.fields[np.flatnonzero(mask)[0]]: i for i, mask in enumerate(selected[:-1])}
    for name, context in by_field.items():
        part = contexts == context
        if name == "price":
            assert len(np.unique(logit[part].round(9))) > 50
        else:
            size = options.features[name].size + (name == "age")
            assert len(np.unique(logit[part].round(9))) == size
    assert {"price", "age"} & set(by_field)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"context": "shop"}, "premise.context: should be one of placement, age, "),
        ({"fields": 12}, "premise.fields: should be below 12, the number of fields. Received: 12"),
    ],
)
def test_rejects_options_that_do_not_fit_the_spec(changes, message):
    with pytest.raises(FieldError) as caught:
        check_options(*load("apem", **changes))
    assert str(caught.value).startswith(message)


def test_rejects_fewer_selections_than_contexts():
    spec, options = load("apem", fields=1)
    kept = ("placement", "age", "city")
    spec = dataclasses.replace(spec, features=tuple(spec.feature(name) for name in kept))
    options = dataclasses.replace(options, features={name: options.features[name] for name in kept})
    message = r"premise.fields: should be such that there are 9 different selections, one for each value of placement"
    with pytest.raises(FieldError, match=message):
        check_options(spec, options)
