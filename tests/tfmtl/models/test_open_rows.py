"""Tasks that are trained on open rows: what each model's losses, metrics and outputs are on them."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl import cases
from tests.tfmtl.tiny_models import OPTIONS, rows_of, tiny, tiny_randomized
from tfmtl.config import ConfigError
from tfmtl.models.core.batches import prepare_labels
from tfmtl.optimizers import RowSparseAdam
from tfmtl.spec import OpenLabels
from tfmtl.training import MetaLearning

ROWS = 48
IMPORTANCE = OpenLabels("bought_pending", "importance", copy="bought_copy")
DELAY = OpenLabels("bought_pending", "delay", copy="bought_copy", elapsed="bought_elapsed")
WAIT = OpenLabels("bought_pending", copy="bought_copy")
MODELS = sorted(set(OPTIONS) - {"m2m"})
PRODUCTS = ("esmm", "escm2_ips", "escm2_dr", "autoheri")
"""Models whose loss is on the product of click and purchase, on all rows."""
FEATURES = cases.features(ROWS)


def with_open(options, spec=None):
    spec = spec or cases.pair()
    tasks = tuple(dataclasses.replace(task, open=options) if task.name == "buy" else task for task in spec.tasks)
    return dataclasses.replace(spec, tasks=tasks, split=dataclasses.replace(spec.split, key=("user",)))


def rows():
    """Labels of rows, of which the last dozen are copies of converted ones, and the columns of open labels."""
    random = np.random.default_rng(4)
    labels = cases.labels(cases.pair(), ROWS)
    copy = (np.arange(ROWS) >= ROWS - 12).astype("float32")
    labels = {name: np.where(copy == 1, 1, values).astype("float32") for name, values in labels.items()}
    pending = (random.random(ROWS) < 0.5).astype("float32")
    elapsed = random.exponential(2.0, ROWS).astype("float32")
    return labels | {"bought_pending": pending, "bought_copy": copy, "bought_elapsed": elapsed}


def sigmoid(z):
    return 1 / (1 + np.exp(-np.asarray(z, "float64")))


def loss_space(name, model, logits, labels):
    """Predicted probability of a purchase on the space of its loss, and the mask of this space's rows."""
    p = sigmoid(logits["buy"])
    if name in PRODUCTS:
        return p * sigmoid(logits["click"]), np.ones(ROWS)
    return p, np.ones(ROWS) if model.spaces["buy"] == "entire" else labels["click"]


