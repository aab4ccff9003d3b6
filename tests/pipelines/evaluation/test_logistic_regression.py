"""Logistic regression on one-hot rows: AUC by output, one class, samples of the training rows, and the kept result."""

import json
import math

import numpy as np
import pytest
import tensorflow as tf
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OneHotEncoder

from pipelines.evaluation import logistic_regression
from pipelines.evaluation.advice import advice
from pipelines.evaluation.logistic_regression import fit_reference, linear_metrics
from pipelines.evaluation.one_hot_rows import RowSample
from pipelines.evaluation.results import OutputMetrics
from pipelines.settings_file import load_settings
from tfmtl.metrics import roc_auc

SETTINGS = """
name: shop
spec:
  name: shop
  features:
    - {name: user, kind: categorical, min_frequency: 2}
    - {name: item, kind: categorical}
    - {name: price, kind: numerical}
  tasks:
    - {name: click, label: clicked, output: ctr}
    - {name: purchase, label: bought, follows: click, output: ctcvr, conditional_output: cvr}
model: {name: shared_bottom}
"""


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "shop.yaml").write_text(SETTINGS)
    return load_settings(tmp_path / "shop.yaml")


def draw_rows(rows, seed, buys=True):
    random = np.random.default_rng(seed)
    user, item = random.integers(0, 20, rows), random.integers(0, 30, rows)
    clicked = random.uniform(size=rows) < 1 / (1 + np.exp(1 - user / 10))
    bought = clicked & (random.uniform(size=rows) < item / 40) & buys
    return {"user": user, "item": item, "price": random.lognormal(size=rows), "clicked": clicked, "bought": bought}


def write_split(folder, split, rows):
    """Writes rows as ExampleGen does."""

    def feature(name, value):
        if name in ("price", "paid"):
            return tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
        if name in ("user", "item"):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=[f"{name}{value}".encode()]))
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[int(value)]))

    path = folder / f"Split-{split}" / "examples-00000.gz"
    path.parent.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for i in range(len(rows["user"])):
            features = {name: feature(name, values[i]) for name, values in rows.items()}
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())


def write_examples(folder, train, test):
    write_split(folder, "train", train)
    write_split(folder, "test", test)
    return str(folder)


def expected_auc(train, test, label, chosen):
    """Returns the AUC of scikit-learn's regression on its own one-hot encoding."""
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)

    def matrix(rows, fit):
        tokens = np.stack([rows["user"], rows["item"]], 1)
        one_hot = encoder.fit_transform(tokens) if fit else encoder.transform(tokens)
        return np.concatenate([one_hot, np.log1p(rows["price"].astype("float32"))[:, None]], 1)

    train_rows, test_rows = chosen(train), chosen(test)
    model = LogisticRegression(C=1.0, tol=1e-6, max_iter=1000)
    model.fit(matrix(train, True)[train_rows], train[label][train_rows])
    return roc_auc(test[label][test_rows], model.decision_function(matrix(test, False)[test_rows]))


def test_auc_is_that_of_a_regression_on_the_rows_of_each_space(settings, tmp_path):
    train, test = draw_rows(1500, 1), draw_rows(700, 2)
    found = linear_metrics(settings.spec, write_examples(tmp_path / "examples", train, test), 1500, 1500)
    everything = slice(None)
    assert found == {
        "ctr": pytest.approx(expected_auc(train, test, "clicked", lambda rows: everything), abs=2e-3),
        "cvr": pytest.approx(expected_auc(train, test, "bought", lambda rows: rows["clicked"]), abs=2e-3),
        "ctcvr": pytest.approx(expected_auc(train, test, "bought", lambda rows: everything), abs=2e-3),
    }


@pytest.mark.parametrize("split", ["train", "test"])
def test_an_output_with_one_class_is_left_empty_and_kept(settings, tmp_path, split):
    rows = {name: draw_rows(400, i, buys=name != split) for i, name in enumerate(("train", "test"))}
    uri = write_examples(tmp_path / "examples", rows["train"], rows["test"])
    for _ in range(2):  # The second result is the kept one.
        auc = fit_reference(settings.spec, uri, tmp_path, 400).auc
        assert 0.5 < auc["ctr"] < 1
        assert math.isnan(auc["cvr"])
        assert math.isnan(auc["ctcvr"])
    assert json.loads((tmp_path / "reference.json").read_text())["auc"]["cvr"] is None


def test_a_space_without_rows_is_left_empty(settings, tmp_path):
    rows = {**draw_rows(400, 0), "clicked": np.zeros(400), "bought": np.zeros(400)}
    uri = write_examples(tmp_path / "examples", rows, rows)
    assert all(math.isnan(auc) for auc in linear_metrics(settings.spec, uri, 400, 400).values())


def test_a_result_of_an_earlier_version_is_fitted_again(settings, tmp_path):
    rows = draw_rows(300, 0)
    uri = write_examples(tmp_path / "examples", rows, rows)
    former = {"examples": uri, "spec": settings.spec.hash, "auc": {"ctr": 0.123}}
    (tmp_path / "reference.json").write_text(json.dumps(former))
    assert fit_reference(settings.spec, uri, tmp_path, 300).auc["ctr"] > 0.5


def test_many_training_rows_are_sampled(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(logistic_regression, "MAX_ROWS", 1000)
    train, test = draw_rows(4000, 1), draw_rows(700, 2)
    uri = write_examples(tmp_path / "examples", train, test)
    reference = fit_reference(settings.spec, uri, tmp_path, 4000)
    expected = "The logistic regression is fitted on a random sample of 1,000 of 4,000 training rows."
    assert reference.sample_note() == expected
    every_row = linear_metrics(settings.spec, uri, 4000, 4000)
    assert reference.auc["ctr"] == pytest.approx(every_row["ctr"], abs=0.03)
    assert reference.auc["ctr"] != every_row["ctr"]


@pytest.mark.parametrize(("rows", "sample_rows"), [(1000, 100), (1000, 999), (1000, 1000), (50, 100)])
def test_a_sample_has_the_given_number_of_rows_from_all_batches(rows, sample_rows):
    sample = RowSample(rows, sample_rows)
    batches = np.array_split(np.arange(rows), 7)
    drawn = [sample.draw(batch) for batch in batches]
    assert sum(map(len, drawn)) == min(rows, sample_rows)
    assert len(set(np.concatenate(drawn))) == min(rows, sample_rows)
    assert all(np.isin(some, batch).all() and len(some) for some, batch in zip(drawn, batches, strict=True))


def test_advice_names_the_outputs_on_which_the_model_is_worse(settings):
    auc = {"ctr": 0.708, "cvr": 0.6, "ctcvr": math.nan}
    rows = [OutputMetrics(output, "", auc[output.name], 1.0) for output in settings.spec.outputs]
    worse, suggestions = advice(settings, rows, {"ctr": 0.751, "cvr": 0.6004, "ctcvr": 0.7})
    assert worse == "On ctr the model is worse than logistic regression (0.7080 < 0.7510)."
    assert suggestions.startswith("Try: ")
    assert "min_frequency: 1 for user" in suggestions
    assert advice(settings, rows, {"ctr": 0.7, "cvr": math.nan, "ctcvr": 0.7}) == []
