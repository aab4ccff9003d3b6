"""Offsets of counts: the logarithm of the exposure is added to the logit, in every model, once."""

import dataclasses

import keras
import numpy as np
import pytest

from tests.tfmtl import cases, panel_cases
from tests.tfmtl.model_harness import assert_trains_saves_and_loads
from tests.tfmtl.numpy_layers import embedded, experts, flat, gated, tower
from tests.tfmtl.tiny_models import OPTIONS, tiny, tiny_randomized
from tfmtl.spec import DatasetSpec, Offset
from tfmtl.training import MetaLearning

EXPOSURES = np.float32([3.0, 0.5, 0.0, -2.0, np.nan, 1e6, 0.01])
FLOORED = np.array([3.0, 0.5, 0.2, 0.2, 0.2, 1e6, 0.2])


def with_offset(spec: DatasetSpec, name: str, offset: Offset | str) -> DatasetSpec:
    tasks = [dataclasses.replace(task, offset=offset if task.name == name else None) for task in spec.tasks]
    return dataclasses.replace(spec, tasks=tuple(tasks))


CHAIN = with_offset(cases.chain(), "views", Offset("price", floor=0.2))
PANEL = with_offset(panel_cases.SPEC, "next_pay", Offset("clicks", mean_of_last=3, floor=0.2))
CHAIN_FEATURES = {**cases.features(7), "views__exposure": EXPOSURES}
PANEL_FEATURES = {**panel_cases.features(7), "next_pay__exposure": EXPOSURES}


def case_of(name):
    """Returns the spec, the sizes of vocabularies, the features and the output of the task with the offset."""
    if name == "m2m":
        return PANEL, panel_cases.SIZES, PANEL_FEATURES, "next_pay"
    return CHAIN, cases.SIZES, CHAIN_FEATURES, "views"


@pytest.mark.parametrize("name", OPTIONS)
def test_prediction_of_a_network_without_output_is_the_exposure(name):
    spec, sizes, features, output = case_of(name)
    model = tiny(name, spec, sizes)
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
    for other, scores in model.score(features).items():
        np.testing.assert_allclose(scores, FLOORED if other == output else scores[0], rtol=1e-5)


@pytest.mark.parametrize("name", ["mmoe", "adaftr"])
@pytest.mark.parametrize("wide", [False, True])
def test_logits_are_those_of_the_network_plus_the_offset(name, wide):
    options = {"backbone_options": OPTIONS["mmoe"]} if name == "adaftr" else OPTIONS["mmoe"]
    model = tiny_randomized(name, CHAIN, wide=wide, **options)
    network = model.serving_model()
    x = flat(network, CHAIN_FEATURES)
    bank = experts(network.experts, x)
    logits = model(CHAIN_FEATURES)
    for i, task in enumerate(("click", "buy", "back", "views")):
        expected = tower(network.towers[task], gated(network.gates[task], x, bank)[0])
        if wide:
            expected = expected + embedded(network.wide.get_weights()[0], CHAIN_FEATURES).sum(axis=1)[:, i]
        if task == "views":
            expected = expected + np.log(FLOORED)
        np.testing.assert_allclose(logits[task], expected, rtol=1e-4, atol=1e-5)


def test_loss_is_the_likelihood_at_the_rate():
    model, labels = tiny_randomized("mmoe", CHAIN), cases.labels(CHAIN, 7)
    log_rate = np.asarray(model(CHAIN_FEATURES)["views"], "float64")
    without = tiny("mmoe", cases.chain())
    without.set_weights(model.get_weights())
    np.testing.assert_allclose(log_rate, without(cases.features(7))["views"] + np.log(FLOORED), rtol=1e-4, atol=1e-5)
    loss = model.compute_losses(CHAIN_FEATURES, labels).tasks["views"][0]
    np.testing.assert_allclose(loss, np.mean(np.exp(log_rate) - labels["views"] * log_rate), rtol=1e-4)


def test_rates_are_learned_per_exposure(tmp_path):
    """The label is 3 events per unit of exposure; a model that starts at 1 learns the factor."""
    rng = np.random.default_rng(0)
    exposure = rng.uniform(0.5, 40, 128).astype("float32")
    features = {**cases.features(128), "views__exposure": exposure}
    labels = {**cases.labels(CHAIN, 128), "views": rng.poisson(3 * exposure).astype("float32")}
    model = tiny("shared_bottom", CHAIN)
    assert_trains_saves_and_loads(model, features, labels, tmp_path, fall=1.0)
    ratio = np.asarray(model.score(features)["views"]) / exposure
    assert 2.5 < np.mean(ratio) < 3.5


def test_mixed_precision_keeps_the_exposure_in_float32():
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = tiny("mmoe", CHAIN)
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
    exposures = np.float32([1.001, 123.4, 98765.4])
    features = {name: values[:3] for name, values in CHAIN_FEATURES.items()} | {"views__exposure": exposures}
    np.testing.assert_allclose(model.score(features)["views"], exposures, rtol=1e-5)


def test_meta_learning_and_shapes_of_a_column():
    model, labels = tiny("mmoe", CHAIN), cases.labels(CHAIN, 7)
    column = {**CHAIN_FEATURES, "views__exposure": EXPOSURES[:, None]}
    np.testing.assert_array_equal(model.score(column)["views"], model.score(CHAIN_FEATURES)["views"])
    model.compile("sgd", strategy=MetaLearning(episodes=2), run_eagerly=True)
    assert np.isfinite(model.train_on_batch(column, labels, return_dict=True)["views_loss"])
    assert model.input_signature["views__exposure"].shape == (None,)


def test_missing_exposure_is_an_error():
    model = tiny("mmoe", CHAIN)
    with pytest.raises(ValueError, match="`features` should contain `views__exposure`, the exposure of `views`"):
        model.score(cases.features(7))
