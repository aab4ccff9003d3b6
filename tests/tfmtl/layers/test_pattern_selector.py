"""PatternSelector."""

import numpy as np
import pytest
from keras import ops

from tests.tfmtl.backends import assert_close, to_numpy, weight_gradients
from tests.tfmtl.layers.layer_harness import run_layer_test
from tests.tfmtl.numpy_layers import softmax
from tfmtl import introspection
from tfmtl.layers import PatternSelector

RNG = np.random.default_rng(0)
Y = RNG.normal(size=(4, 5, 6)).astype("float32")
TASKS = ["click", "buy", "back"]
PREVIOUS = {task: RNG.normal(size=(4, 6)).astype("float32") for task in TASKS}


def randomized():
    layer = PatternSelector(TASKS, name="layer_1")
    layer.build((None, 5, 6))
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(0, 1, weight.shape) for weight in layer.get_weights()])
    return layer


def attention(layer, task):
    """The weights of equation 18, one example at a time."""
    indicator = layer.get_weights()[0][TASKS.index(task)].astype("float64")
    return softmax(np.stack([y @ indicator / np.sqrt(6) for y in Y.astype("float64")]))


def expected(layer, task, previous):
    _, gain, bias = (weight[TASKS.index(task)] for weight in layer.get_weights())
    rows = previous + np.stack([w @ y for w, y in zip(attention(layer, task), Y, strict=True)])
    return (rows - rows.mean(axis=1, keepdims=True)) / np.sqrt(rows.var(axis=1, keepdims=True) + 1e-3) * gain + bias


def test_layer_contract():
    shapes = dict.fromkeys(TASKS, (4, 6))
    run_layer_test(PatternSelector, {"tasks": TASKS}, (Y, PREVIOUS), shapes)
    run_layer_test(PatternSelector, {"tasks": TASKS}, (Y,), shapes)


def test_values():
    layer = randomized()
    first, later = layer(Y), layer(Y, PREVIOUS)
    assert list(first) == list(later) == TASKS
    for task in TASKS:
        assert_close(first[task], expected(layer, task, 0), atol=1e-5)
        assert_close(later[task], expected(layer, task, PREVIOUS[task]), atol=1e-5)


def test_values_without_normalization_and_with_a_scale():
    layer = PatternSelector(TASKS, normalize=False, key_scale=4.0, indicators_initializer="random_normal")
    layer.build((None, 5, 6))
    indicators = np.random.default_rng(1).normal(size=(3, 6))
    layer.set_weights([indicators])
    later = layer(Y, PREVIOUS)
    for task, indicator in zip(TASKS, indicators, strict=True):
        weights = softmax(4.0 * Y.astype("float64") @ indicator / np.sqrt(6))
        assert_close(later[task], PREVIOUS[task] + np.einsum("bk,bkd->bd", weights, Y), atol=1e-5)
    with pytest.raises(ValueError, match=r"`key_scale` should be above 0\. Received: 0"):
        PatternSelector(TASKS, key_scale=0)


def test_layer_contract_without_normalization():
    arguments = {"tasks": TASKS, "normalize": False, "key_scale": 4.0}
    run_layer_test(PatternSelector, arguments, (Y, PREVIOUS), dict.fromkeys(TASKS, (4, 6)))


def test_weights_are_recorded():
    layer = randomized()
    with introspection.collect() as taps:
        layer(Y)
    assert list(taps) == [f"pattern/{task}/layer_1" for task in TASKS]
    for task in TASKS:
        assert_close(taps[f"pattern/{task}/layer_1"], attention(layer, task), atol=1e-5)


def test_tasks_share_no_weight():
    layer = randomized()
    gradients = weight_gradients(lambda: ops.sum(layer(Y)["buy"] ** 3), layer.trainable_weights)
    for gradient in map(to_numpy, gradients):
        assert np.any(gradient[1])
        assert not np.any(gradient[0])
        assert not np.any(gradient[2])


def test_rejects_wrong_tasks():
    for tasks in ([], ["click", "click"]):
        with pytest.raises(ValueError, match=r"`tasks` should be at least one name, without duplicates\. Received:"):
            PatternSelector(tasks)
