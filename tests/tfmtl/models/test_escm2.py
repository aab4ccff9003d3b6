"""ESCM2 with IPS and with DR: the counterfactual risks written out in NumPy, and the weights that they train."""

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
from tfmtl.models import ESCM2DR, ESCM2IPS, ESMM, model_class
from tfmtl.models.core.batches import prepare_labels

SMALL = {"embedding_dim": 4, "tower_units": [5, 3]}
BOTH = pytest.mark.parametrize("kind", [ESCM2IPS, ESCM2DR])
WEIGHTS = np.float32([1, 2, 0, 1, 3, 1, 0.5])


def model_of(kind, name="chain", **options):
    return randomized(kind.from_spec(SPECS[name], cases.SIZES, **{**SMALL, **options}))


def expected_extras(model, labels, weights, max_weight):
    """IPS risk, DR risk and loss of the imputation for each task that follows another."""
    logits = {task: np.asarray(logit, "float64") for task, logit in model(FEATURES).items()}
    entire, x = products(logits), flat(model, FEATURES)
    found = {}
    for task in logits:
        previous = PREVIOUS[task]
        if previous:
            e = cross_entropy(labels[task], sigmoid(logits[task]))
            inverse = labels[previous] * np.minimum(1 / entire[previous], max_weight)
            ips = inverse * e
            found[task] = [np.average(ips, weights=weights)]
            if hasattr(model, "imputations"):
                d = np.log1p(np.exp(tower(model.imputations[task], x)))
                found[task].append(np.average(d + inverse * (e - d), weights=weights))
                found[task].append(np.average(inverse * (e - d) ** 2, weights=weights))
    return found


@BOTH
@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize(("weights", "max_weight"), [(None, 100.0), (WEIGHTS, 3.0)])
def test_equations(kind, name, weights, max_weight):
    model = model_of(kind, name, counterfactual_weight=0.7, max_weight=max_weight)
    labels = cases.labels(SPECS[name], 7)
    losses = model.compute_losses(FEATURES, labels, weights)
    esmm = ESMM.from_spec(SPECS[name], cases.SIZES, **SMALL)
    for task, loss in esmm.task_losses(labels, model(FEATURES), weights).items():
        np.testing.assert_allclose(losses.tasks[task][0], loss, rtol=1e-5)
    expected = {}
    for task, (ips, *dr) in expected_extras(model, labels, weights, max_weight).items():
        expected[f"{task}_counterfactual_loss"] = 0.7 * (dr[0] if dr else ips)
        if dr:
            expected[f"{task}_imputation_loss"] = 0.1 * dr[1]
    assert set(losses.extras) == set(expected) == set(model.extra_loss_names)
    assert len(expected) == {"one": 0}.get(name, 2 if kind is ESCM2IPS else 4)
    for loss, value in expected.items():
        np.testing.assert_allclose(losses.extras[loss], value, rtol=1e-4, atol=1e-6)
    total = sum(float(loss) for loss, _ in losses.tasks.values()) + sum(expected.values())
    np.testing.assert_allclose(losses.total, total, rtol=1e-4)


def click_gradient(**options):
    """Gradient of the risk of `buy` by the logit of the click, and its expected value."""
    model = model_of(ESCM2IPS, "tree", **options)
    labels, weights = prepare_labels(SPECS["tree"], {name: np.ones(7) for name in ("click", "buy", "like")})
    logits = {name: tf.constant(logit) for name, logit in model(FEATURES).items()}
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = model.extra_losses(labels, logits, {}, weights)["buy_counterfactual_loss"]
    ctr, cvr = sigmoid(logits["click"]), sigmoid(logits["buy"])
    slopes = tape.gradient(loss, logits)
    np.testing.assert_allclose(slopes["buy"], -0.1 * (1 - cvr) / ctr / 7, rtol=1e-4)
    return slopes["click"], 0.1 * -np.log(cvr) * -(1 - ctr) / ctr / 7


def test_propensity_is_a_constant_by_default():
    assert click_gradient()[0] is None
    slopes, expected = click_gradient(propensity_gradient=True)
    np.testing.assert_allclose(slopes, expected, rtol=1e-4)


def test_imputation_and_conversion_are_trained_by_separate_losses():
    """The loss of the imputation has no gradient in the towers, and the risk has none in the tower of the click."""
    model, labels = model_of(ESCM2DR, "tree"), cases.labels(SPECS["tree"], 7)
    assert labels["click"].sum() > 0
    with tf.GradientTape(persistent=True) as tape:
        extras = model.compute_losses(FEATURES, labels).extras
        fit, risk = extras["buy_imputation_loss"], extras["buy_counterfactual_loss"]
    weights = {name: model.towers[name].trainable_variables for name in ("click", "buy")}
    assert set(map(type, tape.gradient(fit, weights["click"] + weights["buy"]))) == {type(None)}
    assert set(map(type, tape.gradient(risk, weights["click"]))) == {type(None)}
    assert all(np.any(slope) for slope in tape.gradient(risk, weights["buy"]))
    own = model.imputations["buy"].trainable_variables
    assert all(np.any(slope) for slope in tape.gradient(fit, own))
    assert {id(one) for one in own} <= {id(one) for layer in model.upper_layers for one in layer.trainable_variables}


@BOTH
@pytest.mark.parametrize(("rows", "gradient"), [(1, False), (7, True)])
def test_extreme_batches(kind, rows, gradient):
    model = model_of(kind, propensity_gradient=gradient)
    for biases in ((0, 0, 0), (-100, -100, -100), (100, 100, 100), (-100, 100, -100), (100, -100, 0)):
        assert_finite_losses_and_gradients(model, rows, biases)


def test_scores_do_not_depend_on_the_imputation():
    model = model_of(ESCM2DR)
    before = model.score(FEATURES)
    taps = model.inspect(FEATURES)
    assert {name for name in taps if name.startswith("imputation/")} == {"imputation/buy", "imputation/back"}
    assert taps["imputation/buy"].shape == (7,)
    assert np.min(taps["imputation/buy"]) >= 0
    for own in model.imputations.values():
        own.set_weights([weight + 1 for weight in own.get_weights()])
    assert np.max(np.abs(model.inspect(FEATURES)["imputation/buy"] - taps["imputation/buy"])) > 0.1
    for name, values in model.score(FEATURES).items():
        np.testing.assert_array_equal(values, before[name])


@BOTH
def test_training_saving_and_loading(kind, tmp_path):
    features, labels = cases.features(60), cases.labels(SPECS["tree"], 60)
    model = model_of(kind, "tree", dropout=0.1)
    history = assert_trains_saves_and_loads(model, features, labels, tmp_path, fall=0.05)
    assert set(model.extra_loss_names) <= set(history)


def test_preset_and_registry():
    built = ESCM2DR.from_spec(cases.pair(), cases.SIZES, **ESCM2DR.preset("ali_ccp"))
    assert built.imputations["buy"].hidden.units == (360, 200, 80)
    assert (model_class("escm2_ips"), model_class("escm2_dr")) == (ESCM2IPS, ESCM2DR)


def test_rejects_wrong_options():
    def message(kind, **changed):
        return config_error(kind.from_spec, cases.pair(), cases.SIZES, **{**SMALL, **changed})

    expected = "counterfactual_weight: should be at least 0. Received: -1.0"
    assert message(ESCM2IPS, counterfactual_weight=-1.0) == expected
    assert message(ESCM2DR, imputation_weight=-1.0) == "imputation_weight: should be at least 0. Received: -1.0"
    assert "space: should be entire" in message(ESCM2DR, space="conditional")
