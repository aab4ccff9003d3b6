"""M2M: the forward pass written out in NumPy, ablations, options, and specs without groups."""

import dataclasses

import numpy as np
import pytest

from tests.tfmtl import panel_cases
from tests.tfmtl.numpy_layers import softmax
from tests.tfmtl.panel_cases import LENGTHS, OPTIONS, ROWS, SIZES, SPEC, VARIANTS, model_of
from tfmtl import DatasetSpec
from tfmtl.config import ConfigError
from tfmtl.models import M2M
from tfmtl.spec import Task

FEATURES = panel_cases.features(7)
LABELS = panel_cases.labels(7)
GROUPS = {"behaviour": ["logins", "campaign"], "performance": ["clicks"]}
EACH_VARIANT = pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)


def array(weight):
    return np.asarray(weight, "float64")


def leaky(x):
    return np.where(x > 0, x, 0.2 * x)


def layers(x, weights):
    for kernel, bias in zip(weights[::2], weights[1::2], strict=True):
        x = leaky(x @ array(kernel) + array(bias))
    return x


def numpy_unit(unit, h, s):
    """Equations 9 to 13."""
    for weights in unit.layer_weights:
        w = {name: array(weight) for name, weight in weights.items()}
        matrix, bias = w["base"], w["bias"]
        if "kernel" in w:
            matrix = matrix + np.tensordot(s, w["kernel"], 1)
        if "left" in w:
            shape = (len(h), -1)
            left, right = ((s @ w[side] + w[side + "_base"]).reshape(shape) for side in ("left", "right"))
            matrix = matrix + right @ left.T
        if "bias_kernel" in w:
            bias = bias + s @ w["bias_kernel"]
        h = leaky(h @ matrix + bias)
    return h


def numpy_encoder(encoder, x, present):
    """Equations 2 to 4 for one row."""
    positions = array(encoder.positions)
    outputs = np.zeros((len(x), x.shape[1] + positions.shape[1]))
    there = np.flatnonzero(present)
    places = np.concatenate([x, positions], axis=1)[there]
    if not encoder.attention or not len(there):
        outputs[there] = places
        return outputs
    q, k, v = (places @ array(kernel) for kernel in encoder.projections)
    width = q.shape[1] // encoder.num_heads
    heads = []
    for i in range(encoder.num_heads):
        part = slice(i * width, (i + 1) * width)
        heads.append(softmax(q[:, part] @ k[:, part].T / np.sqrt(width)) @ v[:, part])
    outputs[there] = np.concatenate(heads, axis=1) @ array(encoder.output_kernel) + encoder.residual * places
    return outputs


def numpy_logits(model, features, row):
    """Logits of one row by task name, in float64."""
    table, first, embedded = array(model.embedding.table), 0, {}
    for name, count in ROWS.items():
        found = table[first + features[name][row]]
        first += count
        if name in LENGTHS:
            found = found * features[name + "__weights"][row][:, None]
        embedded[name] = found
    words = features["words__weights"][row].sum()
    parts = []
    for group, names in GROUPS.items():
        x = np.concatenate([embedded[name] for name in names], axis=1)
        present = np.max([features[name + "__weights"][row] for name in names], axis=0)
        encoded = numpy_encoder(model.encoders[group], x, present)
        mean = encoded.sum(axis=0) / max(present.sum(), 1)
        parts.append(mean if model.options.sequence_pooling == "mean" else encoded.ravel())
    f = np.concatenate([*parts, embedded["size"], embedded["words"].sum(axis=0) / max(words, 1)])
    count = len(model.options.view_units)
    kernels, biases = model.experts.weights[:count], model.experts.weights[count:]
    views = []
    for e in range(model.options.num_views):
        flat = [w for kernel, bias in zip(kernels, biases, strict=True) for w in (kernel[e], bias[e, 0])]
        views.append(layers(f, flat))
    known = np.concatenate([embedded["channel"], embedded["reach"], embedded["size"]])
    s = layers(known, model.knowledge.weights)
    task_table, *anchor_layer = model.anchors.weights
    logits = {}
    for i, task in enumerate(SPEC.tasks):
        anchor = layers(array(task_table)[i], anchor_layer)
        attention, tower = model.attention[task.name], model.towers[task.name]
        joined = [numpy_unit(attention.unit, np.concatenate([view, anchor]), s) for view in views]
        alpha = softmax(np.array([h @ array(attention.vector)[:, 0] for h in joined]))
        hidden = sum(a * view for a, view in zip(alpha, views, strict=True))
        for unit in tower.units:
            hidden = leaky(numpy_unit(unit, hidden, s) + hidden)
        logits[task.name] = hidden @ array(tower.head.kernel)[:, 0] + array(tower.head.bias)[0]
    return logits


@EACH_VARIANT
def test_forward_pass(options):
    model = model_of(**options)
    logits = model(FEATURES)
    assert list(logits) == ["next_clicks", "next_pay"]
    expected = [numpy_logits(model, FEATURES, row) for row in range(7)]
    for name, values in logits.items():
        scale = max(1.0, np.abs(values).max())
        np.testing.assert_allclose(values, [row[name] for row in expected], rtol=1e-5, atol=1e-5 * scale)
        assert np.ptp(values) > 0.1


def test_loss_is_equation_19():
    model = model_of(scale=0.3, task_weights={"next_pay": 0.5}, weight_decay=2e-3)
    model.compile("sgd")
    losses = model.compute_losses(FEATURES, LABELS)
    expected = 0.0
    for name, factor in (("next_clicks", 1.0), ("next_pay", 0.5)):
        rates = np.exp(array(model(FEATURES)[name]))
        expected += factor * np.mean(rates - LABELS[name] * np.log(rates))
    squares = sum(np.sum(array(w) ** 2) for w in model.trainable_variables if w is not model.embedding.table)
    np.testing.assert_allclose(losses.total, expected + 1e-3 * squares, rtol=1e-5)


