"""Labels of NaN: on rows without the previous event they count as 0, on all other rows they have weight 0."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl import cases
from tests.tfmtl.tiny_models import rows_of, tiny, tiny_randomized
from tfmtl import DatasetSpec
from tfmtl.models.core.batches import prepare_labels
from tfmtl.optimizers import RowSparseAdam
from tfmtl.training import MetaLearning

ROWS = 40
SPEC = cases.chain()
FEATURES, LABELS = cases.features(ROWS), cases.labels(SPEC, ROWS)
WEIGHTS = np.random.default_rng(1).uniform(0, 2, ROWS).astype("float32")
FAMILIES = {
    "plain": ("shared_bottom", {}),
    "conditional": ("mmoe", {"space": "conditional"}),
    "chain losses": ("mmoe", {"dependence": 1.0, "calibrator": 0.5}),
    "class weights": ("shared_bottom", {"positive_weights": {"buy": 3.0}, "focal_gamma": 1.0}),
    "uncertainty": ("man", {}),
    "aitm": ("aitm", {}),
    "local space": ("apem", {"local_space": True, "dependence": 1.0}),
    "esmm": ("esmm", {}),
    "ips": ("escm2_ips", {}),
    "dr": ("escm2_dr", {}),
    "autoheri": ("autoheri", {}),
    "contrast": ("adaftr", {}),
    "contrast without negatives": ("adaftr", {"contrast": "bpr"}),
}
EVERY = pytest.mark.parametrize("family", FAMILIES)


def model_of(family, spec=SPEC):
    name, options = FAMILIES[family]
    return tiny_randomized(name, spec, **options)


def with_nan_where_impossible(labels, spec=SPEC):
    """Labels with NaN for each event whose previous event did not happen."""
    return {
        task.name: np.where(labels[task.follows] == 0, np.nan, labels[task.name]) if task.follows else labels[task.name]
        for task in spec.tasks
    }


def losses_and_slopes(model, labels, weights=None, features=FEATURES):
    with tf.GradientTape() as tape:
        losses = model.compute_losses(features, labels, weights, training=False)
    slopes = tape.gradient(losses.total, model.trainable_variables)
    return losses, [None if slope is None else np.asarray(tf.convert_to_tensor(slope)) for slope in slopes]


def assert_equal(one, other):
    (losses, slopes), (other_losses, other_slopes) = one, other
    assert np.isfinite(losses.total)
    np.testing.assert_array_equal(losses.total, other_losses.total)
    assert losses.extras.keys() == other_losses.extras.keys()
    for name, loss in losses.extras.items():
        np.testing.assert_array_equal(loss, other_losses.extras[name], err_msg=name)
    for name, pair in losses.tasks.items():
        np.testing.assert_array_equal(pair, other_losses.tasks[name], err_msg=name)
    for slope, other_slope in zip(slopes, other_slopes, strict=True):
        assert (slope is None) == (other_slope is None)
        if slope is not None:
            assert np.all(np.isfinite(slope))
            np.testing.assert_array_equal(slope, other_slope)


@EVERY
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["unweighted", "weighted"])
def test_nan_of_an_event_that_cannot_have_happened_is_zero(family, weights):
    model, labels = model_of(family), with_nan_where_impossible(LABELS)
    assert all(np.isnan(labels[name]).sum() > 5 for name in ("buy", "back"))
    assert_equal(losses_and_slopes(model, labels, weights), losses_and_slopes(model, LABELS, weights))


@EVERY
def test_metrics_with_nan_are_those_with_zero(family):
    model = model_of(family)
    model.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    labels = with_nan_where_impossible(LABELS)
    found, expected = (model.evaluate(FEATURES, one, return_dict=True, verbose=0) for one in (labels, LABELS))
    assert all(np.isfinite(value) for value in expected.values())
    assert found == expected


@pytest.mark.parametrize(
    "strategy", [None, pytest.param(MetaLearning(episodes=2), marks=pytest.mark.long)], ids=["plain", "maml"]
)
def test_training_with_nan_is_training_with_zero(strategy):
    results = []
    for labels in (LABELS, with_nan_where_impossible(LABELS)):
        keras.utils.set_random_seed(5)
        model = tiny("mmoe", SPEC, dependence=1.0)
        model.compile(RowSparseAdam(0.01), strategy=strategy)
        history = model.fit(FEATURES, labels, batch_size=20, shuffle=False, verbose=0).history
        assert all(np.isfinite(values[0]) for name, values in history.items() if "loss" in name)
        results.append(model.get_weights())
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


def unknown_labels(labels):
    """Labels with NaN for a few purchases and returns of rows with the previous event, and for a few clicks."""
    changed = {name: values.copy() for name, values in labels.items()}
    for name, previous in (("buy", "click"), ("back", "buy")):
        changed[name][np.flatnonzero(labels[previous] == 1)[::3]] = np.nan
    changed["click"][np.flatnonzero(labels["click"] == 0)[:2]] = np.nan
    changed["views"][:2] = np.nan
    return changed


@EVERY
def test_losses_and_gradients_with_unknown_labels_are_finite(family):
    model = model_of(family)
    for labels in (unknown_labels(LABELS), {name: np.full(ROWS, np.nan, "float32") for name in LABELS}):
        losses, slopes = losses_and_slopes(model, labels)
        assert np.isfinite(losses.total)
        assert all(np.isfinite(loss) for loss in losses.extras.values())
        assert all(np.all(np.isfinite(slope)) for slope in slopes if slope is not None)


@EVERY
def test_unknown_label_does_not_depend_on_its_value(family):
    """A row of weight 0 for a task gives the same losses whatever its label would be."""
    model, labels = model_of(family), unknown_labels(LABELS)
    prepared, weights = prepare_labels(SPEC, labels)
    masked = {name: np.isnan(values) & (np.asarray(weights.observed[name]) == 0) for name, values in labels.items()}
    assert all(masked[name].any() for name in labels)
    buy = dict(prepared)
    buy["back"] = tf.where(masked["back"], 1.0, prepared["back"])
    buy["views"] = tf.where(masked["views"], 5.0, prepared["views"])
    assert_equal(losses_and_slopes(model, prepared, weights), losses_and_slopes(model, buy, weights))


@pytest.mark.parametrize("space", ["entire", "conditional"])
def test_rows_with_an_unknown_label_are_left_out_of_this_label_alone(space):
    model = tiny_randomized("shared_bottom", SPEC, space=space)
    labels = unknown_labels(LABELS)
    logits = {name: np.asarray(logit) for name, logit in model(FEATURES).items()}
    found = model.task_losses(labels, logits)
    for task in SPEC.tasks:
        kept = ~np.isnan(labels[task.name])
        if task.follows:  # A purchase of a row without a click is known not to have happened.
            kept = kept & ~np.isnan(labels[task.follows]) if space == "conditional" else kept
        rows = {name: np.nan_to_num(values)[kept] for name, values in labels.items()}
        expected = model.task_losses(rows, {name: logit[kept] for name, logit in logits.items()})[task.name]
        np.testing.assert_allclose(found[task.name], expected, rtol=1e-5, err_msg=task.name)


def test_aucs_leave_out_rows_with_an_unknown_label():
    model = tiny_randomized("shared_bottom", SPEC)
    model.compile("sgd", run_eagerly=True)
    labels = unknown_labels(LABELS)
    found = model.evaluate(FEATURES, labels, batch_size=ROWS, return_dict=True, verbose=0)
    kept = ~np.isnan(labels["buy"])
    part = [{name: values[kept] for name, values in one.items()} for one in (FEATURES, labels)]
    expected = model.evaluate(*part, batch_size=ROWS, return_dict=True, verbose=0)
    for name in ("cvr_auc", "ctcvr_auc", "buy_loss"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5)
    assert found["ctr_auc"] != expected["ctr_auc"]


def test_prepared_labels_and_weights():
    nan = np.nan
    labels = {
        "click": [0, 0, 1, 1, nan, nan, 1],
        "buy": [nan, 0, nan, 1, nan, 1, 0],
        "back": [nan, nan, nan, 1, nan, 0, nan],
        "views": [nan, 3, 0, 1, 2, 5, 7],
    }
    prepared, weights = prepare_labels(SPEC, {name: np.float32(values) for name, values in labels.items()})
    expected = {
        "click": ([0, 0, 1, 1, 0, 0, 1], [1, 1, 1, 1, 0, 0, 1]),
        "buy": ([0, 0, 0, 1, 0, 1, 0], [1, 1, 0, 1, 0, 1, 1]),
        "back": ([0, 0, 0, 1, 0, 0, 0], [1, 1, 0, 1, 0, 1, 1]),
        "views": ([0, 3, 0, 1, 2, 5, 7], [0, 1, 1, 1, 1, 1, 1]),
    }
    for name, (values, observed) in expected.items():
        np.testing.assert_array_equal(prepared[name], values)
        np.testing.assert_array_equal(weights.observed[name], observed)
    assert weights.sample is None
    again, same = prepare_labels(SPEC, prepared, weights)
    assert same is weights
    assert again.keys() == prepared.keys()


def test_weights_of_a_task_and_of_a_pair():
    labels = {"click": np.float32([1, 1, np.nan, 0]), "buy": np.float32([1, np.nan, 1, np.nan])}
    spec = DatasetSpec.from_yaml(cases.FEATURES + cases.CLICK + cases.BUY)
    given = {"click": np.float32([1, 2, 3, 0]), "buy": np.float32([5, 6, 7, 8])}
    _, weights = prepare_labels(spec, labels, given)
    np.testing.assert_array_equal(weights.of_task("buy"), [5, 0, 7, 8])
    np.testing.assert_array_equal(weights.of_pair("buy", "click"), [5, 0, 0, 0])
    np.testing.assert_array_equal(weights.sample_of_pair("buy", "click"), [5, 6, 7, 0])
    _, unweighted = prepare_labels(spec, labels)
    np.testing.assert_array_equal(unweighted.of_task("click"), [1, 1, 0, 1])
    np.testing.assert_array_equal(unweighted.of_pair("buy", "click"), [1, 0, 0, 1])
    assert unweighted.sample_of_pair("buy", "click") is None


def test_unknown_counts_of_panels_are_left_out():
    features, labels = rows_of("m2m", 9)
    model = tiny_randomized("m2m")
    labels = {**labels, "next_pay": np.where(np.arange(9) < 3, np.nan, labels["next_pay"])}
    kept = np.arange(9) >= 3
    rows = [{name: values[kept] for name, values in one.items()} for one in (features, labels)]
    found, expected = model.compute_losses(features, labels).tasks, model.compute_losses(*rows).tasks
    np.testing.assert_allclose(found["next_pay"], expected["next_pay"], rtol=1e-4)
