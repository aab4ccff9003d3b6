"""Calibration of the heads of a model: outputs, derived outputs, scenarios, saving, and wrong options."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl import cases
from tests.tfmtl.model_harness import assert_same_arrays, randomized
from tests.tfmtl.models.adaftr_cases import BACKBONES
from tfmtl.config import ConfigError
from tfmtl.models import AdaFTR, MMoE

ROWS = 4000
SPEC = dataclasses.replace(cases.chain(), scenario="user")
FEATURES = {**cases.features(ROWS), "user": np.arange(ROWS) % 4}
LABELS = cases.labels(SPEC, ROWS)
DATA = tf.data.Dataset.from_tensor_slices((FEATURES, LABELS)).batch(512)


def model(spec=SPEC, **options):
    options = {"embedding_dim": 4, "num_experts": 2, "expert_units": [5], "tower_units": [4], **options}
    return randomized_network(MMoE.from_spec(spec, cases.SIZES, **options))


def randomized_network(made):
    """Model with large random weights and maps that are the identity."""
    maps = {task: layer.get_weights() for task, layer in made.calibrations.items()}
    randomized(made, 0.4)
    for task, layer in made.calibrations.items():
        layer.set_weights(maps[task])
    return made


@pytest.mark.parametrize("space", ["entire", "conditional"])
@pytest.mark.parametrize("method", ["isotonic", "platt"])
def test_outputs_of_heads_are_calibrated(method, space):
    made = model(calibration=method, space=space)
    made.calibrate(DATA)
    scores = made.score(FEATURES)
    click, buy = LABELS["click"], LABELS["buy"]
    assert np.mean(scores["ctr"]) == pytest.approx(click.mean(), rel=0.02)
    assert np.mean(scores["ctcvr"]) == pytest.approx(buy.mean(), rel=0.1)
    if space == "conditional":
        assert np.mean(scores["cvr"][click == 1]) == pytest.approx(buy[click == 1].mean(), rel=0.02)
        np.testing.assert_allclose(scores["ctcvr"], scores["ctr"] * scores["cvr"], rtol=1e-6)
    else:
        assert np.mean(scores["ctcvr"]) == pytest.approx(buy.mean(), rel=0.02)
        expected = np.minimum(scores["ctcvr"] / np.asarray(scores["ctr"]), 1)
        np.testing.assert_allclose(scores["cvr"], expected, rtol=1e-5)


def test_only_named_heads_change():
    made = model(calibration={"click": "platt"})
    before = made.score(FEATURES)
    made.calibrate(DATA)
    after = made.score(FEATURES)
    assert not np.allclose(before["ctr"], after["ctr"])
    for name in ("ctcvr", "views"):
        np.testing.assert_array_equal(before[name], after[name])


def test_scenarios_with_enough_rows_have_maps_of_their_own():
    rare = np.where(np.arange(ROWS) < ROWS - 50, np.arange(ROWS) % 3, 3)
    click = (np.random.default_rng(0).random(ROWS) < np.array([0.2, 0.3, 0.6, 0.5])[rare]).astype("float32")
    labels = {**LABELS, "click": click, "buy": 0 * click, "back": 0 * click}
    features = {**FEATURES, "user": rare}
    data = tf.data.Dataset.from_tensor_slices((features, labels)).batch(512)
    made = model(calibration={"click": "platt"})
    assert made.calibrate(data) == {"click": 3}
    ctr = np.asarray(made.score(features)["ctr"])
    for group in range(3):
        assert ctr[rare == group].mean() == pytest.approx(click[rare == group].mean(), rel=0.05)
    shared = model(calibration={"click": "platt"}, calibration_rows=ROWS)
    assert shared.calibrate(data) == {"click": 0}
    np.testing.assert_array_equal(ctr[rare == 3], np.asarray(shared.score(features)["ctr"])[rare == 3])


def test_weights_and_unknown_labels_count():
    made, other = model(calibration={"buy": "platt"}), model(calibration={"buy": "platt"})
    known = np.arange(ROWS) % 2 == 0
    made.calibrate([(FEATURES, LABELS, known.astype("float32"))])
    part = {name: values[known] for name, values in FEATURES.items()}
    other.calibrate([(part, {name: values[known] for name, values in LABELS.items()})])
    assert_same_arrays(made.score(FEATURES), other.score(FEATURES))
    unknown = {
        **LABELS,
        "click": np.where(known, LABELS["click"], np.nan),
        "buy": np.where(known, LABELS["buy"], np.nan),
    }
    unknown["back"] = np.where(known, LABELS["back"], np.nan)
    made.calibrate([(FEATURES, unknown)])
    assert_same_arrays(made.score(FEATURES), other.score(FEATURES))


def test_calibrating_again_replaces_the_maps():
    made = model(calibration="platt")
    made.calibrate(DATA)
    first = made.score(FEATURES)
    made.calibrate(DATA)
    assert_same_arrays(made.score(FEATURES), first)


def test_calibrated_model_is_saved_and_loaded(tmp_path):
    made = model(calibration="isotonic")
    made.calibrate(DATA)
    made.save(tmp_path / "model.keras")
    assert_same_arrays(keras.saving.load_model(tmp_path / "model.keras").score(FEATURES), made.score(FEATURES))


def test_maps_are_not_trained():
    made = model(calibration="platt")
    made.calibrate(DATA)
    before = {task: layer.get_weights() for task, layer in made.calibrations.items()}
    made.compile("sgd", run_eagerly=True)
    made.train_on_batch(FEATURES, LABELS)
    for task, layer in made.calibrations.items():
        assert_same_arrays(dict(enumerate(layer.get_weights())), dict(enumerate(before[task])))


def test_backbone_of_adaftr_is_calibrated():
    made = AdaFTR.from_spec(SPEC, cases.SIZES, backbone="mmoe", backbone_options=BACKBONES["mmoe"], calibration="platt")
    assert not made.calibrations
    made.calibrate(DATA)
    scores = made.score(FEATURES)
    assert np.mean(scores["ctr"]) == pytest.approx(LABELS["click"].mean(), rel=0.02)
    assert_same_arrays(made.serving_model().score(FEATURES), scores)


def test_model_without_the_option_has_no_maps():
    made = model()
    assert made.calibrate(DATA) == {}
    assert not any("calibration" in weight.path for weight in made.weights)


def test_head_with_few_events_keeps_its_logits():
    made = model(calibration="isotonic")
    before = made.score(FEATURES)
    made.calibrate(DATA)
    labels = {**LABELS, "buy": 0 * LABELS["buy"], "back": 0 * LABELS["back"]}
    with pytest.warns(UserWarning, match="the head of `buy` is not calibrated: labels should have at least 10"):
        assert made.calibrate([(FEATURES, labels)]) == {"click": 4}
    np.testing.assert_array_equal(made.score(FEATURES)["ctcvr"], before["ctcvr"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"calibration": "spline"}, "calibration: should be"),
        ({"calibration": {"click": "spline"}}, "calibration"),
        ({"calibration": {"views": "platt"}}, r"calibration\.views: should be a binary task of the spec"),
        ({"calibration_rows": 0}, "calibration_rows: should be at least 1"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ConfigError, match=message):
        model(**options)
