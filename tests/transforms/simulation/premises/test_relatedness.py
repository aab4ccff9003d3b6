"""Relatedness: the logits of two tasks are equal on some combinations of values, and independent on the others."""

import dataclasses

import numpy as np
import pytest

from tests.transforms.simulation.premises.example_worlds import load, rows
from tfmtl.config import FieldError
from transforms.simulation.options import check_options
from transforms.simulation.world import World

PAIR = ["segment", "category"]


@pytest.fixture(scope="module")
def related():
    """Mask of the rows of combinations in which the logits are perfectly correlated at strength 1."""
    cells = rows("adaftr").groupby(PAIR)[["click", "conversion"]]
    found = cells.apply(lambda part: part.corr().iloc[0, 1])
    assert ((found > 1 - 1e-9) | (found < 0.9)).all()
    keys = list(zip(*(rows("adaftr")[name] for name in PAIR), strict=True))
    return np.array([found[key] > 1 - 1e-9 for key in keys])


def correlation(table, part):
    return table.loc[part, ["click", "conversion"]].corr().iloc[0, 1]


def test_logits_are_a_linear_function_on_related_rows_and_independent_on_the_others(related):
    table = rows("adaftr")
    slope, constant = np.polyfit(table.loc[related, "click"], table.loc[related, "conversion"], 1)
    np.testing.assert_allclose(
        table.loc[related, "conversion"], slope * table.loc[related, "click"] + constant, atol=1e-6
    )
    assert abs(correlation(table, ~related)) < 0.15


def test_share_of_related_rows_is_the_correlation_without_the_premise(related):
    constant = rows("adaftr", 0.0)[["click", "conversion"]].corr().iloc[0, 1]
    assert related.mean() == pytest.approx(constant, abs=0.03)
    assert related.mean() == pytest.approx(load("adaftr")[1].task_correlation, abs=0.05)


@pytest.mark.parametrize("name", PAIR)
def test_one_column_does_not_tell_whether_a_row_is_related(related, name):
    column = rows("adaftr")[name]
    shares = np.array([related[column == value].mean() for value in range(6)])
    assert abs(shares - related.mean()).max() < 0.06


def test_correlation_moves_with_the_strength_and_its_mean_stays(related):
    means = []
    for strength in (0.0, 0.3, 1.0):
        table = rows("adaftr", strength)
        c = related.mean()
        high, low = (correlation(table, part) for part in (related, ~related))
        assert high == pytest.approx(c + strength * (1 - c), abs=0.08)
        assert low == pytest.approx(c - strength * c, abs=0.12)
        means.append(c * high + (1 - c) * low)
    assert np.ptp(means) < 0.06


def test_clicks_do_not_depend_on_the_strength():
    np.testing.assert_allclose(rows("adaftr")["click"], rows("adaftr", 0.0)["click"], atol=1e-9)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": ("segment", "shop")}, "premise.features[1]: should be one of segment, age, city, "),
        ({"features": ("click", "segment")}, "premise.features[0]: should be one of segment, age, city, "),
    ],
)
def test_rejects_options_that_do_not_fit_the_spec(changes, message):
    with pytest.raises(FieldError) as caught:
        check_options(*load("adaftr", **changes))
    assert str(caught.value).startswith(message)


def test_rejects_tasks_that_cannot_be_related():
    spec, options = load("adaftr")
    alone = dataclasses.replace(spec, tasks=spec.tasks[:1])
    one = dataclasses.replace(options, tasks={"click": options.tasks["click"]})
    with pytest.raises(FieldError, match=r"premise.kind: should be absent, as no task of the spec follows another one"):
        check_options(alone, one)
    message = r"task_correlation: should be such that the correlation of click and conversion is above 0 and below 1"
    with pytest.raises(FieldError, match=message):
        World(spec, dataclasses.replace(options, task_correlation=1.0))
