"""Options of the losses that every model has: uncertainty, focal loss, class weights, weight decay."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl import cases
from tests.tfmtl.model_harness import config_error, randomized
from tfmtl.models import CustomizedGateControl, MMoE, SharedBottom
from tfmtl.optimizers import RowSparseAdam

ROWS = 40
FEATURES = cases.features(ROWS)
LABELS = cases.labels(cases.chain(), ROWS)
BINARY = ("click", "buy", "back")


def model_of(**options):
    small = {"embedding_dim": 4, "bottom_units": [6], "tower_units": [4]}
    model = randomized(SharedBottom.from_spec(cases.chain(), cases.SIZES, **small, **options))
    model.compile("sgd")
    return model


def mean_losses(model, binary_loss):
    """Mean loss of each task in float64; `binary_loss(p, y, task)` computes those of binary tasks."""
    logits = {name: np.asarray(logit, "float64") for name, logit in model(FEATURES).items()}
    losses = {name: binary_loss(1 / (1 + np.exp(-logits[name])), LABELS[name], name).mean() for name in BINARY}
    return {**losses, "views": (np.exp(logits["views"]) - LABELS["views"] * logits["views"]).mean()}


def cross_entropy(p, y, task):
    return -y * np.log(p) - (1 - y) * np.log(1 - p)


def gradients(model, labels=LABELS):
    with tf.GradientTape() as tape:
        loss = model.compute_loss(FEATURES, labels, model(FEATURES))
    slopes = tape.gradient(loss, model.trainable_variables)
    paths = [weight.path for weight in model.trainable_variables]
    return loss, dict(zip(paths, map(tf.convert_to_tensor, slopes), strict=True))


def test_focal_gamma():
    model = model_of(focal_gamma=2.0)
    losses = model.task_losses(LABELS, model(FEATURES))
    expected = mean_losses(model, lambda p, y, _: -y * (1 - p) ** 2 * np.log(p) - (1 - y) * p**2 * np.log(1 - p))
    for name in LABELS:
        np.testing.assert_allclose(losses[name], expected[name], rtol=1e-5)


def test_class_weights():
    weights = {"positive_weights": {"click": 3.0, "back": 0.5}, "negative_weights": {"click": 0.25, "buy": 2.0}}
    model = model_of(**weights)
    losses = model.task_losses(LABELS, model(FEATURES))

    def weighted(p, y, task):
        positive, negative = (weights[name].get(task, 1.0) for name in weights)
        return -positive * y * np.log(p) - negative * (1 - y) * np.log(1 - p)

    expected, plain = mean_losses(model, weighted), mean_losses(model, cross_entropy)
    for name in LABELS:
        np.testing.assert_allclose(losses[name], expected[name], rtol=1e-5)
        assert (abs(expected[name] - plain[name]) > 0.01) == (name in BINARY)


def test_uncertainty():
    model = model_of(weighting="uncertainty", task_weights={"buy": 0.5})
    log_variances = np.array([0.3, -1.0, 2.0, 0.7])
    model.uncertainty.set_weights([log_variances])
    losses = {**mean_losses(model, cross_entropy)}
    losses["buy"] *= 0.5
    expected = sum(np.exp(-v) * losses[name] / 2 + v / 2 for v, name in zip(log_variances, LABELS, strict=True))
    loss, slopes = gradients(model)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    expected = [0.5 - np.exp(-v) * losses[name] / 2 for v, name in zip(log_variances, LABELS, strict=True)]
    np.testing.assert_allclose(slopes[model.uncertainty.log_variances.path], expected, rtol=1e-4)
    factors = np.exp(-log_variances) / 2 * [1, 0.5, 1, 1]
    np.testing.assert_allclose([model.loss_factors()[name] for name in LABELS], factors, rtol=1e-5)


def test_fixed_weighting_has_no_trainable_weights():
    model = model_of(task_weights={"buy": 0.5})
    assert model.uncertainty is None
    assert model.loss_factors() == {"click": 1.0, "buy": 0.5, "back": 1.0, "views": 1.0}


@pytest.mark.parametrize("positive", [False, True])
def test_all_options_together_are_finite_at_extreme_logits(positive):
    model = model_of(weighting="uncertainty", focal_gamma=2.0, positive_weights={"buy": 50.0}, weight_decay=1e-3)
    for tower in model.towers.values():
        tower.head.bias.assign([-100.0 if positive else 100.0])
    labels = {name: np.full(ROWS, float(positive), "float32") for name in LABELS}
    loss, slopes = gradients(model, labels)
    assert np.isfinite(loss)
    assert all(np.isfinite(slope).all() for slope in slopes.values())


def test_uncertainty_is_trained_saved_and_loaded(tmp_path):
    model = MMoE.from_spec(cases.chain(), cases.SIZES, weighting="uncertainty", expert_units=[8], tower_units=[4])
    model.compile(RowSparseAdam(0.02))
    model.fit(FEATURES, LABELS, epochs=3, verbose=0)
    trained = model.uncertainty.get_weights()[0]
    assert np.all(np.abs(trained) > 1e-3)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.uncertainty.get_weights()[0], trained)
    assert loaded.options == model.options
    loaded.fit(FEATURES, LABELS, verbose=0)


def test_weight_decay():
    plain, decayed = model_of(), model_of(weight_decay=0.02)
    uncertain = model_of(weight_decay=0.02, weighting="uncertainty")
    before, slopes = gradients(plain)
    after, with_decay = gradients(decayed)
    dense = {weight.path: np.asarray(weight) for weight in decayed.weights if weight is not decayed.embedding.table}
    assert len(dense) == len(decayed.weights) - 1 == 18
    np.testing.assert_allclose(after - before, 0.01 * sum((w**2).sum() for w in dense.values()), rtol=1e-4)
    for old, new in zip(slopes, with_decay, strict=True):
        share = 0.02 * dense[new] if new in dense else 0
        np.testing.assert_allclose(with_decay[new], slopes[old] + share, rtol=1e-4, atol=1e-5)
    log_variances = np.asarray(uncertain.uncertainty.log_variances)
    losses = np.array(list(mean_losses(uncertain, cross_entropy).values()))
    variance_slope = gradients(uncertain)[1][uncertain.uncertainty.log_variances.path]
    np.testing.assert_allclose(variance_slope, 0.5 - np.exp(-log_variances) * losses / 2, rtol=1e-4)


def test_rejects_wrong_options():
    message = functools.partial(config_error, model_of)
    assert message(focal_gamma=-1) == "focal_gamma: should be at least 0. Received: -1.0"
    assert message(weight_decay=-1) == "weight_decay: should be at least 0. Received: -1.0"
    assert message(weighting="dynamic") == "weighting: should be one of fixed, uncertainty. Received: 'dynamic'"
    for name in ("positive_weights", "negative_weights"):
        assert message(**{name: {"buy": -2}}) == f"{name}.buy: should be at least 0. Received: -2.0"
        assert message(**{name: {"by": 2}}) == f"{name}.by: should be a task of the spec. Received: 'by'"
        assert message(**{name: {"views": 2}}) == f"{name}.views: should be a binary task. Received: 'views'"
    expected = "task_weights.buy: should be above 0 where `weighting` is uncertainty. Received: 0.0"
    assert message(weighting="uncertainty", task_weights={"buy": 0}) == expected


def test_error_for_a_preset_that_a_model_does_not_have():
    expected = "`name` should be a preset of CustomizedGateControl: default. Received: 'ali_ccp'"
    with pytest.raises(ValueError, match=expected):
        CustomizedGateControl.preset("ali_ccp")
