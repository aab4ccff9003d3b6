"""Options `dependence`, `calibrator` and `local_space`, which every model has."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl import cases
from tests.tfmtl.model_harness import config_error
from tfmtl import DatasetSpec
from tfmtl.models import SharedBottom

CALL = "  - {name: call, label: called, follows: click}\n"
TREE = DatasetSpec.from_yaml(cases.FEATURES + cases.CLICK + cases.BUY + CALL + cases.RETURN)
FOLLOWS = {"buy": "click", "call": "click", "back": "buy"}
ROWS = 40
FEATURES = cases.features(ROWS)
LABELS = cases.labels(TREE, ROWS)
WEIGHTS = np.random.default_rng(1).uniform(0, 3, ROWS).astype("float32")
SMALL = {"embedding_dim": 4, "bottom_units": [6], "tower_units": [4]}


def model_of(spec=TREE, scale=0.7, **options):
    model = SharedBottom.from_spec(spec, cases.SIZES, **SMALL, **options)
    rng = np.random.default_rng(2)
    model.set_weights([rng.normal(0, scale, weight.shape) for weight in model.weights])
    model.compile("sgd")
    return model


def probabilities(model):
    """Probabilities on the entire space by task name, in float64."""
    own = {name: 1 / (1 + np.exp(-np.asarray(logit, "float64"))) for name, logit in model(FEATURES).items()}
    if model.options.space == "entire":
        return own
    entire = {"click": own["click"], "buy": own["click"] * own["buy"], "call": own["click"] * own["call"]}
    return {**entire, "back": entire["buy"] * own["back"]}


def squares(f, task):
    previous = FOLLOWS[task]
    return (f[previous] - f[task] - (LABELS[previous] - LABELS[task])) ** 2


@pytest.mark.parametrize("space", ["entire", "conditional"])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_dependence(space, weights):
    model = model_of(space=space, dependence={"buy": 0.5, "back": 2.0})
    f = probabilities(model)
    losses = model.compute_losses(FEATURES, LABELS, weights)
    expected = 0.5 * np.average(squares(f, "buy"), weights=weights)
    expected += 2.0 * np.average(squares(f, "back"), weights=weights)
    assert set(losses.extras) == {"dependence_loss"}
    np.testing.assert_allclose(losses.extras["dependence_loss"], expected, rtol=1e-4)
    tasks = sum(float(loss) for loss, _ in losses.tasks.values())
    np.testing.assert_allclose(losses.total, tasks + expected, rtol=1e-5)


def test_one_number_is_the_strength_for_all_tasks():
    model = model_of(dependence=0.3)
    f = probabilities(model)
    expected = 0.3 * sum(squares(f, task).mean() for task in FOLLOWS)
    np.testing.assert_allclose(model.compute_losses(FEATURES, LABELS).extras["dependence_loss"], expected, rtol=1e-4)


@pytest.mark.parametrize("space", ["entire", "conditional"])
def test_calibrator(space):
    model = model_of(space=space, calibrator=0.6)
    f = probabilities(model)
    expected = 0.6 * sum(np.maximum(f[task] - f[previous], 0).mean() for task, previous in FOLLOWS.items())
    extras = model.compute_losses(FEATURES, LABELS).extras
    assert set(extras) == {"calibrator_loss"}
    assert (expected > 0.01) == (space == "entire")
    np.testing.assert_allclose(extras["calibrator_loss"], expected, rtol=1e-4, atol=1e-7)


def test_no_loss_is_added_by_default_or_without_a_chain():
    assert model_of().compute_losses(FEATURES, LABELS).extras == {}
    independent = DatasetSpec.from_yaml(cases.FEATURES + cases.CLICK + cases.VIEWS)
    model = model_of(independent, dependence=1.0, calibrator=1.0)
    assert model.compute_losses(FEATURES, cases.labels(independent, ROWS)).extras == {}


def test_losses_are_reported_in_training_and_evaluation():
    model = model_of(dependence=1.0, calibrator=1.0)
    history = model.fit(FEATURES, LABELS, batch_size=10, epochs=2, verbose=0).history
    assert {"dependence_loss", "calibrator_loss"} <= set(history)
    metrics = model.evaluate(FEATURES, LABELS, batch_size=ROWS, return_dict=True, verbose=0)
    extras = model.compute_losses(FEATURES, LABELS, training=False).extras
    for name, loss in extras.items():
        np.testing.assert_allclose(metrics[name], loss, rtol=1e-5)


@pytest.mark.long
def test_dependence_trains_the_difference_to_the_previous_task():
    """A head without a loss of its own learns the difference to the previous task from the penalty alone."""
    model = model_of(cases.pair(), scale=0.1, task_weights={"buy": 0.0}, dependence=1.0)
    model.compile("adam")
    model.optimizer.learning_rate = 0.02
    labels = {name: LABELS[name] for name in ("click", "buy")}
    model.fit(FEATURES, labels, batch_size=ROWS, epochs=300, verbose=0)
    outputs = model.score(FEATURES)
    bought, not_bought = labels["buy"] == 1, (labels["click"] == 1) & (labels["buy"] == 0)
    assert np.mean(outputs["ctcvr"][bought]) > np.mean(outputs["ctcvr"][not_bought]) + 0.5


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_local_space(weights):
    """Rows without the previous event have weight 0; the others have the weights of the theorems."""
    model = model_of(local_space=True, dependence=0.5, max_weight=30.0)
    assert model.spaces == dict.fromkeys(LABELS, "entire")
    f = probabilities(model)
    w = np.ones(ROWS) if weights is None else weights
    losses = model.compute_losses(FEATURES, LABELS, weights)
    penalty = 0.0
    for task, previous in FOLLOWS.items():
        o, local = LABELS[task], LABELS[previous] * w
        likelihood = -np.log(np.where(o == 1, f[task], 1 - f[task]))
        gap = f[previous] - f[task]
        label_ratio = np.where(o == 1, 1, np.where(gap > 0, np.minimum((1 - f[task]) / np.abs(gap), 30), 30))
        np.testing.assert_allclose(
            losses.tasks[task][0], np.average(likelihood, weights=local * label_ratio), rtol=1e-3
        )
        difference_ratio = np.where(o == 1, np.minimum((1 - gap) / f[task], 30), 1)
        penalty += 0.5 * np.sum(local * difference_ratio * squares(f, task)) / np.sum(w)
    np.testing.assert_allclose(losses.extras["dependence_loss"], penalty, rtol=1e-3)
    first = -np.log(np.where(LABELS["click"] == 1, f["click"], 1 - f["click"]))
    np.testing.assert_allclose(losses.tasks["click"][0], np.average(first, weights=w), rtol=1e-4)


EXTREMES = [{"dependence": 1.0, "calibrator": 1.0}, {"local_space": True, "dependence": 1.0}]


@pytest.mark.parametrize("options", [*EXTREMES, {"space": "conditional", **EXTREMES[0]}])
@pytest.mark.parametrize("logit", [-100.0, 0.0, 100.0])
@pytest.mark.parametrize("rows", [1, 7])
def test_losses_and_gradients_at_extremes_are_finite(options, logit, rows):
    model = model_of(**options)
    for labels in (
        cases.labels(TREE, rows, seed=3),
        dict.fromkeys(FOLLOWS, np.zeros(rows)) | {"click": np.zeros(rows)},
    ):
        logits = {name: tf.fill([rows], logit if name != "buy" else -logit) for name in labels}
        with tf.GradientTape() as tape:
            tape.watch(logits)
            loss = model.compute_loss(None, labels, logits)
        assert np.isfinite(loss)
        assert all(np.all(np.isfinite(slope)) for slope in tape.gradient(loss, logits).values() if slope is not None)


def test_rejects_wrong_options():
    message = functools.partial(config_error, SharedBottom.from_spec, TREE, cases.SIZES, **SMALL)
    assert message(dependence=-1) == "dependence: should be at least 0. Received: -1.0"
    assert message(dependence={"buy": -1}) == "dependence.buy: should be at least 0. Received: -1.0"
    expected = "should be a binary task of the spec that follows another. Received:"
    assert message(dependence={"click": 1}) == f"dependence.click: {expected} 'click'"
    assert message(dependence={"sell": 1}) == f"dependence.sell: {expected} 'sell'"
    assert message(calibrator=-1) == "calibrator: should be at least 0. Received: -1.0"
    assert message(max_weight=0.5) == "max_weight: should be at least 1. Received: 0.5"
    conflict = "local_space: should be false where `space` is conditional. Received: True"
    assert message(local_space=True, space="conditional") == conflict
