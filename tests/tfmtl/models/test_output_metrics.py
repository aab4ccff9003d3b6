"""Metrics that are given to `compile` by output name."""

import keras
import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from tests.tfmtl import cases
from tests.tfmtl.tiny_models import tiny_randomized

ROWS = 96
SPEC = cases.chain()
FEATURES, LABELS = cases.features(ROWS), cases.labels(SPEC, ROWS)
WEIGHTS = np.random.default_rng(1).uniform(0, 2, ROWS).astype("float32")


def model_with(**arguments):
    model = tiny_randomized("shared_bottom", SPEC)
    model.compile("sgd", run_eagerly=True, **arguments)
    return model


def evaluated(model, labels=LABELS, weights=WEIGHTS):
    return model.evaluate(FEATURES, labels, sample_weight=weights, return_dict=True, verbose=0)


def test_metrics_are_taken_over_the_rows_of_their_space():
    metrics = {"cvr": keras.metrics.MeanSquaredError(name="mse"), "ctcvr": "mse", "views": ["mae"]}
    model = model_with(metrics=metrics, weighted_metrics={"cvr": keras.metrics.MeanSquaredError(name="weighted_mse")})
    found, scores = evaluated(model), model.score(FEATURES)
    clicked = LABELS["click"] == 1
    errors = (np.asarray(scores["cvr"]) - LABELS["buy"]) ** 2
    np.testing.assert_allclose(found["cvr_mse"], errors[clicked].mean(), rtol=1e-4)
    np.testing.assert_allclose(
        found["cvr_weighted_mse"], np.average(errors[clicked], weights=WEIGHTS[clicked]), rtol=1e-4
    )
    expected = ((np.asarray(scores["ctcvr"]) - LABELS["buy"]) ** 2).mean()
    np.testing.assert_allclose(found["ctcvr_mean_squared_error"], expected, rtol=1e-4)
    np.testing.assert_allclose(
        found["views_mean_absolute_error"], np.abs(scores["views"] - LABELS["views"]).mean(), rtol=1e-4
    )


def test_rows_whose_label_is_not_known_are_left_out():
    labels = {**LABELS, "buy": np.where(np.arange(ROWS) < 20, np.nan, LABELS["buy"]), "click": np.ones(ROWS)}
    model = model_with(metrics={"ctcvr": keras.metrics.MeanSquaredError(name="mse")})
    errors = (np.asarray(model.score(FEATURES)["ctcvr"]) - LABELS["buy"]) ** 2
    np.testing.assert_allclose(evaluated(model, labels, None)["ctcvr_mse"], errors[20:].mean(), rtol=1e-4)


@pytest.mark.parametrize(
    ("identifier", "name"),
    [
        ("accuracy", "binary_accuracy"),
        ("acc", "binary_accuracy"),
        ("crossentropy", "binary_crossentropy"),
        (keras.metrics.binary_accuracy, "binary_accuracy"),
    ],
)
def test_names_and_functions(identifier, name):
    found = evaluated(model_with(metrics={"ctr": identifier}))
    assert found[f"ctr_{name}"] > 0


def test_area_under_the_precision_recall_curve():
    metric = keras.metrics.AUC(num_thresholds=2000, curve="PR", name="pr_auc")
    model = model_with(metrics={"ctr": [metric, "accuracy"]})
    found, scores = evaluated(model), model.score(FEATURES)
    expected = average_precision_score(LABELS["click"], scores["ctr"])
    np.testing.assert_allclose(found["ctr_pr_auc"], expected, atol=0.02)
    assert {"ctr_auc", "loss", "ctr_binary_accuracy"} <= set(found)


def test_metrics_are_reset_and_validated_and_saved(tmp_path):
    model = model_with(metrics={"ctr": "accuracy"})
    history = model.fit(FEATURES, LABELS, validation_data=(FEATURES, LABELS), epochs=2, verbose=0).history
    assert len(history["ctr_binary_accuracy"]) == len(history["val_ctr_binary_accuracy"]) == 2
    first, again = evaluated(model), evaluated(model)
    assert first == again
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(evaluated(loaded)["ctr_binary_accuracy"], first["ctr_binary_accuracy"], rtol=1e-6)
    model.compile("sgd")
    assert "ctr_binary_accuracy" not in evaluated(model)


@pytest.mark.parametrize(
    ("metrics", "received"),
    [
        (["accuracy"], r"\['accuracy'\]"),
        ("accuracy", "accuracy"),
        ({"click": "accuracy"}, "a dict with the keys click"),
    ],
)
@pytest.mark.parametrize("argument", ["metrics", "weighted_metrics"])
def test_rejects_metrics_without_an_output(argument, metrics, received):
    expected = f"`{argument}` should be a dict by output name: ctr, cvr, ctcvr, back_given_buy, back, views. Received: "
    with pytest.raises(ValueError, match=expected + received):
        model_with(**{argument: metrics})


def test_rejects_a_name_that_is_reported_already():
    expected = (
        r"`metrics` of `ctr` should have a name that is not reported yet\. Received: 'auc', reported as `ctr_auc`"
    )
    with pytest.raises(ValueError, match=expected):
        model_with(metrics={"ctr": keras.metrics.AUC(name="auc")})
    with pytest.raises(ValueError, match="reported as `ctr_binary_accuracy`"):
        model_with(metrics={"ctr": "accuracy"}, weighted_metrics={"ctr": "accuracy"})
