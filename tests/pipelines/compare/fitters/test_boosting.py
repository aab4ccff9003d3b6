"""LightGBM: one booster for each output, reproducible by its seed, and the columns that it takes."""

import dataclasses
import sys

import lightgbm
import numpy as np
import pytest

from pipelines.compare.fitters import boosting, present_options
from pipelines.compare.fitters.boosting import LightGBM, LightGBMOptions, count_parameters
from pipelines.compare.fitters.columns import Table, _columns
from pipelines.compare.jobs import Job
from tests.pipelines.compare.cases import SPEC
from tfmtl.config import FieldError
from tfmtl.features import CategoricalFeature, Hashing, MultiValuedFeature, NumberSequenceFeature, NumericalFeature
from tfmtl.spec import DatasetSpec, Offset, Task


def table(rows, seed):
    """Table in which clicks depend on the number x, and sales of the clicked rows on the category k."""
    rng = np.random.default_rng(seed)
    x, k = rng.normal(size=rows), rng.integers(0, 4, rows)
    click = (rng.random(rows) < 1 / (1 + np.exp(-2 * x))).astype(np.float32)
    sale = click * (rng.random(rows) < np.array([0.1, 0.9, 0.2, 0.8])[k])
    labels = {"click": click, "sale": sale.astype(np.float32)}
    return Table(np.stack([x, k], axis=1).astype(np.float32), ["x", "k"], ["k"], labels)


@dataclasses.dataclass
class Data:
    spec = SPEC


OPTIONS = {"max_rounds": 40, "patience": 5, "num_leaves": 7, "feature_fraction": 1.0, "cat_smooth": 1.0}


def fit(monkeypatch, seed=1):
    tables = {"train": table(2000, 0), "eval": table(500, 1), "test": table(500, 2)}
    target = "pipelines.compare.fitters.columns.make_table"
    monkeypatch.setattr(target, lambda data, split, multivalent_tokens, folder: tables[split])
    return LightGBM().fit(Job("lightgbm", "lightgbm", OPTIONS, {}, seed), Data()), tables


def test_each_space_has_a_booster(monkeypatch):
    fitted, tables = fit(monkeypatch)
    scores, test = fitted.scores["test"], tables["test"]
    x, k = test.values.T
    assert np.corrcoef(scores["ctr"], x)[0, 1] > 0.8
    assert np.abs(np.corrcoef(scores["cvr"], x)[0, 1]) < 0.3, "sales of the clicked rows do not depend on x"
    for category, expected in enumerate([0.1, 0.9, 0.2, 0.8]):
        assert scores["cvr"][k == category].mean() == pytest.approx(expected, abs=0.12)
    assert scores["ctcvr"].mean() == pytest.approx(tables["train"].labels["sale"].mean(), abs=0.05)
    assert fitted.parameters > 0
    assert fitted.epochs == 0


def test_columns_in_blocks_give_the_booster_of_one_matrix(monkeypatch):
    """LightGBM's own reading of a matrix is the second route."""
    monkeypatch.setattr(boosting, "_BLOCK_ROWS", 300)
    fitted, tables = fit(monkeypatch)
    clicked = {name: one.labels["click"] == 1 for name, one in tables.items()}

    def dataset(split, reference=None):
        rows, one = clicked[split], tables[split]
        arguments = {"feature_name": one.names, "categorical_feature": one.categorical, "reference": reference}
        return lightgbm.Dataset(one.values[rows], one.labels["sale"][rows], **arguments)

    options = LightGBMOptions(**OPTIONS)
    train = dataset("train")
    stop = lightgbm.early_stopping(options.patience, verbose=False)
    arguments = {"valid_sets": [dataset("eval", train)], "num_boost_round": options.max_rounds, "callbacks": [stop]}
    booster = lightgbm.train(options.parameters("binary", 1), train, **arguments)
    expected = booster.predict(tables["test"].values).astype("float32")
    np.testing.assert_array_equal(fitted.scores["test"]["cvr"], expected)


def test_scores_depend_on_the_seed_alone(monkeypatch):
    one, same, other = fit(monkeypatch)[0], fit(monkeypatch)[0], fit(monkeypatch, seed=2)[0]
    np.testing.assert_array_equal(one.scores["test"]["ctr"], same.scores["test"]["ctr"])
    assert np.any(one.scores["test"]["ctr"] != other.scores["test"]["ctr"])


def test_counts_the_parameters_of_a_stump():
    data = lightgbm.Dataset(np.arange(40.0)[:, None], (np.arange(40) > 20).astype(float))
    booster = lightgbm.train({"num_leaves": 2, "min_data_in_leaf": 1, "verbosity": -1}, data, num_boost_round=3)
    assert count_parameters(booster) == 3 * (2 + 2)


