"""Value tasks in every model: outputs and losses in NumPy, unknown labels, weights, units, and finite extremes."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl import cases
from tests.tfmtl.losses.test_tweedie import exact
from tests.tfmtl.numpy_layers import sigmoid
from tests.tfmtl.tiny_models import OPTIONS, tiny, tiny_randomized
from tfmtl import DatasetSpec
from tfmtl.metrics import normalized_gini
from tfmtl.models import MODELS
from tfmtl.models.core.batches import prepare_labels
from tfmtl.optimizers import RowSparseAdam
from tfmtl.sampling import NegativeSampling
from tfmtl.spec import OpenLabels, RandomSplit

SPEC = cases.values()
ROWS = 60
FEATURES, LABELS = cases.features(ROWS), cases.labels(SPEC, ROWS)
WEIGHTS = np.random.default_rng(1).uniform(0, 2, ROWS).astype("float32")
MEANS = {"revenue": 25.0, "dwell": 40.0}
NAMES = [name for name in OPTIONS if name != "m2m"]
"""All models but that of panels, whose groups of features the spec does not have."""


def losses_of(model, labels=LABELS, weights=None, features=FEATURES):
    losses = model.compute_losses(features, labels, weights, training=False)
    return {name: float(loss) for name, (loss, _) in losses.tasks.items()}


def arrays(tensors):
    return {name: np.asarray(value, "float64") for name, value in tensors.items()}


def test_every_model_is_tested():
    assert {*NAMES, "m2m"} == set(MODELS)


@pytest.mark.parametrize("name", NAMES)
def test_outputs_are_the_product_of_the_chain_and_the_conditional_mean(name):
    model = tiny_randomized(name, SPEC, label_means=MEANS)
    assert (model.spaces["revenue"], model.spaces["dwell"]) == ("conditional", "entire")
    scores, logits = arrays(model.score(FEATURES)), arrays(model(FEATURES))
    assert list(scores) == [output.name for output in SPEC.outputs]
    np.testing.assert_allclose(scores["paid"], np.exp(logits["revenue"]), rtol=1e-5)
    np.testing.assert_allclose(scores["expected"], scores["ctcvr"] * scores["paid"], rtol=1e-5)
    np.testing.assert_allclose(scores["dwell"], np.exp(logits["dwell"]), rtol=1e-5)
    assert scores["paid"].std() > 0.01 * scores["paid"].mean()


def slopes_of(model, labels=LABELS):
    """Returns the losses and metrics of a batch, and the gradients by weight."""
    weights = model.trainable_variables
    with tf.GradientTape() as tape:
        losses = model.compute_losses(FEATURES, labels)
    slopes = tape.gradient(losses.total, [weight.value for weight in weights])
    found = {
        weight.path: np.asarray(tf.convert_to_tensor(slope))
        for weight, slope in zip(weights, slopes, strict=True)
        if slope is not None
    }
    return float(losses.total), model.track(losses, labels), found


@pytest.mark.parametrize("name", NAMES)
def test_losses_metrics_and_gradients_of_every_model(name):
    model = tiny(name, SPEC, label_means=MEANS)
    loss, metrics, slopes = slopes_of(model)
    assert np.isfinite(loss)
    assert {"revenue_loss", "dwell_loss", "expected_gini", "paid_gini", "dwell_gini"} <= set(metrics)
    assert "expected_auc" not in metrics
    assert all(np.isfinite(value) for value in metrics.values())
    towers = model.serving_model().towers
    for task in ("revenue", "dwell"):
        for weight in towers[task].trainable_variables:
            assert np.any(slopes[weight.path] != 0), weight.path
    assert all(np.all(np.isfinite(slope)) for slope in slopes.values())


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("space", ["entire", "conditional"])
def test_loss_is_a_mean_over_the_rows_with_the_event_in_units_of_the_mean(space, weighted):
    model = tiny_randomized("mmoe", SPEC, label_means=MEANS, space=space)
    logits, weights = arrays(model(FEATURES)), WEIGHTS if weighted else np.ones(ROWS)
    found = losses_of(model, weights=WEIGHTS if weighted else None)
    rows = {"revenue": weights * LABELS["buy"], "dwell": weights}
    for name, power in (("revenue", 1.5), ("dwell", 1.2)):
        terms = exact(LABELS[name].astype("float64") / MEANS[name], logits[name] - np.log(MEANS[name]), power)
        np.testing.assert_allclose(found[name], (rows[name] * terms).sum() / rows[name].sum(), rtol=1e-4)


def test_esmm_trains_the_expected_value_on_all_rows():
    model = tiny_randomized("esmm", SPEC, label_means=MEANS)
    logits = arrays(model(FEATURES))
    expected = sigmoid(logits["click"]) * sigmoid(logits["buy"]) * np.exp(logits["revenue"])
    terms = exact(LABELS["revenue"].astype("float64") / 25, np.log(expected / 25), 1.5)
    np.testing.assert_allclose(losses_of(model)["revenue"], terms.mean(), rtol=1e-4)


@pytest.mark.parametrize("name", ["mmoe", "esmm"])
def test_labels_in_another_unit_give_the_same_losses_and_scores_in_that_unit(name):
    cents = {**LABELS, "revenue": 100 * LABELS["revenue"]}
    euro = tiny_randomized(name, SPEC, label_means=MEANS)
    cent = tiny_randomized(name, SPEC, label_means={**MEANS, "revenue": 2500.0})
    cent.set_weights(euro.get_weights())
    np.testing.assert_allclose(losses_of(cent, cents)["revenue"], losses_of(euro)["revenue"], rtol=1e-4)
    np.testing.assert_allclose(cent.score(FEATURES)["expected"], 100 * euro.score(FEATURES)["expected"], rtol=1e-4)


def test_a_model_without_trained_weights_predicts_the_mean():
    model = tiny("mmoe", SPEC, label_means=MEANS)
    for weight in model.trainable_variables:
        weight.assign(np.zeros(weight.shape))
    scores = arrays(model.score(FEATURES))
    np.testing.assert_allclose(scores["paid"], 25, rtol=1e-5)
    np.testing.assert_allclose(scores["expected"], 25 / 2, rtol=1e-5)


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize(
    ("name", "bias", "largest"),
    [
        *((name, 1e4, 1e15) for name in ("mmoe", "esmm", "escm2_ips", "apem", "adaftr")),
        ("escm2_dr", 100.0, 1e3),  # It squares the losses.
    ],
)
def test_losses_and_gradients_are_finite_at_extreme_logits_and_labels(name, sign, bias, largest):
    model = tiny_randomized(name, SPEC, label_means=MEANS)
    for task in MEANS:
        model.serving_model().towers[task].head.bias.assign([sign * bias])
    loss, _, slopes = slopes_of(model, {**LABELS, "revenue": np.float32(largest) * LABELS["revenue"]})
    assert np.isfinite(loss)
    assert all(np.all(np.isfinite(slope)) for slope in slopes.values())
    assert all(np.all(np.isfinite(values)) for values in arrays(model.score(FEATURES)).values())


@pytest.mark.parametrize("name", ["mmoe", "esmm", "escm2_dr"])
def test_unknown_labels_have_weight_0(name):
    model = tiny_randomized(name, SPEC, label_means=MEANS)
    hidden = np.flatnonzero(LABELS["buy"] == 1)[:4]
    weights = np.ones(ROWS, "float32")
    weights[hidden] = 0
    unknown = {**LABELS, "revenue": LABELS["revenue"].copy()}
    unknown["revenue"][hidden] = np.nan
    found = losses_of(model, unknown)["revenue"]
    assert found == pytest.approx(losses_of(model, weights={"revenue": weights})["revenue"])
    impossible = {**LABELS, "revenue": np.where(LABELS["buy"] == 0, np.nan, LABELS["revenue"])}
    assert losses_of(model, impossible) == pytest.approx(losses_of(model))


def test_a_value_is_unknown_where_the_event_is():
    """Values of events that have come by now are those of the early ones."""
    buy, revenue = np.float32([0, 1, np.nan, np.nan, np.nan]), np.float32([np.nan, 3, 0, np.nan, 4])
    labels = {"click": np.ones(5), "buy": buy, "revenue": revenue, "dwell": np.ones(5)}
    prepared, weights = prepare_labels(SPEC, labels)
    np.testing.assert_array_equal(prepared["revenue"], [0, 3, 0, 0, 4])
    np.testing.assert_array_equal(weights.of_task("revenue"), [1, 1, 0, 0, 0])


@pytest.mark.parametrize("maturity", ["wait", "delay"])
def test_a_value_is_unknown_where_the_column_of_its_event_is_1(maturity):
    elapsed = "elapsed" if maturity == "delay" else None
    options = OpenLabels("pending", maturity, copy="copy", elapsed=elapsed)
    tasks = tuple(dataclasses.replace(task, open=options) if task.name == "buy" else task for task in SPEC.tasks)
    spec = dataclasses.replace(SPEC, tasks=tasks, split=RandomSplit(key=("user",)))
    labels = {
        "click": np.ones(5),
        "buy": np.float32([0, 1, 0, 1, 1]),
        "revenue": np.float32([0, 3, 0, 4, 5]),
        "dwell": np.ones(5),
        "pending": np.float32([0, 0, 1, 1, 0]),
        "copy": np.float32([0, 0, 0, 0, 1]),
        "elapsed": np.ones(5, np.float32),
    }
    _, weights = prepare_labels(spec, labels)
    np.testing.assert_array_equal(weights.of_task("revenue"), [1, 1, 0, 0, 0])
    np.testing.assert_array_equal(weights.of_task("buy"), [1, 1, 0, 0, 0])
    np.testing.assert_array_equal(weights.of_task("click"), [1, 1, 1, 1, 0])


def test_options_of_probabilities_leave_values_out():
    plain = tiny_randomized("mmoe", SPEC, label_means=MEANS, dependence={"buy": 1.0}, calibrator=0.5)
    both = tiny_randomized("mmoe", SPEC, label_means=MEANS, dependence=1.0, calibrator=0.5)
    both.set_weights(plain.get_weights())
    one, other = (model.compute_losses(FEATURES, LABELS) for model in (plain, both))
    for name in ("dependence_loss", "calibrator_loss"):
        np.testing.assert_allclose(one.extras[name], other.extras[name])
    local = tiny_randomized("mmoe", SPEC, label_means=MEANS, local_space=True)
    local.set_weights(plain.get_weights())
    assert losses_of(local)["revenue"] == pytest.approx(losses_of(plain)["revenue"])
    with pytest.raises(ValueError, match=r"dependence\.revenue: should be a binary task of the spec that follows"):
        tiny("mmoe", SPEC, dependence={"revenue": 1.0})


def test_gini_of_each_output_is_that_on_its_space():
    model = tiny_randomized("mmoe", SPEC, label_means=MEANS)
    model.compile(RowSparseAdam(0.01), run_eagerly=True)
    metrics = model.evaluate(FEATURES, LABELS, batch_size=25, sample_weight=WEIGHTS, return_dict=True, verbose=0)
    scores, bought = arrays(model.score(FEATURES)), LABELS["buy"] == 1
    expected = normalized_gini(LABELS["revenue"][bought], scores["paid"][bought], WEIGHTS[bought])
    np.testing.assert_allclose(metrics["paid_gini"], expected, atol=2e-3)
    np.testing.assert_allclose(
        metrics["expected_gini"], normalized_gini(LABELS["revenue"], scores["expected"], WEIGHTS), atol=2e-3
    )


def test_sampling_of_negatives_changes_the_probabilities_only():
    spec = DatasetSpec.from_yaml(cases.FEATURES + cases.CLICK + cases.BUY + cases.REVENUE)
    sampled = DatasetSpec(spec.name, spec.features, spec.tasks, sampling=NegativeSampling("click", negatives=0.1))
    one, other = (tiny_randomized("mmoe", each, label_means={"revenue": 25.0}) for each in (spec, sampled))
    other.set_weights(one.get_weights())
    labels = {name: LABELS[name] for name in ("click", "buy", "revenue")}
    first, second = (model.compute_losses(FEATURES, labels, training=True).tasks for model in (one, other))
    np.testing.assert_allclose(first["revenue"][0], second["revenue"][0])
    assert abs(float(first["click"][0] - second["click"][0])) > 0.01


def test_saved_models_score_alike(tmp_path):
    import keras

    model = tiny_randomized("mmoe", SPEC, label_means=MEANS)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for name, scores in model.score(FEATURES).items():
        np.testing.assert_array_equal(loaded.score(FEATURES)[name], scores)
