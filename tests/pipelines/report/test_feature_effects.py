"""Effects of features on a SavedModel whose scores are known functions of its features."""

import types

import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import roc_auc_score

from pipelines.report.feature_effects import FeatureEffects, feature_effects
from pipelines.report.page.blocks import Figure
from pipelines.report.sections.features import features_section
from pipelines.training.training_only_effects import Effect
from tfmtl.features import CategoricalFeature, NumericalFeature
from tfmtl.spec import DatasetSpec, Task

SPEC = DatasetSpec(
    "known",
    (CategoricalFeature("city"), NumericalFeature("price"), NumericalFeature("noise")),
    (
        Task("click", "clicked", output="ctr"),
        Task("buy", "bought", follows="click"),
        Task("pay", "paid", kind="count"),
    ),
)
ROWS = 2000


class Known(tf.Module):
    """Scores: ctr depends on the city, the purchase on the price, the count on both, and nothing on the noise."""

    def __init__(self):
        super().__init__()
        strings = tf.TensorSpec([None], tf.string, "city")
        numbers = [tf.TensorSpec([None], tf.float32, name) for name in ("price", "noise")]
        self.raw = tf.function(self._scores, input_signature=[strings, *numbers], autograph=False)

    def _scores(self, city, price, noise):
        is_london = tf.cast(city == "london", tf.float32)
        click, buy = 0.1 + 0.6 * is_london, tf.sigmoid(1.0 - price)
        return {"ctr": click, "buy": click * buy, "buy_given_click": buy, "pay": 2.0 * is_london + price}


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    rng = np.random.default_rng(0)
    city = rng.choice(["london", "paris", "rome"], ROWS, p=[0.5, 0.3, 0.2])
    price, noise = rng.uniform(0, 4, ROWS), rng.normal(size=ROWS)
    clicked = rng.random(ROWS) < 0.1 + 0.6 * (city == "london")
    bought = clicked & (rng.random(ROWS) < 1 / (1 + np.exp(price - 1)))
    paid = rng.poisson(2.0 * (city == "london") + price)
    folder = tmp_path_factory.mktemp("known")
    model = Known()
    tf.saved_model.save(model, str(folder / "model"), signatures={"raw": model.raw})
    with tf.io.TFRecordWriter(str(folder / "rows.gz"), "GZIP") as writer:
        for row in zip(city, price, noise, clicked, bought, paid, strict=True):
            features = {
                "city": tf.train.Feature(bytes_list=tf.train.BytesList(value=[row[0].encode()])),
                **{
                    name: tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
                    for name, value in zip(("price", "noise"), row[1:3], strict=True)
                },
                **{
                    name: tf.train.Feature(int64_list=tf.train.Int64List(value=[int(value)]))
                    for name, value in zip(("clicked", "bought", "paid"), row[3:], strict=True)
                },
            }
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())
    columns = {"city": city, "price": price.astype(np.float32), "clicked": clicked, "bought": bought, "paid": paid}
    return folder, columns


@pytest.fixture(scope="module")
def effects(log):
    folder, _ = log
    return feature_effects(SPEC, str(folder / "model"), [str(folder / "rows.gz")])


def importance(effects, feature, output):
    return next(one for one in effects.importances if (one.feature, one.output) == (feature, output))


def test_a_feature_that_the_model_does_not_read_has_no_importance(effects):
    for output in ("ctr", "buy", "buy_given_click", "pay"):
        assert importance(effects, "noise", output).loss == pytest.approx(0, abs=1e-12)
    assert importance(effects, "price", "ctr").loss == pytest.approx(0, abs=1e-12)
    assert importance(effects, "city", "buy_given_click").loss == pytest.approx(0, abs=1e-12)


def test_a_permuted_only_feature_leaves_an_auc_of_a_half(log, effects):
    _, columns = log
    auc = roc_auc_score(columns["clicked"], columns["city"] == "london")
    assert importance(effects, "city", "ctr").loss == pytest.approx(auc - 0.5, abs=0.03)
    clicked = columns["clicked"]
    auc = roc_auc_score(columns["bought"][clicked], -columns["price"][clicked])
    assert importance(effects, "price", "buy_given_click").loss == pytest.approx(auc - 0.5, abs=0.06)


def test_importance_for_a_count_is_the_rise_of_its_error(log, effects):
    """The mean error over all pairs of rows is that of a permutation in expectation."""
    _, columns = log
    paid, price, london = columns["paid"], columns["price"], 2.0 * (columns["city"] == "london")
    before = np.abs(london + price - paid).sum()
    after = np.abs(london[:, None] + price[None, :] - paid[:, None]).mean(axis=1).sum()
    one = importance(effects, "price", "pay")
    assert one.loss == pytest.approx((after - before) / paid.sum(), rel=0.1)
    assert one.lowest <= one.loss <= one.highest


def test_partial_dependence_is_the_function_itself(log, effects):
    _, columns = log
    found = {one.feature: one for one in effects.dependences}
    assert set(found) == {"city", "price"}
    assert found["city"].values == ("london", "paris", "rome")
    assert found["city"].means["ctr"] == pytest.approx((0.7, 0.1, 0.1), abs=1e-6)
    values = np.array(found["price"].values)
    assert found["price"].means["buy_given_click"] == pytest.approx(1 / (1 + np.exp(values - 1)), abs=1e-6)
    assert values[0] == pytest.approx(np.quantile(columns["price"][:1000], 0.05), abs=1e-6)


def test_labels_and_scores_are_those_of_the_space(log, effects):
    _, columns = log
    assert effects.rows == ROWS
    assert effects.labels["buy_given_click"].tolist() == columns["bought"][columns["clicked"]].tolist()
    assert len(effects.scores["buy_given_click"]) == columns["clicked"].sum()
    assert effects.labels["pay"].sum() == columns["paid"].sum()


def test_no_rows_have_no_effects(log, tmp_path):
    folder, _ = log
    with tf.io.TFRecordWriter(str(tmp_path / "none.gz"), "GZIP"):
        pass
    assert feature_effects(SPEC, str(folder / "model"), [str(tmp_path / "none.gz")]) is None


def test_effect_of_a_feature_of_training_only_is_a_figure():
    means = {"ctr": (0.5, 0.2), "buy": (0.1, 0.05), "buy_given_click": (0.2, 0.2), "pay": (3.0, 2.0)}
    data = types.SimpleNamespace(
        settings=types.SimpleNamespace(spec=SPEC), effects=(Effect("position", "1", ("1", "2"), means),)
    )
    section = features_section(data, FeatureEffects(100, (), (), {}, {}))
    figures = {block.name: block for block in section.blocks if isinstance(block, Figure)}
    assert set(figures) == {"training-only-0-binary", "training-only-0-counts"}
    assert "use the value 1 in every row." in figures["training-only-0-binary"].caption
    (rows,) = figures["training-only-0-counts"].spec["datasets"].values()
    assert [(row["value"], row["mean_score"]) for row in rows] == [("1", 3.0), ("2", 2.0)]