@pytest.mark.parametrize("name", MODELS)
def test_loss_with_fake_negative_weights(name):
    model = tiny_randomized(name, with_open(IMPORTANCE))
    labels = rows()
    losses = model.compute_losses(FEATURES, labels, training=False)
    logits, found = losses.logits, {task: loss for task, (loss, _) in losses.tasks.items()}
    (p, used), y = loss_space(name, model, logits, labels), labels["bought_copy"]
    losses = -(y * (1 + p) * np.log(p) + (1 - y) * (1 - p) * (1 + p) * np.log1p(-p))
    np.testing.assert_allclose(found["buy"], (used * losses).sum() / used.sum(), rtol=1e-4)
    c, first = sigmoid(logits["click"]), 1 - labels["bought_copy"]
    click = -(labels["click"] * np.log(c) + (1 - labels["click"]) * np.log1p(-c))
    np.testing.assert_allclose(found["click"], (first * click).sum() / first.sum(), rtol=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_loss_of_the_delay(name):
    model = tiny_randomized(name, with_open(DELAY))
    labels = rows()
    with tf.GradientTape() as tape:
        total = model.compute_losses(FEATURES, labels, training=False)
    (p, used), y = loss_space(name, model, total.logits, labels), labels["buy"]
    rate = np.exp(np.asarray(model.delay_rates(FEATURES)).sum(1)[:, 0].astype("float64"))
    e = np.maximum(labels["bought_elapsed"], 1e-5)
    survival = np.where(labels["bought_pending"] == 1, np.exp(-rate * e), 0)
    losses = np.where(y == 1, -np.log(p) - np.log(rate) + rate * e, -np.log(1 - p + p * survival))
    used = used * (1 - labels["bought_copy"])
    np.testing.assert_allclose(total.tasks["buy"][0], (used * losses).sum() / used.sum(), rtol=1e-4)
    slope = tf.convert_to_tensor(tape.gradient(total.total, model.delay_rates.table.value))
    assert np.isfinite(slope).all()
    assert np.count_nonzero(slope) > 10


@pytest.mark.parametrize("space", ["entire", "conditional"])
@pytest.mark.parametrize("options", [IMPORTANCE, DELAY], ids=["importance", "delay"])
def test_metrics_and_calibration_take_rows_with_known_labels_once(options, space):
    labels = rows()
    open_model = tiny_randomized("mmoe", with_open(options), space=space)
    open_model.compile("sgd", run_eagerly=True)
    kept = (labels["bought_pending"] == 0) & (labels["bought_copy"] == 0)
    plain = tiny_randomized("mmoe", space=space)
    rates = [] if open_model.delay_rates is None else open_model.delay_rates.weights
    shared = [weight for weight in open_model.weights if all(weight is not rate for rate in rates)]
    plain.set_weights([weight.numpy() for weight in shared])
    plain.compile("sgd", run_eagerly=True)
    part = [{name: values[kept] for name, values in given.items()} for given in (FEATURES, labels)]
    found = open_model.evaluate(FEATURES, labels, batch_size=ROWS, return_dict=True, verbose=0)
    expected = plain.evaluate(part[0], {name: part[1][name] for name in ("click", "buy")}, return_dict=True, verbose=0)
    for name in ("cvr_auc", "ctcvr_auc"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5)


def test_open_rows_that_wait_have_no_weight_with_or_without_a_click():
    """Labels of unclicked rows are known to be 0 early: with them, the rate on the entire space would be too low."""
    labels = rows()
    model = tiny_randomized("mmoe", with_open(WAIT))
    kept = (labels["bought_pending"] == 0) & (labels["bought_copy"] == 0)
    assert (labels["click"][~kept] == 0).any()
    logits = model(FEATURES)
    expected = tiny_randomized("mmoe").task_losses(
        {name: labels[name][kept] for name in ("click", "buy")}, {name: logit[kept] for name, logit in logits.items()}
    )
    np.testing.assert_allclose(model.task_losses(labels, logits)["buy"], expected["buy"], rtol=1e-5)


def test_prepared_labels_of_copies_for_two_tasks():
    """A copy is a row of the task whose event has come, and of no other."""
    click = OpenLabels("clicked_pending", "importance", copy="clicked_copy")
    spec = with_open(IMPORTANCE)
    spec = dataclasses.replace(spec, tasks=(dataclasses.replace(spec.tasks[0], open=click), spec.tasks[1]))
    given = {
        "click": [0, 1, 1, 1], "buy": [0, 1, 0, 1], "clicked_pending": [1, 0, 0, 0], "bought_pending": [1, 1, 0, 0],
        "clicked_copy": [0, 0, 1, 0], "bought_copy": [0, 0, 0, 1],
    }  # fmt: skip
    labels, weights = prepare_labels(spec, {name: np.float32(values) for name, values in given.items()})
    np.testing.assert_array_equal(labels["buy"], [0, 1, 0, 1])
    np.testing.assert_array_equal(weights.observed["click"], [0, 1, 0, 0])
    np.testing.assert_array_equal(weights.observed["buy"], [0, 0, 0, 0])
    np.testing.assert_array_equal(weights.late["click"].label, [0, 0, 1, 0])
    np.testing.assert_array_equal(weights.late["click"].trained, [1, 1, 1, 0])
    np.testing.assert_array_equal(weights.late["buy"].label, [0, 0, 0, 1])
    np.testing.assert_array_equal(weights.late["buy"].trained, [1, 1, 0, 1])


@pytest.mark.parametrize("options", [IMPORTANCE, DELAY], ids=["importance", "delay"])
def test_a_missing_column_is_named(options):
    labels = rows()
    del labels["bought_pending"]
    with pytest.raises(ValueError, match="`y` should have the column `bought_pending`, by which `buy` is trained"):
        tiny("mmoe", with_open(options)).compute_losses(FEATURES, labels)


@pytest.mark.parametrize("option", [{"focal_gamma": 1.0}, {"positive_weights": {"buy": 2.0}}, {"local_space": True}])
def test_options_that_change_the_loss_are_refused(option):
    with pytest.raises(ConfigError, match="omitted with `maturity: importance` of buy"):
        tiny("mmoe", with_open(IMPORTANCE), **option)


@pytest.mark.parametrize("strategy", [None, MetaLearning(episodes=2)], ids=["plain", "maml"])
@pytest.mark.parametrize("options", [IMPORTANCE, DELAY], ids=["importance", "delay"])
def test_training_changes_the_rates_and_a_saved_model_has_them(options, strategy, tmp_path):
    model = tiny("mmoe", with_open(options))
    model.compile(RowSparseAdam(0.02), strategy=strategy)
    history = model.fit(FEATURES, rows(), epochs=4, batch_size=24, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert history["buy_loss"][-1] < history["buy_loss"][0]
    assert (model.delay_rates is None) == (options is IMPORTANCE)
    if options is DELAY:
        assert np.abs(model.delay_rates.table.numpy()).max() > 0.01
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        np.testing.assert_array_equal(loaded.delay_rates.table.numpy(), model.delay_rates.table.numpy())
        before = {name: np.asarray(values) for name, values in model.score(FEATURES).items()}
        model.delay_rates.table.assign_add(tf.ones(model.delay_rates.table.shape))
        for name, values in model.score(FEATURES).items():
            np.testing.assert_array_equal(values, before[name])


def test_panels_have_no_open_labels():
    labels = rows_of("m2m", 9)[1]
    assert tiny("m2m").delay_rates is None
    _, weights = prepare_labels(tiny("m2m").spec, labels)
    assert not weights.late
