"""Row weights, open labels and sampled negatives in what reads rows and is fitted to them."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipelines.compare.fitters.boosting import LightGBMOptions, _dataset, _train
from pipelines.compare.fitters.columns import Table
from pipelines.evaluation import scoring
from pipelines.evaluation.logistic_regression import linear_metrics
from pipelines.evaluation.one_hot_regression import OneHotRegression
from pipelines.evaluation.scored_batch import joined
from pipelines.label_columns import population_weights
from pipelines.prepared.columns import ColumnReader, read_columns, write_columns
from pipelines.runners.split_check import _label_batches
from pipelines.training.input_pipeline import InputPipeline
from tfmtl.features import CategoricalFeature
from tfmtl.models import SharedBottom
from tfmtl.sampling import NegativeSampling
from tfmtl.spec import DatasetSpec, Task

ROWS = DatasetSpec(
    "rows",
    (CategoricalFeature("page"),),
    (Task("click", "clicked", output="ctr"), Task("buy", "bought", follows="click", open="bought_open")),
    weight="weight",
)
PLAIN = dataclasses.replace(ROWS, weight=None, tasks=tuple(dataclasses.replace(task, open=None) for task in ROWS.tasks))


def write(path, rows):
    with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions("GZIP")) as writer:
        for row in rows:
            example = tf.train.Example()
            example.features.feature["page"].bytes_list.value.append(row["page"])
            for name in ("clicked", "bought", "bought_open"):
                example.features.feature[name].int64_list.value.append(row[name])
            example.features.feature["weight"].float_list.value.append(row["weight"])
            writer.write(example.SerializeToString())
    return str(path)


@pytest.fixture
def rows():
    rng = np.random.default_rng(3)
    found = []
    for _ in range(600):
        page = int(rng.integers(0, 12))
        clicked = int(rng.random() < 0.2 + 0.05 * page)
        bought = int(clicked and rng.random() < 0.9 - 0.06 * page)
        found.append({"page": b"p%d" % page, "clicked": clicked, "bought": bought, "bought_open": 0})
        found[-1]["weight"] = float(rng.integers(0, 4))
    return found


def doubled(rows):
    return [{**row, "weight": 1.0} for row in rows for _ in range(int(row["weight"]))]


def transform(raw):
    page = tf.sparse.to_dense(raw["page"], default_value=b"")[:, 0]
    return {"page": tf.strings.to_number(tf.strings.substr(page, 1, -1), tf.int64) + 1}


def test_gradients_of_weights_are_those_of_repeated_rows(rows, tmp_path):
    rows[5]["bought_open"] = rows[6]["bought_open"] = 1
    rows[5].update(clicked=1, bought=0, weight=2.0)
    losses, gradients = [], []
    for spec, written in ((ROWS, rows), (ROWS, doubled(rows))):
        files = [write(tmp_path / "rows.gz", written)]
        keras.utils.set_random_seed(0)
        model = SharedBottom.from_spec(spec, {"page": 12}, dropout=0.0, embedding_dim=4)
        (data,) = InputPipeline(spec, transform, batch_size=5000).training(files)
        with tf.GradientTape() as tape:
            loss = model.compute_losses(*data, training=False).total
        losses.append(float(loss))
        gradients.append([tf.convert_to_tensor(g).numpy() for g in tape.gradient(loss, model.trainable_variables)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    for first, second in zip(*gradients, strict=True):
        np.testing.assert_allclose(first, second, atol=1e-6)


def test_open_labels_are_nan_and_other_rows_as_before(rows, tmp_path):
    rows[0].update(clicked=1, bought=0, bought_open=1)
    rows[1].update(clicked=1, bought=1, bought_open=1)
    files = [write(tmp_path / "rows.gz", rows)]
    for batches in (
        InputPipeline(ROWS, transform, 100).evaluation(files),
        InputPipeline(ROWS, transform, 100).blocks(files, 1),
    ):
        _, labels, weights = next(iter(batches))
        assert np.isnan(
            labels["buy"].numpy()[:2]
        ).all()  # Also that of the early event, or known labels would be biased.
        assert labels["buy"].numpy()[2:6].tolist() == [row["bought"] for row in rows[2:6]]
        assert labels["bought_open"].numpy()[:3].tolist() == [1, 1, 0]
        assert weights.numpy()[:6].tolist() == [row["weight"] for row in rows[:6]]
    assert len(next(iter(InputPipeline(PLAIN, transform, 100).evaluation(files)))) == 2


def test_logistic_regression(rows, tmp_path):
    for split in ("train", "test"):
        (tmp_path / "weights" / f"Split-{split}").mkdir(parents=True)
        (tmp_path / "rows" / f"Split-{split}").mkdir(parents=True)
        write(tmp_path / "weights" / f"Split-{split}" / "rows.gz", rows)
        write(tmp_path / "rows" / f"Split-{split}" / "rows.gz", doubled(rows))
    fitted = [
        OneHotRegression.fit(ROWS, [str(tmp_path / name / "Split-train" / "rows.gz")], 10_000)
        for name in ("weights", "rows")
    ]
    for output in ("ctr", "buy", "buy_given_click"):
        np.testing.assert_allclose(fitted[0].models[output].coef_, fitted[1].models[output].coef_, atol=1e-3)
    aucs = [linear_metrics(ROWS, str(tmp_path / name), 10_000, 10_000) for name in ("weights", "rows")]
    assert aucs[0] == pytest.approx(aucs[1], abs=1e-6)


def table(rows):
    labels = {
        "click": [row["clicked"] for row in rows],
        "buy": [np.nan if row["bought_open"] else row["bought"] for row in rows],
    }
    values = np.array([[float(row["page"][1:]), hash(row["page"]) % 7] for row in rows], np.float32)
    return Table(
        values, ["page", "other"], [], {name: np.array(one, np.float32) for name, one in labels.items()},
        weights=np.array([row["weight"] for row in rows], np.float32),
    )  # fmt: skip


@pytest.mark.parametrize("output", ["ctr", "buy_given_click"])
def test_boosting(rows, tmp_path, output):
    rows[7].update(clicked=1, bought=0, bought_open=1, weight=1.0)
    (one,) = [found for found in ROWS.outputs if found.name == output]
    options = LightGBMOptions(bagging_fraction=1.0, feature_fraction=1.0, min_data_in_leaf=1, max_rounds=20)
    boosters = []
    for written in (rows, doubled(rows)):
        tables = {"train": table(written), "validation": table(written)}
        boosters.append(_train(ROWS, one, tables, options, 0, tmp_path, 1.0))
    values = table(rows).values
    np.testing.assert_allclose(boosters[0].predict(values), boosters[1].predict(values), atol=2e-3)
    rows_of = _dataset(ROWS, one, table(rows), tmp_path, 1.0).construct().num_data()
    expected = [
        row["weight"] > 0 and (output == "ctr" or (row["clicked"] == 1 and not row["bought_open"])) for row in rows
    ]
    assert rows_of == sum(expected)


def test_columns_of_prepared_rows(rows, tmp_path):
    rows[0].update(clicked=1, bought=0, bought_open=1)
    write(tmp_path / "rows.gz", rows)
    reader = ColumnReader(ROWS)
    records = tf.data.TFRecordDataset(str(tmp_path / "rows.gz"), compression_type="GZIP")
    reader.add(list(records.as_numpy_iterator()))
    write_columns(tmp_path, "test", reader.columns())
    columns = read_columns(tmp_path, "test", ["click", "buy"])
    assert columns.weights.tolist() == [row["weight"] for row in rows]
    assert np.isnan(columns.labels["buy"]).tolist() == [True] + [False] * (len(rows) - 1)


def test_classes_of_a_split_are_those_of_known_labels_with_a_weight(rows, tmp_path):
    for row in rows:
        row.update(bought_open=1 - row["bought"], weight=float(row["clicked"]))
    write(tmp_path / "rows.gz", rows)
    (labels,) = _label_batches(ROWS, str(tmp_path / "*.gz"))
    assert set(labels["clicked"]) == {1.0}
    assert set(labels["bought"][~np.isnan(labels["bought"])]) == {1.0}


def test_the_evaluator_reads_weights_and_open_labels_in_the_order_of_the_rows(rows, tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "BATCH_ROWS", 70)  # Several batches are scored at a time.
    rows[0].update(clicked=1, bought=0, bought_open=1)
    path = write(tmp_path / "rows.gz", rows)
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")], autograph=False)
    def score(examples):
        return {"ctr": tf.fill([tf.size(examples)], 0.5)}

    module.score = score
    tf.saved_model.save(module, str(tmp_path / "model"), signatures={"serving_default": score})
    batches = list(scoring.Scorer(ROWS, str(tmp_path / "model"), None).batches(path))
    assert [len(one.groups) for one in batches] == [70] * 8 + [40]
    found = joined(batches)
    assert found.weights.tolist() == [row["weight"] for row in rows]
    assert np.isnan(found.labels["bought"][0])
    assert found.labels["clicked"].tolist() == [row["clicked"] for row in rows]


def test_sampled_negatives_stand_for_all_of_them(rows, tmp_path):
    """Logistic regression on sampled rows has the weights of one in which the remaining negatives are repeated."""
    plain = dataclasses.replace(ROWS, weight=None)
    sampled = dataclasses.replace(plain, sampling=NegativeSampling("click", 0.25))
    repeated = [row for row in rows for _ in range(1 if row["clicked"] else 4)]
    coefficients = []
    for spec, written in ((sampled, rows), (plain, repeated)):
        path = write(tmp_path / "rows.gz", written)
        coefficients.append(OneHotRegression.fit(spec, [path], 10_000).models["ctr"].coef_)
    np.testing.assert_allclose(*coefficients, atol=1e-3)
    labels = {"clicked": np.array([1.0, 0.0]), "bought": np.zeros(2)}
    assert population_weights(sampled, labels, np.array([2.0, 2.0])).tolist() == [2.0, 8.0]
    assert population_weights(plain, labels, None) is None
