"""SetAttention."""

import keras
import numpy as np
import pytest

from tests.tfmtl.backends import assert_close, import_tensorflow, to_numpy
from tests.tfmtl.graphs import tensors_of_shape
from tests.tfmtl.layers.layer_harness import run_layer_test
from tfmtl import introspection
from tfmtl.layers import SetAttention

RNG = np.random.default_rng(0)
H = RNG.normal(size=(4, 7, 6)).astype("float32")
Z = RNG.random((4, 5)).astype("float32")


def randomized(num_heads, scale=0.7, num_points=5):
    layer = SetAttention(num_points, num_heads)
    layer.build((None, 7, 6), (None, num_points))
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(0, scale, weight.shape) for weight in layer.get_weights()])
    return layer


def equations_14_to_17(layer, tokens, selection):
    """One example, one head, one point at a time."""
    points, key_kernel, value_kernel, output_kernel, gain, bias = (w.astype("float64") for w in layer.get_weights())
    dim = tokens.shape[-1]
    width = dim // layer.num_heads
    outputs = np.zeros((len(tokens), *points.shape))
    for b, h in enumerate(tokens.astype("float64")):
        for k, point in enumerate(points):
            query = point * selection[b, k]
            heads = []
            for j in range(layer.num_heads):
                columns = slice(j * width, (j + 1) * width)
                scores = (h @ key_kernel[:, columns]) @ query[columns] / np.sqrt(width)
                weights = np.exp(scores - scores.max())
                heads.append(weights / weights.sum() @ (h @ value_kernel[:, columns]))
            row = query + np.concatenate(heads) @ output_kernel
            outputs[b, k] = (row - row.mean()) / np.sqrt(row.var() + 1e-3) * gain + bias
    return outputs


@pytest.mark.parametrize("num_heads", [1, 2, 3])
def test_layer_contract(num_heads):
    run_layer_test(SetAttention, {"num_points": 5, "num_heads": num_heads}, (H, Z), (4, 5, 6))


def test_layer_contract_without_a_selection():
    run_layer_test(SetAttention, {"num_points": 5}, (H,), (4, 5, 6))


@pytest.mark.parametrize("num_heads", [1, 2, 3, 6])
def test_values(num_heads):
    layer = randomized(num_heads)
    assert_close(layer(H, Z), equations_14_to_17(layer, H, Z), atol=1e-5)


SCALED = {"normalize": False, "key_scale": 3.0, "position_keys": True, "residual_gain": 0.2}


def test_layer_contract_with_scales():
    run_layer_test(SetAttention, {"num_points": 5, "points_initializer": "orthogonal", **SCALED}, (H, Z), (4, 5, 6))


def test_values_with_scales():
    """`Y = r Q + O` with keys `(s H + P) W^K`, one example, one head, one point at a time."""
    layer = SetAttention(5, 2, **SCALED)
    layer.build((None, 7, 6), (None, 5))
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(0, 0.7, weight.shape) for weight in layer.get_weights()])
    weights = {weight.name: weight.numpy().astype("float64") for weight in layer.weights}
    expected = np.zeros((4, 5, 6))
    for b, h in enumerate(H.astype("float64")):
        keys, values = (3.0 * h + weights["positions"]) @ weights["key_kernel"], h @ weights["value_kernel"]
        for k, point in enumerate(weights["points"]):
            query, parts = point * Z[b, k], []
            for columns in (slice(0, 3), slice(3, 6)):
                scores = np.exp(keys[:, columns] @ query[columns] / np.sqrt(3))
                parts.append(scores / scores.sum() @ values[:, columns])
            expected[b, k] = weights["residual_gain"] * query + np.concatenate(parts) @ weights["output_kernel"]
    assert_close(layer(H, Z), expected, atol=1e-5)


def test_attention_differs_at_the_beginning_with_scaled_keys_and_unit_points():
    """Embeddings of rms .03 give uniform attention with the equations of the paper, and differing one with scales."""
    tokens = (0.03 * RNG.normal(size=(50, 13, 8))).astype("float32")
    entropies = {}
    for name, arguments in {"paper": {}, "scaled": {**SCALED, "key_scale": 30.0}}.items():
        initializer = keras.initializers.Orthogonal(4.0, seed=1) if arguments else "glorot_uniform"
        layer = SetAttention(16, 2, points_initializer=initializer, name="one", **arguments)
        with introspection.collect() as taps:
            layer(tokens)
        weights = to_numpy(taps["attention/one"]).astype("float64")
        assert weights.shape == (50, 2, 16, 13)
        entropies[name] = float(np.mean(-(weights * np.log(weights)).sum(axis=-1)) / np.log(13))
    assert entropies["paper"] > 0.999
    assert entropies["scaled"] < 0.9


def test_all_points_take_part_without_a_selection():
    layer = randomized(2)
    assert_close(layer(H), equations_14_to_17(layer, H, np.ones_like(Z)), atol=1e-5)


def test_point_that_is_not_selected_attends_uniformly():
    layer = randomized(2)
    _, _, value_kernel, output_kernel, gain, bias = layer.get_weights()
    mean = (H @ value_kernel).mean(axis=1) @ output_kernel
    mean = (mean - mean.mean(axis=1, keepdims=True)) / np.sqrt(mean.var(axis=1, keepdims=True) + 1e-3) * gain + bias
    outputs = layer(H, np.zeros_like(Z))
    assert_close(outputs, np.repeat(mean[:, None], 5, axis=1), atol=1e-5)


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis -1")
def test_single_token_and_constant_tokens():
    layer = randomized(2)
    for tokens in (H[:, :1], np.zeros_like(H), np.full_like(H, 1e4)):
        outputs = to_numpy(layer(tokens, Z))
        assert_close(outputs, equations_14_to_17(layer, tokens, Z), rtol=1e-3, atol=1e-3)


def test_output_does_not_depend_on_the_order_of_tokens():
    layer = randomized(2)
    assert_close(layer(H[:, ::-1].copy(), Z), layer(H, Z), atol=1e-5)


def test_cost_is_points_times_tokens():
    """No operation, forward or backward, has a result of the size of tokens x tokens or points x points."""
    tf = import_tensorflow("operations of a graph")
    layer = SetAttention(5, 2)
    layer.build((None, 11, 6), (None, 5))

    @tf.function(input_signature=[tf.TensorSpec((3, 11, 6)), tf.TensorSpec((3, 5))], autograph=False)
    def step(tokens, selection):
        with tf.GradientTape() as tape:
            tape.watch(tokens)
            loss = tf.reduce_sum(layer(tokens, selection) ** 2)
        return tape.gradient(loss, [tokens, *layer.trainable_variables])

    graph = step.get_concrete_function()
    assert tensors_of_shape(graph, (3, 2, 5, 11))
    for shape in ((3, 11, 11), (3, 2, 11, 11), (3, 5, 5), (3, 2, 5, 5)):
        assert not tensors_of_shape(graph, shape)


def test_rejects_wrong_arguments():
    with pytest.raises(ValueError, match=r"the width of `inputs` should be a multiple of 4 heads\. Received: 6"):
        SetAttention(5, num_heads=4)(H, Z)
    with pytest.raises(ValueError, match=r"`num_heads` should be at least 1\. Received: 0"):
        SetAttention(5, num_heads=0)
    with pytest.raises(ValueError, match=r"`key_scale` should be above 0\. Received: 0"):
        SetAttention(3, key_scale=0)
    with pytest.raises(ValueError, match=r"`num_points` should be at least 1\. Received: 0"):
        SetAttention(0)
