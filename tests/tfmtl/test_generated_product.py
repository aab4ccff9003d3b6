"""generated_product: its values, and its first and second derivatives, whatever the chunks."""

import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl.graphs import tensors_of_shape
from tfmtl.layers import generated_product

ROWS, VECTORS, S, D, E = 7, 3, 4, 5, 6
RNG = np.random.default_rng(0)
INPUTS, KNOWLEDGE, KERNEL, BASE = (
    RNG.normal(size=shape).astype("float32") for shape in ((ROWS, VECTORS, D), (ROWS, S), (S, D, E), (D, E))
)
ALL = (INPUTS, KNOWLEDGE, KERNEL, BASE)
CHUNKS = {"one example": 1e-9, "two examples": 2.5 * D * E * 4 / 2**20, "the whole batch": 1.0}
BY_CHUNK = pytest.mark.parametrize("memory_mb", CHUNKS.values(), ids=CHUNKS)
SIGNATURE = [tf.TensorSpec((None, *array.shape[1:]), tf.float32) for array in ALL[:2]]


def in_graph(memory_mb):
    """The product of a batch whose size is not known."""

    @tf.function(input_signature=SIGNATURE)
    def product(inputs, knowledge):
        return generated_product(inputs, knowledge, KERNEL, BASE, memory_mb)

    return product


def expected(inputs, knowledge):
    return np.stack(
        [h @ (np.tensordot(s, KERNEL, 1) + BASE) for h, s in zip(inputs, knowledge, strict=True)], dtype="float64"
    )


@BY_CHUNK
def test_values(memory_mb):
    for function in (lambda h, s: generated_product(h, s, KERNEL, BASE, memory_mb), in_graph(memory_mb)):
        np.testing.assert_allclose(function(INPUTS, KNOWLEDGE), expected(INPUTS, KNOWLEDGE), rtol=1e-4, atol=1e-5)


@BY_CHUNK
@pytest.mark.parametrize("rows", [0, 1, 2, 3])
def test_small_batches(memory_mb, rows):
    outputs = in_graph(memory_mb)(INPUTS[:rows], KNOWLEDGE[:rows])
    assert outputs.shape == (rows, VECTORS, E)
    np.testing.assert_allclose(outputs, expected(INPUTS, KNOWLEDGE)[:rows], rtol=1e-4, atol=1e-5)


def derivatives(product, inputs, knowledge, kernel, base):
    """Of sum(sin(product)), and of sum(cos(those)): every part of both depends on every argument."""
    arguments = [inputs, knowledge, kernel, base]
    with tf.GradientTape() as outer:
        outer.watch(arguments)
        with tf.GradientTape() as inner:
            inner.watch(arguments)
            value = tf.reduce_sum(tf.sin(product(*arguments)))
        first = inner.gradient(value, arguments)
        total = tf.add_n([tf.reduce_sum(tf.cos(one)) for one in first])
    return first, outer.gradient(total, arguments)


def plain(inputs, knowledge, kernel, base):
    return tf.einsum("nvi,nij->nvj", inputs, tf.einsum("ns,sij->nij", knowledge, kernel) + base)


@BY_CHUNK
@pytest.mark.parametrize("graph", [False, True])
def test_derivatives(memory_mb, graph):
    def chunked(*arguments):
        return generated_product(*arguments, memory_mb=memory_mb)

    def of_chunked(inputs, knowledge):
        return derivatives(chunked, inputs, knowledge, tf.constant(KERNEL), tf.constant(BASE))

    function = tf.function(of_chunked, input_signature=SIGNATURE) if graph else of_chunked
    ours = function(tf.constant(INPUTS), tf.constant(KNOWLEDGE))
    theirs = derivatives(plain, *(tf.constant(array) for array in ALL))
    for one, other in zip(tf.nest.flatten(ours), tf.nest.flatten(theirs), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)


def test_no_more_matrices_at_a_time_than_fit():
    """Neither forward nor backward is there a tensor of a matrix for each of 64 examples; there are ones for 2."""

    @tf.function(input_signature=[tf.TensorSpec((64, VECTORS, D)), tf.TensorSpec((64, S))])
    def slopes(inputs, knowledge):
        with tf.GradientTape() as tape:
            tape.watch([inputs, knowledge])
            loss = tf.reduce_sum(generated_product(inputs, knowledge, KERNEL, BASE, memory_mb) ** 2)
        return tape.gradient(loss, [inputs, knowledge])

    memory_mb = CHUNKS["two examples"]
    graph = slopes.get_concrete_function()
    shapes = [(64, D, E), (64, D * E)]
    assert [op for shape in shapes for op in tensors_of_shape(graph, shape)] == []
    memory_mb = 1.0
    whole = tf.function(slopes.python_function, input_signature=slopes.input_signature).get_concrete_function()
    assert [op for shape in shapes for op in tensors_of_shape(whole, shape)] != []
