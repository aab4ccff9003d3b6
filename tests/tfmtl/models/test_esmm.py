"""ESMM: forward pass and losses written out in NumPy, on a chain, a tree and one task."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl import cases
from tests.tfmtl.model_harness import (
    assert_finite_losses_and_gradients,
    assert_trains_saves_and_loads,
    config_error,
    randomized,
)
from tests.tfmtl.models.entire_space_cases import FEATURES, PREVIOUS, SPECS, products
from tests.tfmtl.numpy_layers import cross_entropy, flat, sigmoid, tower
from tfmtl.models import ESMM, AdaFTR, model_class

SMALL = {"embedding_dim": 4, "tower_units": [5, 3]}


def model_of(name="chain", **options):
    return randomized(ESMM.from_spec(SPECS[name], cases.SIZES, **{**SMALL, **options}))


@pytest.mark.parametrize("name", SPECS)
def test_outputs_are_products_of_the_towers(name):
    model = model_of(name)
    x, logits = flat(model, FEATURES), model(FEATURES)
    assert list(logits) == [task.name for task in SPECS[name].tasks]
    for task, logit in logits.items():
        np.testing.assert_allclose(logit, tower(model.towers[task], x), rtol=1e-4, atol=1e-5)
    scores, entire = model.score(FEATURES), products(logits)
    for task in SPECS[name].tasks:
        if task.kind == "binary":
            np.testing.assert_allclose(scores[task.output], entire[task.name], rtol=1e-5)
        if task.follows:
            np.testing.assert_allclose(scores[task.conditional_output], sigmoid(logits[task.name]), rtol=1e-5)
            assert model.spaces[task.name] == "conditional"
        else:
            assert model.spaces[task.name] == "entire"


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("weighted", [False, True])
def test_each_loss_is_a_mean_over_all_rows(name, weighted):
    model, labels = model_of(name, task_weights={"click": 0.5}), cases.labels(SPECS[name], 7)
    weights = np.float32([1, 2, 0, 1, 3, 1, 0.5]) if weighted else np.ones(7, "float32")
    losses = model.compute_losses(FEATURES, labels, weights if weighted else None)
    logits = {task: np.asarray(logit, "float64") for task, logit in model(FEATURES).items()}
    rows = {task: cross_entropy(labels[task], p) for task, p in products(logits).items()}
    if "views" in logits:
        rows["views"] = np.exp(logits["views"]) - labels["views"] * logits["views"]
    expected = {task: (weights * row).sum() / weights.sum() for task, row in rows.items()}
    assert set(losses.tasks) == set(expected)
    for task, (loss, weight) in losses.tasks.items():
        np.testing.assert_allclose(loss, expected[task], rtol=1e-5)
        np.testing.assert_allclose(weight, weights.sum(), rtol=1e-6)
    total = sum(expected.values()) - 0.5 * expected["click"]
    np.testing.assert_allclose(losses.total, total, rtol=1e-5)
    assert losses.extras == {}


def test_options_of_losses_apply_to_the_product():
    """Class weights and the focal loss apply to P(buy), not to P(buy | click); the calibrator is always 0."""
    options = {"positive_weights": {"buy": 3.0}, "negative_weights": {"buy": 0.5}, "focal_gamma": 2.0}
    model, labels = model_of(**options, calibrator=1.0), cases.labels(SPECS["chain"], 7)
    losses = model.compute_losses(FEATURES, labels)
    p, y = products(model(FEATURES))["buy"], labels["buy"]
    focal = np.where(y == 1, -3 * (1 - p) ** 2 * np.log(p), -0.5 * p**2 * np.log1p(-p))
    np.testing.assert_allclose(losses.tasks["buy"][0], focal.mean(), rtol=1e-4)
    np.testing.assert_allclose(losses.extras["calibrator_loss"], 0, atol=1e-7)


def test_rows_without_a_click_train_both_heads():
    """d loss / d cvr logit of a row without a click is ctr * cvr * (1 - cvr) / (1 - ctcvr)."""
    model = model_of("tree")
    labels = {name: np.zeros(7, "float32") for name in ("click", "buy", "like")}
    logits = {name: tf.constant(logit) for name, logit in model(FEATURES).items()}
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = model.task_losses(labels, logits)["buy"]
    ctr, cvr = sigmoid(logits["click"]), sigmoid(logits["buy"])
    slopes = tape.gradient(loss, logits)
    np.testing.assert_allclose(slopes["buy"], ctr * cvr * (1 - cvr) / (1 - ctr * cvr) / 7, rtol=1e-4)
    np.testing.assert_allclose(slopes["click"], ctr * cvr * (1 - ctr) / (1 - ctr * cvr) / 7, rtol=1e-4)
    assert slopes["like"] is None


@pytest.mark.parametrize("rows", [1, 7])
def test_extreme_batches(rows):
    model = model_of()
    for biases in ((0, 0, 0), (-100, -100, -100), (100, 100, 100), (-100, 100, -100), (100, -100, 0)):
        assert_finite_losses_and_gradients(model, rows, biases)


def test_records():
    taps = model_of("tree").inspect(FEATURES)
    tasks = ("click", "buy", "like")
    assert set(taps) == {
        f"{kind}/{t}{i}" for t in tasks for kind, i in (("tower_input", ""), *(("tower", f"/{i}") for i in (0, 1)))
    }


def test_training_saving_and_loading(tmp_path):
    features, labels = cases.features(60), cases.labels(SPECS["tree"], 60)
    model = model_of("tree", dropout=0.1)
    assert_trains_saves_and_loads(model, features, labels, tmp_path, fall=0.05)


def test_adaftr_backbone():
    """AdaFTR with this backbone has its losses and its spaces."""
    own = model_of()
    options = {"embedding_dim": 4, "space": "entire", "backbone_options": {"tower_units": [5, 3]}}
    wrapped = AdaFTR.from_spec(SPECS["chain"], cases.SIZES, backbone="esmm", **options)
    wrapped.backbone.set_weights(own.get_weights())
    labels = cases.labels(SPECS["chain"], 7)
    found, expected = wrapped.compute_losses(FEATURES, labels).tasks, own.compute_losses(FEATURES, labels).tasks
    for task in PREVIOUS:
        if task in expected:
            np.testing.assert_allclose(found[task][0], expected[task][0], rtol=1e-5)
    assert wrapped.spaces == own.spaces


def test_preset_and_registry():
    built = ESMM.from_spec(cases.pair(), cases.SIZES, **ESMM.preset("ali_ccp"))
    assert (built.embedding.output_dim, built.towers["buy"].hidden.units) == (18, (360, 200, 80))
    assert model_class("esmm") is ESMM


def test_rejects_wrong_options():
    message = functools.partial(config_error, ESMM.from_spec, cases.pair(), cases.SIZES, **SMALL)
    assert (
        message(space="conditional")
        == "space: should be entire, because all losses are over all rows. Received: 'conditional'"
    )
    expected = "local_space: should be false, because all losses are over all rows. Received: True"
    assert message(local_space=True) == expected
    assert message(tower_units=[0]) == "tower_units: should be positive widths. Received: (0,)"
    assert message(dropout=1.0) == "dropout: should be in [0, 1). Received: 1.0"
