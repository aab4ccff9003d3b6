"""MetaUnit."""

import numpy as np
import pytest

from tests.tfmtl.backends import assert_close, to_numpy
from tests.tfmtl.layers.layer_harness import run_layer_test
from tfmtl.layers import MetaUnit

RNG = np.random.default_rng(0)
H = RNG.normal(size=(4, 6)).astype("float32")
VIEWS = RNG.normal(size=(4, 3, 6)).astype("float32")
KNOWLEDGE = RNG.normal(size=(4, 5)).astype("float32")
KINDS = {
    "full": {"num_layers": 2},
    "chunked": {"num_layers": 2, "memory_mb": 2 * 36 * 4 / 2**20},
    "factorized": {"num_layers": 2, "rank": 2},
    "ordinary": {"num_layers": 2, "generated": False},
}
BY_KIND = pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)


def leaky(x):
    return np.where(x > 0, x, 0.2 * x)


@BY_KIND
@pytest.mark.parametrize("inputs", [H, VIEWS], ids=["vector", "views"])
def test_layer_contract(options, inputs):
    run_layer_test(MetaUnit, options, (inputs, KNOWLEDGE), inputs.shape)


def randomized(options, inputs, activation="leaky_relu"):
    layer = MetaUnit(**options, activation=activation)
    layer(inputs, KNOWLEDGE)
    layer.set_weights([RNG.normal(0, 0.6, weight.shape) for weight in layer.weights])
    return layer


def numpy_unit(layer, h, s):
    """Equations 9 to 13 for one vector h of one example with knowledge s, in float64."""
    for weights in layer.layer_weights:
        w = {name: to_numpy(weight).astype("float64") for name, weight in weights.items()}
        matrix, bias = w["base"], w["bias"]
        if "kernel" in w:
            matrix = matrix + sum(s[k] * w["kernel"][k] for k in range(5))
        if "left" in w:
            left = (s @ w["left"] + w["left_base"]).reshape(6, 2)
            right = (s @ w["right"] + w["right_base"]).reshape(6, 2)
            matrix = matrix + right @ left.T  # h is a row: h W, where the paper has W h.
        if "bias_kernel" in w:
            bias = bias + s @ w["bias_kernel"]
        h = leaky(h @ matrix + bias)
    return h


@BY_KIND
def test_values_of_views(options):
    layer = randomized(options, VIEWS)
    outputs = to_numpy(layer(VIEWS, KNOWLEDGE))
    for row, view in np.ndindex(4, 3):
        expected = numpy_unit(layer, VIEWS[row, view].astype("float64"), KNOWLEDGE[row])
        assert_close(outputs[row, view], expected, rtol=1e-4, atol=1e-5)


@BY_KIND
def test_values_of_a_vector(options):
    layer = randomized(options, H)
    outputs = to_numpy(layer(H, KNOWLEDGE))
    for row in range(4):
        expected = numpy_unit(layer, H[row].astype("float64"), KNOWLEDGE[row])
        assert_close(outputs[row], expected, rtol=1e-4, atol=1e-5)


@BY_KIND
def test_outputs_depend_on_the_knowledge_unless_nothing_is_generated(options):
    layer = randomized(options, H)
    outputs, others = (to_numpy(layer(H, knowledge)) for knowledge in (KNOWLEDGE, KNOWLEDGE[::-1].copy()))
    assert np.allclose(outputs, others) == (options == KINDS["ordinary"])


@BY_KIND
def test_other_activation(options):
    layer = randomized({**options, "num_layers": 1}, H, activation="tanh")
    linear = randomized({**options, "num_layers": 1}, H, activation="linear")
    linear.set_weights(layer.get_weights())
    assert_close(layer(H, KNOWLEDGE), np.tanh(to_numpy(linear(H, KNOWLEDGE))), atol=1e-6)


def test_number_of_parameters_is_that_of_the_docstring():
    full, factorized = MetaUnit(1), MetaUnit(1, rank=2)
    for layer in (full, factorized):
        layer.build((None, 6), (None, 5))
    assert full.count_params() == (5 + 1) * (6 * 6 + 6)
    assert factorized.count_params() == (2 * 5 + 2) * 2 * 6 + 6 * 6 + (5 + 1) * 6


def test_layers_keep_the_scale_of_their_inputs():
    layer = MetaUnit(3)
    inputs, knowledge = (RNG.normal(size=(256, width)).astype("float32") for width in (64, 16))
    outputs = to_numpy(layer(inputs, knowledge))
    assert 0.2 < outputs.std() / inputs.std() < 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_layers": 0}, r"`num_layers` should be at least 1\. Received: 0"),
        ({"rank": 0}, r"`rank` should be at least 1, or None\. Received: 0"),
        ({"memory_mb": 0}, r"`memory_mb` should be above 0\. Received: 0"),
    ],
)
def test_rejects_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        MetaUnit(**options)
