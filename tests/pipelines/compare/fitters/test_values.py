"""Linear and boosted references of values: the deviance that they minimize, weights, units, and calibration."""

import dataclasses

import numpy as np
import pytest
from scipy import optimize, sparse

from pipelines.compare.fitters.boosting import LightGBM, LightGBMOptions
from pipelines.compare.fitters.columns import Table
from pipelines.compare.fitters.logistic_regression import LogisticRegressionOptions
from pipelines.compare.jobs import Job
from pipelines.evaluation.one_hot_regression import OneHotRegression, _fit_values, linear_outputs
from tests.pipelines.evaluation.test_logistic_regression import draw_rows, write_split
from tfmtl.config import FieldError
from tfmtl.features import CategoricalFeature, NumericalFeature
from tfmtl.metrics import normalized_gini
from tfmtl.spec import DatasetSpec, Task

SPEC = DatasetSpec(
    "shop",
    (CategoricalFeature("user"), CategoricalFeature("item"), NumericalFeature("price")),
    (Task("click", "clicked"), Task("pay", "paid", "value", "click", output="expected", conditional_output="mean")),
)


def table(rows, seed, unit=1.0):
    """Table in which the value of a click depends on the category k, and clicks on the number x."""
    rng = np.random.default_rng(seed)
    x, k = rng.normal(size=rows), rng.integers(0, 3, rows)
    click = (rng.random(rows) < 1 / (1 + np.exp(-x))).astype(np.float32)
    paid = click * np.array([2.0, 8.0, 20.0])[k] * rng.lognormal(-0.125, 0.5, rows)
    values = np.stack([x, k], axis=1).astype(np.float32)
    return Table(values, ["x", "k"], ["k"], {"click": click, "pay": (unit * paid).astype(np.float32)})


def boosted(monkeypatch, unit=1.0):
    tables = {
        name: table(rows, i, unit) for i, (name, rows) in enumerate({"train": 3000, "eval": 800, "test": 800}.items())
    }
    target = "pipelines.compare.fitters.columns.make_table"
    monkeypatch.setattr(target, lambda data, split, multivalent_tokens, folder: tables[split])
    data = dataclasses.make_dataclass("Data", [("spec", object)])(SPEC)
    options = {"max_rounds": 400, "patience": 20, "num_leaves": 6, "feature_fraction": 1.0, "cat_smooth": 1.0}
    return LightGBM().fit(Job("lightgbm", "lightgbm", options, {}, 1), data).scores["test"], tables["test"]


def test_boosters_of_a_value(monkeypatch):
    scores, test = boosted(monkeypatch)
    k = test.values[:, 1]
    for category, mean in enumerate((2.0, 8.0, 20.0)):
        assert scores["mean"][k == category].mean() == pytest.approx(mean, rel=0.12)
    assert scores["expected"].mean() == pytest.approx(0.5 * 10, rel=0.1)
    assert normalized_gini(test.labels["pay"], scores["expected"]) > 0.5
    cents, _ = boosted(monkeypatch, 100.0)
    np.testing.assert_allclose(cents["expected"], 100 * scores["expected"], rtol=0.02)
    parameters = LightGBMOptions().parameters("tweedie", 3, 1.3)
    assert (parameters["objective"], parameters["metric"], parameters["tweedie_variance_power"]) == (
        "tweedie",
        "tweedie",
        1.3,
    )


def test_regression_minimizes_the_penalized_deviance():
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 2, (300, 3)).astype(float)
    values = rng.gamma(1.0, np.exp(rows @ [0.5, -0.3, 0.8])) * (rng.random(300) < 0.7)
    values, weights, power, strength = values / values.mean(), rng.uniform(0.5, 2, 300), 1.4, 0.5
    model = _fit_values(sparse.csr_matrix(rows), values, weights, strength, power)

    def loss(parameters):
        z = rows @ parameters[:3] + parameters[3]
        terms = np.exp((2 - power) * z) / (2 - power) + values * np.exp((1 - power) * z) / (power - 1)
        return strength * (weights * terms).sum() + (parameters[:3] ** 2).sum() / 2

    best = optimize.minimize(loss, np.zeros(4), tol=1e-12).x
    np.testing.assert_allclose([*model.coef_, model.intercept_], best, atol=2e-3)


def test_the_linear_reference_predicts_values_in_their_unit(tmp_path):
    columns = draw_rows(1500, 0)
    rng = np.random.default_rng(1)
    paid = columns["clicked"] * 1e4 * np.exp(columns["item"] / 15) * rng.lognormal(-0.125, 0.5, 1500)
    del columns["bought"]
    write_split(tmp_path, "train", {**columns, "paid": paid})
    file = str(tmp_path / "Split-train" / "examples-00000.gz")
    regression = OneHotRegression.fit(SPEC, [file], 1500)
    assert [output.name for output in linear_outputs(SPEC)] == ["click", "mean", "expected"]
    scores, labels = regression.predict([file])
    clicked = labels.labels["clicked"] == 1
    assert scores["mean"][clicked].mean() == pytest.approx(paid[clicked].mean(), rel=0.03)
    assert scores["expected"].mean() == pytest.approx(paid.mean(), rel=0.03)
    assert normalized_gini(paid[clicked], scores["mean"][clicked]) > 0.4
    assert regression.parameters == 3 * (20 + 30 + 1 + 1)


def test_counts_and_offsets_have_no_linear_reference():
    LogisticRegressionOptions().check_tasks(SPEC)
    value = Task("pay", "paid", "value", offset="price")
    with pytest.raises(FieldError, match="values without an offset"):
        LogisticRegressionOptions().check_tasks(DatasetSpec("shop", SPEC.features, (value,)))
