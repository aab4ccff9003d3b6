"""MAN: the forward pass written out in NumPy, chains and trees, its ablations, and extreme batches."""

import functools

import keras
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
from tests.tfmtl.models.entire_space_cases import PREVIOUS, SPECS
from tests.tfmtl.numpy_layers import experts, flat, gated, task_attention, tower
from tfmtl.models import MAN, model_class
from tfmtl.models.man import MANOptions

FEATURES = cases.features(7)
SMALL = {"embedding_dim": 4, "num_shared": 2, "num_per_task": 1, "expert_units": [6, 5], "tower_units": [4, 3]}


def model_of(spec, **options):
    """Model whose weights, including biases, are so large that every part matters."""
    return randomized(MAN.from_spec(spec, cases.SIZES, **{**SMALL, **options}), 0.6)


def raw(model, features):
    """Id of each field, or the mean of the ids of a multivalent field, divided by the largest id."""
    fields = []
    for name, rows in cases.ROWS.items():
        ids = features[name] / (rows - 1)
        if ids.ndim == 2:
            weights = features[name + "__weights"]
            ids = (weights * ids).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-9)
        fields.append(ids)
    return np.stack(fields, axis=1)


def expected_logits(model, x, attention=True, each=False):
    """Logits by task, from the equations of sections 3.2.2 and 3.2.3."""
    tasks = [task.name for task in model.spec.tasks]
    bank = experts(model.cgc.experts, x)
    fused, logits = {}, {}
    for i, task in enumerate(tasks):
        fused[task], _ = gated(model.cgc.gates[task], x, [bank[i], *bank[len(tasks) :]])
        if attention:
            fused[task], _ = task_attention(model.attention[task], fused[task], fused.get(PREVIOUS[task]), each)
        logits[task] = tower(model.towers[task], fused[task])
    return logits


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize(
    ("options", "inputs", "formula"),
    [
        ({}, flat, {}),
        ({"attention_query": "each"}, flat, {"each": True}),
        ({"attention": False}, flat, {"attention": False}),
        ({"inputs": "raw"}, raw, {}),
    ],
)
def test_equations(name, options, inputs, formula):
    model = model_of(SPECS[name], **options)
    expected = expected_logits(model, inputs(model, FEATURES), **formula)
    logits = model(FEATURES)
    assert list(logits) == list(expected) == [task.name for task in SPECS[name].tasks]
    for task, logit in logits.items():
        np.testing.assert_allclose(logit, expected[task], rtol=1e-4, atol=1e-4)


def test_fused_vectors_are_passed_along_the_chain():
    """The third task of a chain depends on the attention of the first task through that of the second."""
    model = model_of(cases.chain())
    before = model(FEATURES)
    model.attention["click"].value.bias.assign_add(np.ones(5))
    after = model(FEATURES)
    for task in ("click", "buy", "back"):
        assert np.abs(before[task] - after[task]).max() > 1e-3
    np.testing.assert_array_equal(before["views"], after["views"])


def test_records():
    taps = model_of(SPECS["tree"]).inspect(FEATURES)
    for task in ("click", "buy", "like"):
        assert taps[f"gate/{task}"].shape == (7, 3)
        weights = np.asarray(taps[f"task_attention/{task}"])
        assert weights.shape == (7, 2)
        np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
        assert np.all(weights[:, 0] > 0) == (task != "click")
    without = model_of(cases.pair(), attention=False).inspect(FEATURES)
    assert not any(name.startswith("task_attention") for name in without)


