"""AITM: the forward pass written out in NumPy, chains and trees, its calibrator, and extreme batches."""

import functools

import numpy as np
import pytest

from tests.tfmtl import cases
from tests.tfmtl.model_harness import (
    assert_finite_losses_and_gradients,
    assert_trains_saves_and_loads,
    config_error,
    randomized,
)
from tests.tfmtl.models.entire_space_cases import FEATURES, PREVIOUS, SPECS
from tests.tfmtl.numpy_layers import cross_entropy, flat, relu_layers, sigmoid, task_attention, tower
from tfmtl.models import AITM, model_class
from tfmtl.models.aitm import AITMOptions

SMALL = {"embedding_dim": 4, "bottom_units": [6, 5]}


def model_of(name="chain", **options):
    return randomized(AITM.from_spec(SPECS[name], cases.SIZES, **{**SMALL, **options}))


def expected_logits(model):
    """Logits by task from info unit, AIT module and tower, and the weights of the attention."""
    x, fused, weights, logits = flat(model, FEATURES), {}, {}, {}
    for task in model.spec.tasks:
        q = relu_layers(x, model.bottoms[task.name].get_weights())
        if task.follows:
            p = relu_layers(fused[PREVIOUS[task.name]], model.info[task.name].get_weights())
            q, weights[task.name] = task_attention(model.attention[task.name], q, p, each=True)
        fused[task.name] = q
        logits[task.name] = tower(model.towers[task.name], q)
    return logits, weights


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("tower_units", [[], [4]])
def test_equations(name, tower_units):
    model = model_of(name, tower_units=tower_units)
    expected, weights = expected_logits(model)
    logits = model(FEATURES)
    assert list(logits) == list(expected) == [task.name for task in SPECS[name].tasks]
    for task, logit in logits.items():
        np.testing.assert_allclose(logit, expected[task], rtol=1e-4, atol=1e-5)
    taps = model.inspect(FEATURES)
    assert {tap for tap in taps if tap.startswith("task_attention/")} == {f"task_attention/{task}" for task in weights}
    for task, value in weights.items():
        np.testing.assert_allclose(taps[f"task_attention/{task}"], value, atol=1e-5)
        assert taps[f"info/{task}"].shape == (7, 5)


def test_information_is_transferred_along_the_chain():
    """A task depends on the tasks before it in its chain, and on no other task."""
    model = model_of()
    before = model(FEATURES)
    model.bottoms["buy"].set_weights([weight + 0.3 for weight in model.bottoms["buy"].get_weights()])
    changed = {name: np.abs(logit - before[name]).max() > 1e-3 for name, logit in model(FEATURES).items()}
    assert changed == {"click": False, "buy": True, "back": True, "views": False}


@pytest.mark.parametrize("calibrator", [0.6, 0.0])
def test_loss_includes_the_calibrator(calibrator):
    model, labels = model_of("tree", calibrator=calibrator), cases.labels(SPECS["tree"], 7)
    p = {name: sigmoid(logit) for name, logit in model(FEATURES).items()}
    likelihood = sum(np.mean(cross_entropy(labels[name], p[name])) for name in p)
    excess = sum(np.mean(np.maximum(p[name] - p["click"], 0)) for name in ("buy", "like"))
    assert excess > 0.01
    losses = model.compute_losses(FEATURES, labels)
    np.testing.assert_allclose(losses.total, likelihood + calibrator * excess, rtol=1e-5)
    assert set(losses.extras) == ({"calibrator_loss"} if calibrator else set())
    assert AITMOptions().calibrator == 0.6


@pytest.mark.parametrize(("space", "rows"), [("entire", 1), ("entire", 7), ("conditional", 7)])
def test_extreme_batches(space, rows):
    model = model_of(space=space)
    for biases in ((0, 0, 0), (-100, -100, -100), (100, 100, 100), (-100, 100, -100)):
        assert_finite_losses_and_gradients(model, rows, biases)


def test_second_stage_trains_the_layers_above_the_bottoms():
    model = model_of("tree")
    upper = {weight.path for layer in model.upper_layers for weight in layer.trainable_variables}
    lower = {weight.path for bottom in model.bottoms.values() for weight in bottom.trainable_variables}
    assert upper | lower | {model.embedding.table.path} == {weight.path for weight in model.trainable_variables}
    assert not upper & lower


def test_training_saving_and_loading(tmp_path):
    features, labels = cases.features(60), cases.labels(SPECS["tree"], 60)
    model = model_of("tree", dropout=0.1, tower_units=[4])
    assert_trains_saves_and_loads(model, features, labels, tmp_path, fall=0.05)


def test_preset_and_registry():
    built = AITM.from_spec(cases.pair(), cases.SIZES, **AITM.preset("ali_ccp"))
    assert (built.embedding.output_dim, built.bottoms["buy"].units, built.options.calibrator) == (5, (128, 64, 32), 0.6)
    assert model_class("aitm") is AITM


def test_rejects_wrong_options():
    message = functools.partial(config_error, AITM.from_spec, cases.pair(), cases.SIZES, **SMALL)
    assert message(bottom_units=[]) == "bottom_units: should be one or more positive widths. Received: ()"
    assert message(tower_units=[0]) == "tower_units: should be positive widths. Received: (0,)"
    assert message(dropout=1.0) == "dropout: should be in [0, 1). Received: 1.0"
    assert message(calibrator=-1.0) == "calibrator: should be at least 0. Received: -1.0"
