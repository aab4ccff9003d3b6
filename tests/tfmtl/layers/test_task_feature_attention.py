"""TaskFeatureAttention."""

import numpy as np
import pytest

from tests.tfmtl.backends import assert_close, to_numpy
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
    """Outputs and weights by task, one example and one feature at a time."""
    query, key, gain, bias = (weight.astype("float64") for weight in layer.get_weights())
    outputs, weights = {}, {}
    for k, name in enumerate(TASKS):
        rows = [*zip(tasks, features, strict=True)]
        weights[name] = softmax(np.array([[(t[k] @ query) @ (h @ key) / np.sqrt(6) for h in row] for t, row in rows]))
        weighted = features * (1 + weights[name][:, :, None])
        z = weighted.reshape(len(features), -1)
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
        assert_close(found[name], outputs[name], atol=1e-5)
        assert_close(taps[f"task_feature_attention/{name}"], weights[name], atol=1e-5)


def test_task_tokens_shared_by_all_rows():
    layer = randomized()
    for one, other in zip(layer(T[:1], H).values(), layer(np.repeat(T[:1], 4, axis=0), H).values(), strict=True):
        assert_close(one, other, atol=1e-6)


def test_output_depends_on_the_weights():
    """A feature that is normalized by itself would not depend on its weight."""
    layer = randomized()
    *kernels, gain, bias = layer.get_weights()
    layer.set_weights([*kernels, np.ones_like(gain), np.zeros_like(bias)])
    parts = to_numpy(layer(T, H)["buy"]).reshape(4, 5, 6)
    kernels[0] = -kernels[0]
    layer.set_weights([*kernels, np.ones_like(gain), np.zeros_like(bias)])
    assert np.abs(parts - to_numpy(layer(T, H)["buy"]).reshape(4, 5, 6)).max() > 0.2


def test_rejects_wrong_arguments():
    for tasks in ([], ["a", "a"]):
        with pytest.raises(ValueError, match="`tasks` should be at least one name, without duplicates"):
            TaskFeatureAttention(tasks)
    for tasks in (T[:, :2], T[:, :, :5]):
        with pytest.raises(ValueError, match=r"`tasks` should be of shape \(batch, 3, 6\)\. Received: \(4, "):
            TaskFeatureAttention(TASKS)(tasks, H)