def test_loss_is_weighted_by_uncertainty():
    model, labels = model_of(cases.pair()), cases.labels(cases.pair(), 7)
    model.compile("sgd")
    log_variances = model.uncertainty.get_weights()[0].astype("float64")
    assert np.any(log_variances != 0)
    logits = {name: np.asarray(logit, "float64") for name, logit in model(FEATURES).items()}
    losses = [np.mean(np.logaddexp(0, logits[name]) - labels[name] * logits[name]) for name in ("click", "buy")]
    sigma = np.exp(log_variances / 2)
    expected = losses[0] / (2 * sigma[0] ** 2) + losses[1] / (2 * sigma[1] ** 2) + np.log(sigma[0] * sigma[1])
    decay = (
        sum((np.asarray(w, "float64") ** 2).sum() for w in model.weights if w.path not in _excluded_paths(model))
        * 1e-6
        / 2
    )
    squares = np.mean((np.asarray(model.embedding(FEATURES), "float64") ** 2).sum(axis=(1, 2))) * 5e-7
    loss = model.compute_loss(FEATURES, labels, model(FEATURES))
    np.testing.assert_allclose(loss, expected + decay + squares, rtol=1e-5)


def _excluded_paths(model):
    return {model.embedding.table.path, model.uncertainty.log_variances.path}


def test_defaults_are_those_of_the_paper():
    options = MANOptions()
    assert (options.num_shared, options.num_per_task) == (4, 4)
    assert (options.expert_units, options.tower_units) == ((256, 128), (128, 16, 32))
    assert (options.weighting, options.weight_decay, options.attention) == ("uncertainty", 1e-6, True)
    assert model_class("man") is MAN


def test_presets():
    built = {name: MAN.from_spec(cases.pair(), cases.SIZES, **MAN.preset(name)) for name in MAN.presets}
    assert set(built) == {"ali_ccp", "ali_ccp_without_attention", "ali_ccp_without_meta_attention"}
    assert built["ali_ccp"].embedding.output_dim == 5
    assert built["ali_ccp_without_attention"].attention == {}
    assert built["ali_ccp_without_meta_attention"].embedding.weights == []
    assert MAN.preset("ali_ccp") is not MAN.presets["ali_ccp"]
    with pytest.raises(ValueError, match=r"`name` should be a preset of MAN: default, .*attention\. Received: 'x'"):
        MAN.preset("x")


@pytest.mark.parametrize(
    "options",
    [
        {},
        pytest.param({"attention": False}, marks=pytest.mark.long),
        {"inputs": "raw"},
        pytest.param({"space": "conditional", "dropout": 0.1}, marks=pytest.mark.long),
    ],
)
def test_training_saving_and_loading(options, tmp_path):
    features, labels = cases.features(60), cases.labels(cases.chain(), 60)
    model = MAN.from_spec(cases.chain(), cases.SIZES, **{**SMALL, **options})
    assert_trains_saves_and_loads(model, features, labels, tmp_path, fall=0.02)


@pytest.mark.parametrize("space", ["entire", "conditional"])
@pytest.mark.parametrize("rows", [1, 7])
@pytest.mark.parametrize("bias", [0.0, -100.0, 100.0])
def test_extreme_batches(space, rows, bias):
    model = model_of(cases.chain(), space=space)
    assert_finite_losses_and_gradients(model, rows, 4 * [bias])


def test_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = model_of(cases.chain())
    assert {weight.dtype for weight in model.trainable_variables} == {"float32"}
    losses = model.compute_losses(FEATURES, cases.labels(cases.chain(), 7))
    assert losses.total.dtype == tf.float32
    assert np.isfinite(losses.total)


def test_rejects_wrong_options():
    message = functools.partial(config_error, MAN.from_spec, cases.pair(), cases.SIZES, **SMALL)
    assert message(num_shared=-1) == "num_shared: should be at least 0. Received: -1"
    assert message(num_per_task=-1) == "num_per_task: should be at least 0. Received: -1"
    expected = "num_per_task: should be at least 1 where `num_shared` is 0. Received: 0"
    assert message(num_shared=0, num_per_task=0) == expected
    assert message(dropout=1.0) == "dropout: should be in [0, 1). Received: 1.0"
    assert message(expert_units=[]) == "expert_units: should be one or more positive widths. Received: ()"
    assert message(tower_units=[0]) == "tower_units: should be positive widths. Received: (0,)"
    assert message(inputs="ids") == "inputs: should be one of embedding, raw. Received: 'ids'"
    assert message(attention_query="x") == "attention_query: should be one of current, each. Received: 'x'"
