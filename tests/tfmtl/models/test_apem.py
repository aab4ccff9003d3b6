"""APEM: the forward pass written out in NumPy, its ablations, its records and its options."""

import dataclasses
import functools

import numpy as np
import pytest

from tests.tfmtl import cases
from tests.tfmtl.model_harness import config_error
from tests.tfmtl.numpy_layers import embedded, relu_layers, softmax, tower
from tfmtl.models import APEM, model_class
from tfmtl.models.apem import APEMOptions

FEATURES = cases.features(7)
TINY = {"embedding_dim": 4, "num_layers": 3, "num_points": 5, "selector_units": [6], "tower_units": [3]}
STEP = 48_000
GAMMA = {"default": 4 - 3.9 * STEP / 50_000, "as_written": 10 - 2e-4 * STEP}
WRITTEN = {name: value for name, value in APEM.preset("as_written").items() if name not in APEM.preset("ali_ccp")}
FORMS = {"default": {}, "as_written": WRITTEN}
"""Options of the default form of the model and of the paper's."""


def apem(spec=None, step=STEP, **options):
    """Small model with large random weights, whose selectors have been trained for `step` steps."""
    model = APEM.from_spec(spec or cases.chain(), cases.SIZES, **{**TINY, **options})
    rng = np.random.default_rng(3)
    model.set_weights(
        [np.int64(step) if w.path.endswith("/step") else rng.normal(0, 0.7, w.shape) for w in model.weights]
    )
    return model


def normalize(rows, gain, bias):
    variance = rows.var(axis=-1, keepdims=True)
    return (rows - rows.mean(axis=-1, keepdims=True)) / np.sqrt(variance + 1e-3) * gain + bias


def multi_head(queries, keys, values, num_heads=2):
    parts = zip(*(np.split(one, num_heads, axis=-1) for one in (queries, keys, values)), strict=True)
    return np.concatenate([softmax(q @ k.transpose(0, 2, 1) / np.sqrt(k.shape[-1])) @ v for q, k, v in parts], axis=-1)


def numpy_selection(selector, tokens, gamma):
    _, k1, b1, k2, b2 = selector.get_weights()
    z = relu_layers(tokens.reshape(len(tokens), -1), [k1, b1]) @ k2 + b2
    return np.select([z <= -gamma / 2, z >= gamma / 2], [0, 1], -2 / gamma**3 * z**3 + 3 / (2 * gamma) * z + 0.5)


def numpy_fields(model):
    return embedded(model.embedding.get_weights()[0], FEATURES).astype("float64")


def form(model):
    return "as_written" if model.options.layer_norm else "default"


def shared_and_selections(model):
    """Y and z of each layer, equations 11 to 17, with scales, position keys and gain of the default form."""
    shared, outputs, selections = numpy_fields(model), [], []
    scale = model.options.token_scale
    for index, layer in enumerate(model.interactions):
        selection = np.ones((7, 5))
        if model.selectors:
            selection = numpy_selection(model.selectors[index], scale * shared, GAMMA[form(model)])
        weights = {weight.name: weight.numpy().astype("float64") for weight in layer.weights}
        queries = weights["points"] * selection[:, :, None]
        keys = (scale * shared + weights.get("positions", 0)) @ weights["key_kernel"]
        mixed = multi_head(queries, keys, shared @ weights["value_kernel"]) @ weights["output_kernel"]
        shared = weights.get("residual_gain", 1) * queries + mixed
        if layer.norm is not None:
            shared = normalize(shared, weights["gamma"], weights["beta"])
        outputs.append(shared)
        selections.append(selection)
    return outputs, selections


def pattern(model, index, outputs):
    """T of the last layer of the task at `index`, equations 18 and 19."""
    total = np.zeros((7, 4))
    for selector, shared in zip(model.pattern_selectors, outputs, strict=True):
        indicator, *norm = (weight[index] for weight in selector.get_weights())
        weights = softmax(model.options.token_scale * shared @ indicator / np.sqrt(4))
        total = total + np.einsum("bk,bkd->bd", weights, shared)
        total = normalize(total, *norm) if norm else total
    return total


