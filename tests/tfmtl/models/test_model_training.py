"""Training and evaluation of a model."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import roc_auc_score

from tests.tfmtl import cases
from tests.tfmtl.graphs import tensors_of_shape
from tfmtl.models import MMoE, SharedBottom
from tfmtl.optimizers import RowSparseAdam
from tfmtl.training import EpochLines

MMOE = {"embedding_dim": 4, "num_experts": 2, "expert_units": [8], "tower_units": [4]}
SHARED_BOTTOM = {"embedding_dim": 4, "bottom_units": [8], "tower_units": [4]}


def make_log(rows, seed=0):
    """Features, and labels of a chain and of a count that depend on them."""
    rng = np.random.default_rng(seed)
    features = cases.features(rows, seed)

    def effect(name, sizes):
        values = np.random.default_rng(len(name)).normal(0, 1.2, sizes)[features[name]]
        weights = features.get(name + "__weights")
        return values if weights is None else (values * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1)

    score = {name: effect(name, size) for name, size in cases.ROWS.items()}

    def event(logit):
        return (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype("float32")

    click = event(score["user"] + score["tags"])
    buy = click * event(score["price"] + score["history"])
    back = buy * event(score["user"] - score["price"])
    views = rng.poisson(np.exp(score["user"])).astype("float32")
    return features, {"click": click, "buy": buy, "back": back, "views": views}


def batches(rows, seed=0, tasks=("click", "buy", "back", "views")):
    features, labels = make_log(rows, seed)
    return tf.data.Dataset.from_tensor_slices((features, {name: labels[name] for name in tasks})).batch(100)


def pair_batches(rows, seed=0):
    return batches(rows, seed, ("click", "buy"))


@pytest.fixture(scope="module", params=["entire", "conditional"])
def trained(request):
    """Trained MMoE with heads on one of the spaces, and its history."""
    keras.utils.set_random_seed(1)
    model = MMoE.from_spec(cases.chain(), cases.SIZES, space=request.param, **MMOE)
    model.compile(RowSparseAdam(0.02))
    return model, model.fit(batches(3000), epochs=6, verbose=0).history


def test_training_reduces_losses(trained):
    model, history = trained
    for name in ("loss", "click_loss", "buy_loss", "back_loss", "views_loss"):
        assert history[name][-1] < 0.98 * history[name][0], name
    metrics = model.evaluate(batches(3000, seed=1), return_dict=True, verbose=0)
    for name in ("ctr", "cvr", "ctcvr", "back_given_buy", "back"):
        assert metrics[f"{name}_auc"] > 0.6, name


def test_auc_of_each_output_equals_sklearn_on_its_space(trained):
    model, _ = trained
    features, labels = make_log(3000, seed=1)
    metrics = model.evaluate(batches(3000, seed=1), return_dict=True, verbose=0)
    scores = model.predict(features, batch_size=500, verbose=0)
    spaces = {
        "ctr": ("click", None),
        "cvr": ("buy", "click"),
        "ctcvr": ("buy", None),
        "back_given_buy": ("back", "buy"),
        "back": ("back", None),
    }
    for name, (task, previous) in spaces.items():
        rows = labels[previous] == 1 if previous else slice(None)
        expected = roc_auc_score(labels[task][rows], scores[name][rows])
        np.testing.assert_allclose(metrics[f"{name}_auc"], expected, atol=1e-3, err_msg=name)


def test_evaluation_averages_losses_over_rows(trained):
    model, _ = trained
    features, labels = make_log(300, seed=2)
    metrics = model.evaluate(features, labels, batch_size=128, return_dict=True, verbose=0)
    logits = np.asarray(model(features)["buy"], "float64")
    kept = labels["click"] == 1 if model.spaces["buy"] == "conditional" else np.ones(300, bool)
    expected = np.mean((np.logaddexp(0, logits) - labels["buy"] * logits)[kept])
    np.testing.assert_allclose(metrics["buy_loss"], expected, rtol=1e-5)
    totals = []
    for part in (slice(0, 128), slice(128, 256), slice(256, 300)):
        part_features, part_labels = (
            {name: values[part] for name, values in one.items()} for one in (features, labels)
        )
        totals.append(sum(model.task_losses(part_labels, model(part_features)).values()))
    np.testing.assert_allclose(metrics["loss"], np.average(totals, weights=[128, 128, 44]), rtol=1e-5)
    names = {"loss", "click_loss", "buy_loss", "back_loss", "views_loss"}
    assert set(metrics) == names | {f"{name}_auc" for name in ("ctr", "cvr", "ctcvr", "back_given_buy", "back")}


def test_predict_equals_score_and_ignores_labels(trained):
    model, _ = trained
    features, _ = make_log(250, seed=3)
    predicted, scored = model.predict(batches(250, seed=3), verbose=0), model.score(features)
    assert list(predicted) == ["ctr", "cvr", "ctcvr", "back_given_buy", "back", "views"]
    for name, values in predicted.items():
        assert values.shape == (250,)
        np.testing.assert_allclose(values, scored[name], rtol=1e-4, atol=1e-6)


def test_rows_of_weight_zero_are_left_out():
    features, labels = next(iter(pair_batches(400).unbatch().batch(400).as_numpy_iterator()))
    kept = np.arange(400) < 250
    part = ({name: values[kept] for name, values in features.items()}, {k: v[kept] for k, v in labels.items()})
    whole = (features, labels, kept.astype("float32"))
    results = []
    for data in (whole, part):
        keras.utils.set_random_seed(4)
        model = SharedBottom.from_spec(cases.pair(), cases.SIZES, space="conditional", **SHARED_BOTTOM)
        model.compile(keras.optimizers.SGD(0.1))
        dataset = tf.data.Dataset.from_tensors(data)
        model.fit(dataset, epochs=3, verbose=0)
        results.append((model.get_weights(), model.evaluate(dataset, verbose=0)))
    for one, other in zip(results[0][0], results[1][0], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    np.testing.assert_allclose(results[0][1], results[1][1], rtol=1e-4)


def test_equal_seeds_give_equal_weights():
    def weights():
        keras.utils.set_random_seed(5)
        model = SharedBottom.from_spec(cases.pair(), cases.SIZES, dropout=0.3, **SHARED_BOTTOM)
        model.compile(RowSparseAdam(0.01))
        model.fit(pair_batches(300), epochs=2, verbose=0)
        return model.get_weights()

    for one, other in zip(weights(), weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_dropout_is_applied_in_training_only():
    model = SharedBottom.from_spec(cases.chain(), cases.SIZES, dropout=0.5, **SHARED_BOTTOM)
    features, labels = make_log(50)
    first, again = model.score(features), model.predict(features, verbose=0)
    assert np.any(np.asarray(model(features, training=True)["click"]) != np.asarray(model(features)["click"]))
    for name, values in first.items():
        np.testing.assert_allclose(values, again[name], rtol=1e-5)
    model.compile(keras.optimizers.SGD(0.0))
    metrics = model.evaluate(features, labels, return_dict=True, verbose=0, batch_size=50)
    expected = sum(model.task_losses(labels, model(features, training=False)).values())
    np.testing.assert_allclose(metrics["loss"], expected, rtol=1e-5)
    trained = model.train_on_batch(features, labels, return_dict=True)
    assert abs(trained["loss"] - metrics["loss"]) > 1e-4


def test_training_step_does_not_read_the_whole_table():
    sizes = {"user": 50_000, "tags": 9, "history": 14}
    model = MMoE.from_spec(cases.pair(), sizes, embedding_l2=1e-4, **MMOE)
    model.compile(RowSparseAdam(0.01))
    table = tuple(model.embedding.table.shape)
    assert table == (50_001 + 10 + 10 + 15, 4)
    features, labels = make_log(8)
    data = (features, {name: labels[name] for name in ("click", "buy")})
    signature = tf.nest.map_structure(lambda values: tf.TensorSpec((None, *values.shape[1:]), values.dtype), data)
    assert (
        tensors_of_shape(tf.function(model.train_step, autograph=False).get_concrete_function(signature), table) == []
    )


def test_batches_of_one_row():
    model = SharedBottom.from_spec(cases.pair(), cases.SIZES, space="conditional", **SHARED_BOTTOM)
    model.compile(RowSparseAdam(0.01))
    features, labels = make_log(20)
    dataset = tf.data.Dataset.from_tensor_slices((features, {name: labels[name] for name in ("click", "buy")}))
    assert 0 < labels["click"].sum() < 20
    model.fit(dataset.batch(1), verbose=0)
    assert all(np.all(np.isfinite(weight)) for weight in model.get_weights())
    assert int(model.optimizer.iterations) == 20


def test_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = MMoE.from_spec(cases.pair(), cases.SIZES, **MMOE)
    assert {weight.dtype for weight in model.trainable_variables} == {"float32"}
    assert model.embedding.compute_dtype == "bfloat16"
    features, labels = make_log(50)
    with tf.GradientTape() as tape:
        logits = model(features, training=True)
        loss = model.compute_loss(features, labels, logits)
    assert {logit.dtype.name for logit in logits.values()} == {"float32"}
    assert loss.dtype == tf.float32
    gradients = tape.gradient(loss, model.trainable_variables)
    assert isinstance(gradients[0], tf.IndexedSlices)
    assert all(np.all(np.isfinite(tf.convert_to_tensor(gradient))) for gradient in gradients)


def test_epoch_lines():
    lines = []
    model = SharedBottom.from_spec(cases.pair(), cases.SIZES, **SHARED_BOTTOM)
    model.compile("sgd")
    data = pair_batches(200)
    history = model.fit(data, validation_data=data, epochs=2, verbose=0, callbacks=[EpochLines(lines.append)]).history
    assert len(lines) == 2
    for epoch, line in enumerate(lines):
        values = {name: f"{history[name][epoch]:.4f}" for name in history}
        assert line.startswith(f"    epoch {epoch + 1}/2  ")
        assert f" s  loss {values['loss']}  val_loss {values['val_loss']}  validation AUC " in line
        for name in ("ctr", "cvr", "ctcvr"):
            assert f" {name} {values[f'val_{name}_auc']}" in line
