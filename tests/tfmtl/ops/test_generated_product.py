"""generated_product: its values, and its first and second derivatives, whatever the blocks."""

import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl.graphs import tensors_of_shape
from tfmtl.ops import generated_product

ROWS, S, D, E = 7, 4, 6, 5
RNG = np.random.default_rng(0)
KNOWLEDGE, KERNEL, BASE = (RNG.normal(size=shape).astype("float32") for shape in ((ROWS, S), (S, D, E), (D, E)))
INPUTS = {vectors: RNG.normal(size=(ROWS, vectors, D)).astype("float32") for vectors in (1, 3)}
BLOCKS = {"one row": 1e-9, "two or three rows": 3.5 * ROWS * E * 4 / 2**20, "all rows": 1.0}
BY_BLOCK = pytest.mark.parametrize("memory_mb", BLOCKS.values(), ids=BLOCKS)
BY_VECTORS = pytest.mark.parametrize("vectors", INPUTS)


def signature(vectors, rows=None):
    return [tf.TensorSpec((rows, vectors, D)), tf.TensorSpec((rows, S))]


def in_graph(vectors, memory_mb):
    """The product of a batch whose size is not known."""

    @tf.function(input_signature=signature(vectors))
    def product(inputs, knowledge):
        return generated_product(inputs, knowledge, KERNEL, BASE, memory_mb)

    return product


def expected(inputs, knowledge):
    return np.stack(
        [h @ (np.tensordot(s, KERNEL, 1) + BASE) for h, s in zip(inputs, knowledge, strict=True)], dtype="float64"
    )


@BY_VECTORS
@BY_BLOCK
def test_values(vectors, memory_mb):
    for function in (lambda h, s: generated_product(h, s, KERNEL, BASE, memory_mb), in_graph(vectors, memory_mb)):
        outputs = function(INPUTS[vectors], KNOWLEDGE)
        np.testing.assert_allclose(outputs, expected(INPUTS[vectors], KNOWLEDGE), rtol=1e-4, atol=1e-5)


@BY_VECTORS
@BY_BLOCK
@pytest.mark.parametrize("rows", [0, 1, 2, 3])
def test_small_batches(vectors, memory_mb, rows):
    outputs = in_graph(vectors, memory_mb)(INPUTS[vectors][:rows], KNOWLEDGE[:rows])
    assert outputs.shape == (rows, vectors, E)
    np.testing.assert_allclose(outputs, expected(INPUTS[vectors], KNOWLEDGE)[:rows], rtol=1e-4, atol=1e-5)


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


@BY_VECTORS
@BY_BLOCK
@pytest.mark.parametrize("graph", [False, True])
def test_derivatives(vectors, memory_mb, graph):
    def by_blocks(*arguments):
        return generated_product(*arguments, memory_mb=memory_mb)

    def of_blocks(inputs, knowledge):
        return derivatives(by_blocks, inputs, knowledge, tf.constant(KERNEL), tf.constant(BASE))

    function = tf.function(of_blocks, input_signature=signature(vectors)) if graph else of_blocks
    ours = function(tf.constant(INPUTS[vectors]), tf.constant(KNOWLEDGE))
    theirs = derivatives(plain, *(tf.constant(array) for array in (INPUTS[vectors], KNOWLEDGE, KERNEL, BASE)))
    for one, other in zip(tf.nest.flatten(ours), tf.nest.flatten(theirs), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("rows", [1, 2, 6])
def test_a_block_has_as_many_rows_as_fit(rows, monkeypatch):
    """What backpropagation makes of the matrices of 64 examples, `(64, rows, E)`, is of the rows that fit."""
    products, whole = [], tf.matmul

    def watched(*args, **kwargs):
        products.append(whole(*args, **kwargs))
        return products[-1]

    monkeypatch.setattr(tf, "matmul", watched)
    inputs, knowledge = tf.random.normal((64, 3, D)), tf.random.normal((64, S))
    with tf.GradientTape() as tape:
        tape.watch([inputs, knowledge])
        outputs = generated_product(inputs, knowledge, KERNEL, BASE, (rows + 0.5) * 64 * E * 4 / 2**20)
    tape.gradient(outputs, [inputs, knowledge])
    of_matrices = [p.shape[1] for p in products if p.shape.rank == 3 and p.shape[2] == E and p.shape[1] != 3]
    assert of_matrices == [rows] * (D // rows)


def test_one_vector_needs_no_matrices():
    @tf.function(input_signature=signature(1, 64))
    def slopes(inputs, knowledge):
        with tf.GradientTape() as tape:
            tape.watch([inputs, knowledge])
            loss = tf.reduce_sum(generated_product(inputs, knowledge, KERNEL, BASE) ** 2)
        return tape.gradient(loss, [inputs, knowledge])

    graph = slopes.get_concrete_function()
    assert [op for shape in [(64, D, E), (64, D * E)] for op in tensors_of_shape(graph, shape)] == []