def with_fields(model, inputs):
    """Input of a tower, to which the default form adds the embeddings of the fields."""
    return np.concatenate([inputs, numpy_fields(model).reshape(7, -1)], axis=1) if form(model) == "default" else inputs


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("asrg", ["dynamic", "static"])
@pytest.mark.parametrize("tower_input", ["flatten", "mean"])
def test_forward_pass(name, asrg, tower_input):
    model = apem(asrg=asrg, tower_input=tower_input, **FORMS[name])
    assert form(model) == name
    outputs, selections = shared_and_selections(model)
    assert asrg == "static" or 0.2 < np.mean(np.concatenate(selections) > 0) < 0.8
    common = outputs[-1].reshape(7, -1) if tower_input == "flatten" else outputs[-1].mean(axis=1)
    logits = model(FEATURES)
    assert list(logits) == ["click", "buy", "back", "views"]
    for index, (name, logit) in enumerate(logits.items()):
        inputs = with_fields(model, np.concatenate([pattern(model, index, outputs), common], axis=1))
        np.testing.assert_allclose(logit, tower(model.towers[name], inputs), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", FORMS)
def test_without_pattern_selector(name):
    model = apem(pattern_selector=False, **FORMS[name])
    common = with_fields(model, shared_and_selections(model)[0][-1].reshape(7, -1))
    assert not any("indicators" in weight.path for weight in model.weights)
    for name, logit in model(FEATURES).items():
        np.testing.assert_allclose(logit, tower(model.towers[name], common), rtol=1e-4, atol=1e-4)


def test_fields_without_asrg_attend_to_each_other():
    model = apem(asrg="self_attention", pattern_selector=False, fields_in_tower=False)
    shared = numpy_fields(model)
    for attention, norm in zip(model.interactions, model.norms, strict=True):
        query, key, value, output = attention.get_weights()
        projected = [shared @ kernel.reshape(4, 4) for kernel in (query, key, value)]
        shared = normalize(shared + multi_head(*projected) @ output.reshape(4, 4), *norm.get_weights())
    assert not any(weight.path.endswith(("/step", "/points")) for weight in model.weights)
    for name, logit in model(FEATURES).items():
        np.testing.assert_allclose(logit, tower(model.towers[name], shared.reshape(7, -1)), rtol=1e-4, atol=1e-4)


def test_pattern_selectors_without_asrg_read_the_fields():
    model = apem(asrg="self_attention", fields_in_tower=False)
    assert model.inspect(FEATURES)["pattern/buy/layer_3"].shape == (7, 4)
    assert model.inspect(FEATURES)["tower_input/buy"].shape == (7, 4 + 4 * 4)


def test_records():
    taps = apem(cases.pair()).inspect(FEATURES)
    layers = ["layer_1", "layer_2", "layer_3"]
    expected = {f"{kind}/{layer}" for kind in ("selector", "selection_rate") for layer in layers}
    expected |= {f"pattern/{task}/{layer}" for task in ("click", "buy") for layer in layers}
    expected |= {f"attention/{layer}" for layer in layers}
    expected |= {f"{kind}" for task in ("click", "buy") for kind in (f"tower_input/{task}", f"tower/{task}/0")}
    assert set(taps) == expected | {"shared_representation"}
    for layer, selection in zip(layers, shared_and_selections(apem(cases.pair()))[1], strict=True):
        np.testing.assert_allclose(taps[f"selector/{layer}"], selection, atol=1e-4)
        np.testing.assert_allclose(taps[f"selection_rate/{layer}"], (selection > 0).mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(np.sum(taps["pattern/buy/layer_2"], axis=1), 1, atol=1e-5)
    assert taps["shared_representation"].shape == (7, 5, 4)


def test_scores_of_a_row_do_not_depend_on_other_rows():
    model = apem()
    together = model.score(FEATURES)
    for row in range(7):
        alone = model.score({name: values[row : row + 1] for name, values in FEATURES.items()})
        for name, values in alone.items():
            assert values.shape == (1,)
            np.testing.assert_allclose(values[0], together[name][row], rtol=1e-4, atol=1e-6)


def test_defaults_and_presets_have_the_sizes_of_the_paper():
    preset = APEM.preset("ali_ccp")
    assert preset == {"embedding_dim": 18, "num_layers": 4, "num_points": 64, "num_heads": 2, "dependence": 1.0}
    defaults = dataclasses.asdict(APEMOptions())
    assert {name: defaults[name] for name in preset} == preset
    written = dataclasses.asdict(APEMOptions(**APEM.preset("as_written")))
    assert (written["gamma_start"], written["gamma_decay"], written["gamma_end"]) == (10.0, 2e-4, 1e-3)
    assert APEM.preset("ali_ccp_without_asrg") == {**preset, "asrg": "self_attention"}
    assert APEM.preset("ali_ccp_without_pattern_selector") == {**preset, "pattern_selector": False}
    assert APEM.preset("ali_ccp_without_dependence") == {**preset, "dependence": 0.0}
    for name in APEM.presets:
        APEMOptions(**APEM.preset(name))
    with pytest.raises(ValueError, match=r"`name` should be a preset of APEM: default, ali_.* Received: 'movies'"):
        APEM.preset("movies")
    assert model_class("apem") is APEM


def test_rejects_wrong_options():
    message = functools.partial(config_error, APEM.from_spec, cases.pair(), cases.SIZES, **TINY)
    assert message(num_heads=3) == "num_heads: should be a divisor of embedding_dim, 4. Received: 3"
    assert message(num_layers=0) == "num_layers: should be at least 1. Received: 0"
    assert message(num_points=0) == "num_points: should be at least 1. Received: 0"
    assert message(gamma_end=0.0) == "gamma_end: should be in (0, gamma_start], 4.0. Received: 0.0"
    assert message(gamma_decay=-1.0) == "gamma_decay: should be at least 0, or null. Received: -1.0"
    assert message(gamma_steps=0) == "gamma_steps: should be at least 1, or null. Received: 0"
    assert message(token_scale=0.0) == "token_scale: should be above 0. Received: 0.0"
    assert message(selector_units=[0]) == "selector_units: should be positive widths. Received: (0,)"
    assert message(tower_units=[0]) == "tower_units: should be positive widths. Received: (0,)"
    assert message(dropout=1.0) == "dropout: should be in [0, 1). Received: 1.0"
    assert message(asrg="none") == "asrg: should be one of dynamic, static, self_attention. Received: 'none'"
    assert message(dependence={"click": 1}).startswith("dependence.click: should be a binary task of the spec")