def test_embedding_l2_of_present_days():
    model, plain = model_of(embedding_l2=0.03), model_of()
    embedded = plain.embedding.lookup(FEATURES)
    expected = np.zeros(7)
    for name, rows in embedded.items():
        squares = (array(rows) ** 2).sum(axis=-1)
        if squares.ndim == 2:
            days = FEATURES[name + "__weights"]
            squares = (days * squares).sum(axis=1) / np.maximum(days.sum(axis=1), 1)
        expected += squares
    model(FEATURES)
    np.testing.assert_allclose(sum(model.losses), 0.03 * expected.mean(), rtol=1e-5)


def test_records():
    taps = model_of().inspect(FEATURES)
    task_patterns = ("tower_input/{}", "tower/{}/0", "tower/{}/1", "meta_attention/{}")
    task_paths = {path.format(task.name) for task in SPEC.tasks for path in task_patterns}
    sequence_paths = {f"sequence_attention/{group}" for group in GROUPS}
    assert set(taps) == {*task_paths, *sequence_paths, "scenario_knowledge"}
    assert taps["meta_attention/next_pay"].shape == (7, 3)
    assert taps["sequence_attention/behaviour"].shape == (7, 2, 4, 4)
    assert taps["scenario_knowledge"].shape == (7, 4)


def test_chunked_products_do_not_change_logits():
    whole, chunked = model_of(), model_of(meta_memory_mb=1e-4)
    assert chunked.options != whole.options
    for one, other in zip(whole(FEATURES).values(), chunked(FEATURES).values(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_scenario_acts_only_through_generated_weights():
    for options, acts in (({}, True), ({"meta_tower": False, "meta_attention": False}, False)):
        model = model_of(**options)
        other = {**FEATURES, "channel": (FEATURES["channel"] + 1) % 6}
        same = [np.allclose(a, b) for a, b in zip(model(FEATURES).values(), model(other).values(), strict=True)]
        assert same == [not acts] * 2


def test_scores_of_a_row_do_not_depend_on_other_rows():
    model = model_of()
    together = model.score(FEATURES)
    for row in range(7):
        alone = model.score({name: values[row : row + 1] for name, values in FEATURES.items()})
        for name, values in alone.items():
            np.testing.assert_allclose(values[0], together[name][row], rtol=1e-4)


def test_presets():
    assert M2M.preset("taobao") == {}
    defaults = M2M.options_class(**M2M.preset("taobao"))
    assert (defaults.meta_layers, defaults.knowledge_units, defaults.view_units) == (3, (64,), (256,))
    assert (defaults.embedding_dim, defaults.num_heads, defaults.anchor_units) == (16, 2, 256)
    switched = {name: M2M.options_class(**preset) for name, preset in M2M.presets.items()}
    assert not switched["taobao_without_meta_tower"].meta_tower
    assert not switched["taobao_without_meta_attention"].meta_attention
    assert not switched["taobao_without_transformer"].transformer


def test_spec_without_groups_uses_its_scenario():
    spec = dataclasses.replace(SPEC, groups={})
    model = M2M.from_spec(spec, SIZES, **OPTIONS)
    assert model.encoders == {}
    assert model.knowledge.weights[0].shape == (4, 4)
    assert model.score(FEATURES)["next_pay"].shape == (7,)


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({}, {"num_views": 0}, "num_views: should be at least 1. Received: 0"),
        ({}, {"meta_rank": 0}, "meta_rank: should be at least 1, or null. Received: 0"),
        ({}, {"meta_memory_mb": 0.0}, "meta_memory_mb: should be above 0. Received: 0.0"),
        ({}, {"view_units": []}, "view_units: should be one or more positive widths. Received: ()"),
        ({}, {"dropout": 1.0}, "dropout: should be in [0, 1). Received: 1.0"),
        ({}, {"sequence_pooling": "max"}, "sequence_pooling: should be one of flatten, mean. Received: 'max'"),
        (
            {},
            {"sequence_groups": ["profile"]},
            "sequence_groups: should be groups of sequences of one length (size). Received: 'profile'",
        ),
        (
            {"groups": {"scenario": ("channel",), "behaviour": ("logins", "clicks")}},
            {},
            "sequence_groups: should be groups of sequences of one length (logins, clicks). Received: 'behaviour'",
        ),
        (
            {"groups": {"profile": ("size",)}, "scenario": None},
            {},
            "scenario_group: should be a group of the spec (profile), which names no `scenario`. Received: 'scenario'",
        ),
        (
            {"groups": {"scenario": tuple(ROWS)}},
            {},
            "scenario_group: should be a group that does not contain all features. Received: 'scenario'",
        ),
    ],
)
def test_rejects_wrong_options(changes, options, message):
    with pytest.raises(ConfigError) as caught:
        M2M.from_spec(dataclasses.replace(SPEC, **changes), SIZES, **{**OPTIONS, **options})
    assert str(caught.value) == message


def test_each_task_has_a_tower():
    tasks = (*SPEC.tasks, Task("active", "is_active"))
    model = M2M.from_spec(DatasetSpec(**{**vars(SPEC), "tasks": tasks}), SIZES, **OPTIONS)
    assert set(model.towers) == {"next_clicks", "next_pay", "active"}
    assert 0 < float(model.score(FEATURES)["active"][0]) < 1