def test_converts_each_kind_of_feature_to_columns():
    ids = np.array([3, 0])
    user, price = CategoricalFeature("user"), NumericalFeature("price")
    columns = _columns(user, user, ids, None, 6, 2)
    np.testing.assert_array_equal(columns["user"], [3, 0])
    columns = _columns(price, price, ids, None, 66, 2)
    np.testing.assert_array_equal(columns["price"], [3, np.nan])
    tags, weights = np.array([[1, 2, 1], [3, 0, 0]]), np.array([[0.5, 2.0, 1.0], [1.0, 1.0, 0.0]])
    words = MultiValuedFeature("tags")
    columns = _columns(words, words, tags, weights, 4, 2)
    assert list(columns) == ["tags_0", "tags_1"]
    np.testing.assert_array_equal(columns["tags_0"], [1.5, 0.0])
    np.testing.assert_array_equal(columns["tags_1"], [2.0, 0.0])
    hashed = _columns(words, MultiValuedFeature("words", hashed=Hashing(9)), tags, weights, 9, 2)
    np.testing.assert_array_equal(hashed["tags_0"], [2.0, 1.0])
    np.testing.assert_array_equal(hashed["tags_1"], [1.5, 1.0])
    days, clicks = np.array([[0, 2], [4, 5]]), NumberSequenceFeature("clicks", max_length=2)
    columns = _columns(clicks, clicks, days, np.ones((2, 2)), 66, 2)
    np.testing.assert_array_equal(columns["clicks_0"], [np.nan, 4])
    np.testing.assert_array_equal(columns["clicks_1"], [2, 5])


def test_validates_options_and_passes_them_to_lightgbm():
    with pytest.raises(FieldError, match="learning_rate: should be above 0, at most 1"):
        LightGBMOptions(learning_rate=0)
    parameters = LightGBMOptions().parameters("poisson", 3)
    assert (parameters["objective"], parameters["metric"], parameters["seed"]) == ("poisson", "poisson", 3)
    assert "patience" not in parameters


def test_former_names_of_options_are_replaced():
    assert present_options("lightgbm", {"bag_tokens": 9, "patience": 5}) == {"multivalent_tokens": 9, "patience": 5}
    assert present_options("mmoe", {"space": "previous", "num_experts": 2}) == {
        "space": "conditional",
        "num_experts": 2,
    }
    assert present_options("a model of earlier versions", {"space": "previous"}) == {"space": "previous"}


def test_error_without_openmp_names_the_package_to_install(monkeypatch):
    class NoOpenMP:
        def find_spec(self, name, path=None, target=None):
            if name == "lightgbm":
                raise OSError("libgomp.so.1: cannot open shared object file")

    monkeypatch.delitem(sys.modules, "lightgbm")
    monkeypatch.setattr(sys, "meta_path", [NoOpenMP(), *sys.meta_path])
    with pytest.raises(RuntimeError, match=r"install libgomp1 .* Received: libgomp\.so\.1"):
        boosting._library()


def count_scores(monkeypatch, floored=0):
    """Scores of counts with 2 or 6 events per unit of exposure by the category, and the tables.

    Some training and test rows have an exposure at its floor and hundreds of events.
    """
    features = (*SPEC.features, NumericalFeature("price"))
    spec = DatasetSpec("shop", features, (Task("visits", "visits", kind="count", offset=Offset("price")),))

    def counts(rows, seed, factor=1.0, floored=0):
        rng = np.random.default_rng(seed)
        k, exposure = rng.integers(0, 2, rows), factor * rng.uniform(0.5, 20, rows)
        visits = rng.poisson(np.where(k == 1, 6.0, 2.0) * exposure).astype(np.float32)
        x = rng.normal(size=rows)
        x[:floored], exposure[:floored], visits[:floored] = 50.0, 0.01, 500.0
        values = np.stack([x, k], axis=1).astype(np.float32)
        return Table(values, ["x", "k"], ["k"], {"visits": visits}, {"visits": np.log(exposure)})

    tables = {"train": counts(3000, 0, 1.0, floored), "eval": counts(500, 1), "test": counts(500, 2, 10.0, floored)}
    target = "pipelines.compare.fitters.columns.make_table"
    monkeypatch.setattr(target, lambda data, split, multivalent_tokens, folder: tables[split])
    data = dataclasses.make_dataclass("Counts", [("spec", object)])(spec)
    options = {"max_rounds": 300, "num_leaves": 4, "cat_smooth": 1.0, "feature_fraction": 1.0}
    return LightGBM().fit(Job("lightgbm", "lightgbm", options, {}, 1), data).scores["test"]["visits"], tables["test"]


def test_rates_of_a_count_with_an_offset_are_per_unit_of_exposure(monkeypatch):
    scores, test = count_scores(monkeypatch)
    rates = scores / np.exp(test.log_exposures["visits"])
    np.testing.assert_allclose(rates, np.where(test.values[:, 1] == 1, 6.0, 2.0), rtol=0.1)


def test_steps_of_counts_with_an_offset_are_bounded(monkeypatch):
    boosters = []
    train = lightgbm.train
    monkeypatch.setattr(
        lightgbm, "train", lambda *args, **kwargs: boosters.append(train(*args, **kwargs)) or boosters[0]
    )
    count_scores(monkeypatch, floored=200)
    leaves = boosters[0].trees_to_dataframe().query("left_child.isnull()")["value"].abs()
    assert 0.5 * 0.7 * 0.05 < leaves.max() <= 1.001 * 0.7 * 0.05, "max_delta_step times the learning rate"


def test_counts_do_not_explode_where_exposures_are_at_their_floor(monkeypatch):
    scores, test = count_scores(monkeypatch, floored=200)
    assert np.max(scores[:200]) < 2 * np.max(test.labels["visits"])
