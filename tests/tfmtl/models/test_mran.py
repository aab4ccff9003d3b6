"""MRAN: its three attentions and the towers in NumPy, and the effect of each relation."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl import cases
from tests.tfmtl.model_harness import config_error, randomized
from tests.tfmtl.models.entire_space_cases import FEATURES, SPECS
from tests.tfmtl.numpy_layers import embedded, softmax, tower
from tfmtl.models import MRAN

SMALL = {"embedding_dim": 4, "anchor_dim": 3, "tower_units": [5, 4]}


def model_of(name="chain", **options):
    return randomized(MRAN.from_spec(SPECS[name], cases.SIZES, **{**SMALL, **options}))


def normalized(x, layer):
    gain, bias = layer.norm.get_weights()
    return (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-3) * gain + bias


def self_attention(layer, x):
    """Output `(batch, n, d)`, and the weights of the heads."""
    query, key, value, output = layer.get_weights()[:4]
    width = x.shape[-1] // layer.num_heads
    mixed, weights = [], []
    for head in range(layer.num_heads):
        q, k, v = (x @ kernel[:, head * width : (head + 1) * width] for kernel in (query, key, value))
        weights.append(softmax(q @ k.transpose(0, 2, 1) / np.sqrt(width)))
        mixed.append(weights[-1] @ v)
    return normalized(x + np.concatenate(mixed, axis=-1) @ output, layer), np.stack(weights, axis=1)


def forward(model):
    """Logits by task name, and recorded tensors by path."""
    recorded = {}
    table, kernel, bias = model.anchors.get_weights()
    anchors = table @ kernel + bias
    tasks = np.where(anchors > 0, anchors, 0.2 * anchors)[None]
    tasks, recorded["self_attention/tasks"] = self_attention(model.task_attention, tasks)
    x = embedded(model.embedding.get_weights()[0], FEATURES)
    features, recorded["self_attention/features"] = self_attention(model.feature_attention, x)
    query, key = model.alignment.get_weights()[:2]
    logits = {}
    for k, task in enumerate(model.spec.tasks):
        weights = softmax((features @ key) @ (query.T @ tasks[0, k]) / np.sqrt(tasks.shape[-1]))
        recorded[f"task_feature_attention/{task.name}"] = weights
        weighted = (features * (1 + weights[:, :, None])).reshape(len(weights), -1)
        logits[task.name] = tower(model.towers[task.name], normalized(weighted, model.alignment))
    return logits, recorded


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("num_heads", [1, 2])
def test_equations(name, num_heads):
    model = model_of(name, num_heads=num_heads)
    (expected, recorded), logits, taps = forward(model), model(FEATURES), model.inspect(FEATURES)
    assert list(logits) == list(expected) == [task.name for task in SPECS[name].tasks]
    for task, logit in logits.items():
        np.testing.assert_allclose(logit, expected[task], rtol=1e-4, atol=1e-4)
    assert {path for path in taps if "attention/" in path} == set(recorded)
    for path, weights in recorded.items():
        np.testing.assert_allclose(taps[path], weights, atol=1e-4, err_msg=path)


def test_tasks_are_related_through_their_representations():
    """The anchor of a task changes other tasks through the attention between tasks only."""
    model = model_of()
    before = model(FEATURES)
    table = np.array(model.anchors.table)
    table[1] += 1.0
    model.anchors.table.assign(table)
    after = model(FEATURES)
    assert all(np.abs(after[name] - before[name]).max() > 1e-4 for name in before)
    model.task_attention.value_kernel.assign(np.zeros((4, 4)))
    alone = model(FEATURES)
    table[1] -= 1.0
    model.anchors.table.assign(table)
    changed = {name: np.abs(logit - alone[name]).max() > 1e-5 for name, logit in model(FEATURES).items()}
    assert changed == {"click": False, "buy": True, "back": False, "views": False}


def test_each_task_trains_all_attentions():
    model = model_of()
    for task in model.towers:
        with tf.GradientTape() as tape:
            logit = tf.reduce_sum(model(FEATURES)[task])
        parts = [model.task_attention, model.feature_attention, model.alignment, model.anchors]
        for part, slopes in zip(parts, tape.gradient(logit, [one.trainable_variables for one in parts]), strict=True):
            assert any(slope is not None and np.any(np.abs(slope) > 1e-8) for slope in slopes), (task, part.name)


def test_scores_of_a_row_do_not_depend_on_other_rows():
    model = model_of()
    alone = model({name: values[2:3] for name, values in FEATURES.items()}, training=True)
    for name, logit in model(FEATURES, training=True).items():
        np.testing.assert_allclose(logit[2:3], alone[name], rtol=1e-4, atol=1e-5)


def test_rejects_wrong_options():
    message = functools.partial(config_error, MRAN.from_spec, cases.pair(), cases.SIZES, **SMALL)
    assert message(num_heads=0) == "num_heads: should be at least 1. Received: 0"
    assert message(num_heads=3) == "num_heads: should be a divisor of embedding_dim, 4. Received: 3"
    assert message(anchor_dim=0) == "anchor_dim: should be at least 1. Received: 0"
    assert message(embedding_dim=0) == "embedding_dim: should be at least 1. Received: 0"
