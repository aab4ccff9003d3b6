"""Group preferences: products of factors of groups and items, correlated tasks, and groups in the test split only."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from tests.transforms.simulation.premises.example_worlds import explained, frame, load, rows, world
from tfmtl.config import FieldError
from tfmtl.spec import RandomSplit, TimeSplit
from transforms.batches.columns import raw_columns
from transforms.ingest.ingest_files import ingest
from transforms.simulation.options import check_options
from transforms.simulation.times import in_test, time_column, times_at
from transforms.simulation.world import World


def small_world(**changes):
    """A world of 12 groups and 10 items, in which every pair occurs."""
    spec, options = load("man", new_groups=0.0, **changes)
    counts = {"group": 12, "item": 10}
    entities = {name: dataclasses.replace(one, count=counts[name]) for name, one in options.entities.items()}
    return World(spec, dataclasses.replace(options, entities=entities))


@pytest.mark.parametrize("task", ["click", "conversion"])
@pytest.mark.parametrize("rank", [1, 3])
def test_logits_of_groups_and_items_have_the_given_rank(task, rank):
    """The bias adds one to the rank of the matrix."""
    table = frame(small_world(rank=rank), 30_000)
    cells = table.groupby(["group", "item"])[task]
    assert np.ptp(cells.max() - cells.min()) < 1e-9
    singular = np.linalg.svd(cells.mean().unstack().to_numpy(), compute_uv=False)
    assert singular[rank] > 1e-3 * singular[0]
    assert singular[rank + 1] < 1e-9 * singular[0]


@pytest.mark.parametrize("task", ["click", "conversion"])
def test_neither_groups_nor_items_alone_predict_the_logit(task):
    table = rows("man")
    for name in ("group", "item", "region", "category"):
        assert table.groupby(name)[task].transform("mean").var() / table[task].var() < 0.05
    columns = [*load("man")[1].features]
    assert explained(rows("man", 0.0)[task], table[columns]) == pytest.approx(1, abs=1e-9)
    assert explained(table[task], table[columns]) < 0.05


def test_tasks_have_the_given_correlation():
    """Many factors of many groups, as the correlation of a few drawn numbers differs from the given one."""
    for correlation in (0.3, 0.9):
        table = rows("man", task_correlation=correlation, rank=30, attribute_share=0.0)
        assert table[["click", "conversion"]].corr().iloc[0, 1] == pytest.approx(correlation, abs=0.06)
    assert rows("man")[["click", "conversion"]].corr().iloc[0, 1] > 0.85


def test_preferences_follow_from_attributes_by_their_share():
    item = ["category", "brand", "price_level"]
    table = rows("man", attribute_share=1.0)
    by_attributes = table.groupby(["region", "tier", *item])["click"]
    assert np.ptp(by_attributes.max() - by_attributes.min()) < 1e-9
    half = frame(small_world(attribute_share=0.5), 5000).groupby(["region", "tier", *item])["click"]
    assert (half.max() - half.min()).max() > 0.1
    for share in (0.0, 0.5):
        made = world("man", attribute_share=share)
        weights = np.bincount(rows("man")["group"], minlength=300)
        factors = made.premise._premise.group_factors[:, 0, 0].repeat(weights)
        values = {name: made.values["group"][name].codes[:, 0].repeat(weights) for name in ("region", "tier")}
        assert explained(factors, pd.DataFrame(values)) == pytest.approx(share, abs=0.12)


def test_new_groups_occur_in_the_test_split_only(draw_log):
    spec, options = load("man")
    log = draw_log(spec, dataclasses.replace(options, rows=20_000))
    tested = log.rows["day"] >= spec.split.test_from
    before, after = (set(log.rows.loc[part, "group"]) for part in (~tested, tested))
    assert len(before) == 240
    assert 50 < len(after - before) <= 60
    new = log.rows["group"].isin(after - before)
    assert new[tested].mean() == pytest.approx(0.2, abs=0.06)
    assert tested.mean() == pytest.approx(0.1, abs=0.01)
    accepted = dict.fromkeys(("train", "eval", "test"), 0)
    for batch in ingest([str(log.files.log)], spec):
        assert batch.rejects == ()
        for split, examples in batch.examples.items():
            accepted[split] += len(examples)
    assert accepted["test"] == tested.sum()
    assert list(log.rows) == list(raw_columns(spec))


def test_groups_have_power_law_sizes():
    sizes = rows("man", new_groups=0.0)["group"].value_counts().to_numpy()
    ranks = np.arange(1, len(sizes) + 1)
    slope = np.polyfit(np.log(ranks[:150]), np.log(sizes[:150]), 1)[0]
    assert slope == pytest.approx(-load("man")[1].entities["group"].zipf, abs=0.08)


@pytest.mark.parametrize("bounds", [(8, 9), (8.0, 9.0), ("2026-11-20", "2026-11-22")])
def test_rows_of_the_test_split_are_those_from_its_first_time_on(bounds):
    split = TimeSplit("day", *bounds)
    position = np.linspace(0, 1, 10_001)[:-1]
    written = time_column(split, position).to_numpy(zero_copy_only=False)
    np.testing.assert_array_equal(in_test(split, position), written >= bounds[1])
    assert in_test(split, position).mean() == pytest.approx(0.1, abs=1e-3)
    assert (np.diff(times_at(split, position)) >= 0).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"groups": "user"}, "premise.groups: should be one of group, item. Received: 'user'"),
        ({"items": "shop"}, "premise.items: should be one of group, item. Received: 'shop'"),
        ({"new_groups": 0.001}, "premise.new_groups: should be a share of at least one and not all of the 300 groups."),
        ({"new_groups": 0.999}, "premise.new_groups: should be a share of at least one and not all of the 300 groups."),
    ],
)
def test_rejects_options_that_do_not_fit_the_spec(changes, message):
    with pytest.raises(FieldError) as caught:
        check_options(*load("man", **changes))
    assert str(caught.value).startswith(message)


def without(names, **changes):
    """The example without some features."""
    spec, options = load("man", **changes)
    features = tuple(feature for feature in spec.features if feature.name not in names)
    drawn = {name: one for name, one in options.features.items() if name not in names}
    return dataclasses.replace(spec, features=features), dataclasses.replace(options, features=drawn)


@pytest.mark.parametrize(
    ("world", "message"),
    [
        (without(["group"]), "premise.groups: should be a kind of entity whose key is a feature. Received: 'group'"),
        (
            without(["category", "brand", "price_level"]),
            "premise.items: should be a kind of entity with a categorical attribute that is a feature. R",
        ),
        (
            without(["region", "tier"]),
            "premise.attribute_share: should be 0 if no categorical feature describes the groups. Received: 0.5",
        ),
    ],
)
def test_rejects_specs_without_the_features_of_the_premise(world, message):
    with pytest.raises(FieldError) as caught:
        check_options(*world)
    assert str(caught.value).startswith(message)


def test_rejects_new_groups_without_a_split_by_time():
    spec, options = load("man")
    with pytest.raises(FieldError, match=r"premise.new_groups: should be 0 if the split is not by time. Received: 0.2"):
        check_options(dataclasses.replace(spec, split=RandomSplit()), options)
    check_options(*without(["region", "tier"], attribute_share=0.0))
