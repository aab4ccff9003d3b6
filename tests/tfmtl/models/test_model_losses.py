"""Losses of a model by task, space and weight, and their gradients."""

import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl import cases
from tests.tfmtl.model_harness import randomized
from tfmtl.models import MMoE, SharedBottom

ROWS = 40
FEATURES = cases.features(ROWS)
LABELS = cases.labels(cases.chain(), ROWS)
SAMPLE_WEIGHT = np.random.default_rng(1).uniform(0, 3, ROWS).astype("float32")


def model_of(space="entire", **options):
    small = {"embedding_dim": 4, "bottom_units": [6], "tower_units": [4]}
    model = randomized(SharedBottom.from_spec(cases.chain(), cases.SIZES, space=space, **small, **options))
    model.compile("sgd")
    return model


def row_losses(model):
    """Loss of each row by task name, in float64."""
    logits = {name: np.asarray(logit, "float64") for name, logit in model(FEATURES).items()}
    losses = {name: np.logaddexp(0, logits[name]) - LABELS[name] * logits[name] for name in ("click", "buy", "back")}
    return {**losses, "views": np.exp(logits["views"]) - LABELS["views"] * logits["views"]}


@pytest.mark.parametrize("weighted", [False, True])
def test_entire_space_is_the_mean_over_all_rows(weighted):
    model = model_of()
    weights = SAMPLE_WEIGHT if weighted else None
    losses = model.task_losses(LABELS, model(FEATURES), weights)
    assert model.spaces == dict.fromkeys(LABELS, "entire")
    for name, values in row_losses(model).items():
        np.testing.assert_allclose(losses[name], np.average(values, weights=weights), rtol=1e-5)


@pytest.mark.parametrize("weighted", [False, True])
def test_conditional_space_is_the_mean_over_the_rows_with_the_previous_event(weighted):
    model = model_of("conditional")
    weights = SAMPLE_WEIGHT if weighted else np.ones(ROWS)
    losses = model.task_losses(LABELS, model(FEATURES), weights if weighted else None)
    assert model.spaces == {"click": "entire", "buy": "conditional", "back": "conditional", "views": "entire"}
    for name, values in row_losses(model).items():
        previous = {"buy": "click", "back": "buy"}.get(name)
        kept = LABELS[previous] == 1 if previous else np.ones(ROWS, bool)
        assert kept.sum() > 0
        np.testing.assert_allclose(losses[name], np.average(values[kept], weights=weights[kept]), rtol=1e-5)


def gradients(model, features, labels):
    with tf.GradientTape() as tape:
        loss = model.compute_loss(features, labels, model(features))
    return loss, tape.gradient(loss, model.trainable_variables)


@pytest.mark.parametrize("space", ["entire", "conditional"])
def test_batch_without_an_event(space):
    model = model_of(space)
    labels = {name: np.zeros(ROWS, "float32") for name in LABELS}
    losses = model.task_losses(labels, model(FEATURES))
    assert (float(losses["buy"]) == 0) == (space == "conditional")
    assert (float(losses["back"]) == 0) == (space == "conditional")
    assert float(losses["click"]) > 0
    loss, slopes = gradients(model, FEATURES, labels)
    assert np.isfinite(loss)
    assert all(np.all(np.isfinite(tf.convert_to_tensor(slope))) for slope in slopes)
    tower = [id(weight) for weight in model.towers["buy"].trainable_variables]
    tower_slopes = [s for s, weight in zip(slopes, model.trainable_variables, strict=True) if id(weight) in tower]
    assert len(tower_slopes) == 4
    assert any(np.any(slope) for slope in tower_slopes) == (space == "entire")


@pytest.mark.parametrize("space", ["entire", "conditional"])
def test_batch_of_one_row(space):
    model = model_of(space)
    for row in range(5):
        one = {name: values[row : row + 1] for name, values in FEATURES.items()}
        row_labels = {name: values[row : row + 1] for name, values in LABELS.items()}
        loss, slopes = gradients(model, one, row_labels)
        assert np.isfinite(loss)
        assert all(np.all(np.isfinite(tf.convert_to_tensor(slope))) for slope in slopes)


def test_weights_of_zero_give_losses_of_zero():
    model = model_of()
    losses = model.task_losses(LABELS, model(FEATURES), np.zeros(ROWS, "float32"))
    assert all(float(loss) == 0 for loss in losses.values())


def test_task_weights():
    model = model_of(task_weights={"buy": 0.5, "views": 0})
    expected = {name: values.mean() for name, values in row_losses(model).items()}
    loss = model.compute_loss(FEATURES, LABELS, model(FEATURES))
    np.testing.assert_allclose(loss, expected["click"] + 0.5 * expected["buy"] + expected["back"], rtol=1e-5)


def test_embedding_l2_is_added_to_the_loss():
    model, plain = model_of(embedding_l2=0.03), model_of()
    plain.set_weights(model.get_weights())
    embedded = np.asarray(plain.embedding(FEATURES), "float64")
    share = 0.03 * (embedded**2).sum(axis=(1, 2)).mean()
    with_l2 = float(model.compute_loss(FEATURES, LABELS, model(FEATURES)))
    without = float(plain.compute_loss(FEATURES, LABELS, plain(FEATURES)))
    assert share > 0.01
    np.testing.assert_allclose(with_l2 - without, share, rtol=1e-4)


def test_embedding_l2_decays_only_rows_that_are_looked_up():
    model = model_of(embedding_l2=0.03)
    _, slopes = gradients(model, model.zero_batch(3), {name: np.zeros(3, "float32") for name in LABELS})
    assert isinstance(slopes[0], tf.IndexedSlices)
    firsts = np.cumsum([0, *cases.ROWS.values()])[:-1]
    assert set(np.asarray(slopes[0].indices)) == set(firsts)


@pytest.mark.parametrize("kind", [MMoE, SharedBottom])
def test_every_weight_has_a_gradient_and_the_table_a_sparse_one(kind):
    model = kind.from_spec(cases.chain(), cases.SIZES)
    _, slopes = gradients(model, FEATURES, LABELS)
    for slope, weight in zip(slopes, model.trainable_variables, strict=True):
        assert slope is not None, weight.path
        assert isinstance(slope, tf.IndexedSlices) == (weight is model.embedding.table)


def test_rejects_a_loss():
    model = model_of()
    expected = r"`loss` should be left out: the kinds of the tasks define it\. Received: mse"
    with pytest.raises(ValueError, match=expected):
        model.compile("sgd", loss="mse")
