"""TaskFeatureAttention."""

import numpy as np
import pytest

from tests.tfmtl.layers.layer_harness import run_layer_test
from tests.tfmtl.numpy_layers import softmax
from tfmtl import introspection
from tfmtl.layers import TaskFeatureAttention

TASKS = ["click", "buy", "back"]
RNG = np.random.default_rng(0)
T = RNG.normal(size=(4, 3, 6)).astype("float32")
H = RNG.normal(size=(4, 5, 6)).astype("float32")


def randomized():
    layer = TaskFeatureAttention(TASKS)
    layer.build((None, 3, 6), (None, 5, 6))
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(0, 0.7, weight.shape) for weight in layer.get_weights()])
    return layer


def expected(layer, tasks, features):
    """By task, one example and one feature at a time: outputs and weights."""
    query, key, gain, bias = (weight.astype("float64") for weight in layer.get_weights())
    outputs, weights = {}, {}
    for k, name in enumerate(TASKS):
        rows = [*zip(tasks, features, strict=True)]
        weights[name] = softmax(np.array([[(t[k] @ query) @ (h @ key) / np.sqrt(6) for h in row] for t, row in rows]))
        weighed = features * (1 + weights[name][:, :, None])
        z = weighed.reshape(len(features), -1)
        spread = np.sqrt(z.var(axis=1, keepdims=True) + 1e-3)
        outputs[name] = (z - z.mean(axis=1, keepdims=True)) / spread * gain + bias
    return outputs, weights


def test_layer_contract():
    run_layer_test(TaskFeatureAttention, {"tasks": TASKS, "epsilon": 1e-4}, (T, H), dict.fromkeys(TASKS, (4, 30)))


def test_values_and_weights():
    layer = randomized()
    outputs, weights = expected(layer, T, H)
    with introspection.collect() as taps:
        found = layer(T, H)
    assert list(found) == TASKS
    assert list(taps) == [f"task_feature_attention/{name}" for name in TASKS]
    for name in TASKS:
        np.testing.assert_allclose(found[name], outputs[name], atol=1e-5)
        np.testing.assert_allclose(taps[f"task_feature_attention/{name}"], weights[name], atol=1e-5)


def test_tasks_that_are_the_same_for_all_rows():
    layer = randomized()
    for one, other in zip(layer(T[:1], H).values(), layer(np.repeat(T[:1], 4, axis=0), H).values(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_weights_reach_what_follows():
    """Normalized by itself, a feature would be the same whatever its weight is."""
    layer = randomized()
    *kernels, gain, bias = layer.get_weights()
    layer.set_weights([*kernels, np.ones_like(gain), np.zeros_like(bias)])
    parts = np.asarray(layer(T, H)["buy"]).reshape(4, 5, 6)
    kernels[0] = -kernels[0]
    layer.set_weights([*kernels, np.ones_like(gain), np.zeros_like(bias)])
    assert np.abs(parts - np.asarray(layer(T, H)["buy"]).reshape(4, 5, 6)).max() > 0.2


def test_bad_arguments():
    for tasks in ([], ["a", "a"]):
        with pytest.raises(ValueError, match="`tasks` should be at least one name, without duplicates"):
            TaskFeatureAttention(tasks)
    for tasks in (T[:, :2], T[:, :, :5]):
        with pytest.raises(ValueError, match=r"`tasks` should be of shape \(batch, 3, 6\)\. Received: \(4, "):
            TaskFeatureAttention(TASKS)(tasks, H)
