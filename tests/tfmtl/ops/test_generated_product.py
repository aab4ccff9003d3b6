"""generated_product: values, and first and second derivatives, for every size of blocks."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.tfmtl.backends import assert_close, gradients, import_tensorflow
from tests.tfmtl.graphs import tensors_of_shape
from tfmtl.ops import generated_product
from tfmtl.ops.generated_product import _generated_product

ROWS, S, D, E = 7, 4, 6, 5
RNG = np.random.default_rng(0)
KNOWLEDGE, KERNEL, BASE = (RNG.normal(size=shape).astype("float32") for shape in ((ROWS, S), (S, D, E), (D, E)))
INPUTS = {vectors: RNG.normal(size=(ROWS, vectors, D)).astype("float32") for vectors in (1, 3)}
MEMORY = {"one row": 1e-9, "two or three rows": 3.5 * ROWS * E * 4 / 2**20, "all rows": 1.0}
BY_MEMORY = pytest.mark.parametrize("memory_mb", MEMORY.values(), ids=MEMORY)
BY_VECTORS = pytest.mark.parametrize("vectors", INPUTS)


def graph_function(vectors, memory_mb):
    """The product as a `tf.function` of any batch size."""
    tf = import_tensorflow("a graph with an unknown batch size")

    @tf.function(input_signature=signature(vectors), autograph=False)
    def product(inputs, knowledge):
        return generated_product(inputs, knowledge, KERNEL, BASE, memory_mb)

    return product


def signature(vectors, rows=None):
    tf = import_tensorflow("a graph with an unknown batch size")
    return [tf.TensorSpec((rows, vectors, D)), tf.TensorSpec((rows, S))]


def expected(inputs, knowledge):
    return np.stack(
        [h @ (np.tensordot(s, KERNEL, 1) + BASE) for h, s in zip(inputs, knowledge, strict=True)], dtype="float64"
    )


@BY_VECTORS
@BY_MEMORY
def test_values(vectors, memory_mb):
    outputs = generated_product(INPUTS[vectors], KNOWLEDGE, KERNEL, BASE, memory_mb)
    assert_close(outputs, expected(INPUTS[vectors], KNOWLEDGE), rtol=1e-4, atol=1e-5)


@BY_VECTORS
@BY_MEMORY
def test_values_in_a_graph(vectors, memory_mb):
    outputs = graph_function(vectors, memory_mb)(INPUTS[vectors], KNOWLEDGE)
    assert_close(outputs, expected(INPUTS[vectors], KNOWLEDGE), rtol=1e-4, atol=1e-5)


@BY_VECTORS
def test_values_without_blocks(vectors):
    """The implementation for JAX and PyTorch."""
    outputs = _generated_product(INPUTS[vectors], KNOWLEDGE, KERNEL, BASE)
    assert_close(outputs, expected(INPUTS[vectors], KNOWLEDGE), rtol=1e-4, atol=1e-5)


@BY_VECTORS
@BY_MEMORY
@pytest.mark.parametrize("rows", [0, 1, 2, 3])
def test_small_batches(vectors, memory_mb, rows):
    outputs = graph_function(vectors, memory_mb)(INPUTS[vectors][:rows], KNOWLEDGE[:rows])
    assert outputs.shape == (rows, vectors, E)
    assert_close(outputs, expected(INPUTS[vectors], KNOWLEDGE)[:rows], rtol=1e-4, atol=1e-5)


def derivatives(product, arguments):
    """Derivatives of sum(sin(product)), and those of the sum of their cosines; both depend on all arguments."""

    def first(*arguments):
        return gradients(lambda *inner: ops.sum(ops.sin(product(*inner))), arguments)

    def sum_of_cosines(*arguments):
        return sum(ops.sum(ops.cos(gradient)) for gradient in first(*arguments))

    return first(*arguments), gradients(sum_of_cosines, arguments)


def plain_product(inputs, knowledge, kernel, base):
    return ops.einsum("nvi,nij->nvj", inputs, ops.einsum("ns,sij->nij", knowledge, kernel) + base)


def assert_derivatives_equal_automatic_differentiation(found, vectors):
    plain = derivatives(plain_product, (INPUTS[vectors], KNOWLEDGE, KERNEL, BASE))
    for actual, other in zip(keras.tree.flatten(found), keras.tree.flatten(plain), strict=True):
        assert_close(actual, other, rtol=1e-3, atol=1e-3)


@BY_VECTORS
@BY_MEMORY
def test_derivatives(vectors, memory_mb):
    def product(*arguments):
        return generated_product(*arguments, memory_mb=memory_mb)

    found = derivatives(product, (INPUTS[vectors], KNOWLEDGE, KERNEL, BASE))
    assert_derivatives_equal_automatic_differentiation(found, vectors)


@BY_VECTORS
def test_derivatives_without_blocks(vectors):
    found = derivatives(_generated_product, (INPUTS[vectors], KNOWLEDGE, KERNEL, BASE))
    assert_derivatives_equal_automatic_differentiation(found, vectors)


@BY_VECTORS
@BY_MEMORY
def test_derivatives_in_a_graph(vectors, memory_mb):
    tf = import_tensorflow("derivatives in a graph")

    def product(*arguments):
        return generated_product(*arguments, memory_mb=memory_mb)

    def compute(inputs, knowledge):
        return derivatives(product, (inputs, knowledge, tf.constant(KERNEL), tf.constant(BASE)))

    function = tf.function(compute, input_signature=signature(vectors), autograph=False)
    found = function(tf.constant(INPUTS[vectors]), tf.constant(KNOWLEDGE))
    assert_derivatives_equal_automatic_differentiation(found, vectors)


@BY_VECTORS
def test_products_of_equal_shapes_share_their_loop(vectors):
    """The loop of a graph is one function, which is called for each product and each gradient."""
    tf = import_tensorflow("loops of a graph")

    def compute(inputs, knowledge):
        both = [generated_product(inputs, knowledge, tf.constant(KERNEL), BASE, memory_mb=1) for _ in range(2)]
        return tf.gradients(both[0] + both[1], [inputs, knowledge])

    graph = tf.function(compute, input_signature=signature(vectors), autograph=False).get_concrete_function().graph
    called = [op.get_attr("f").name for op in graph.get_operations() if op.type.endswith("PartitionedCall")]
    assert len(called) == 4
    assert len(set(called)) == 2


def block_sizes(memory_mb, monkeypatch):
    """Rows of the blocks of backpropagation, which generates the gradient of matrices, `(64, rows, E)`, by block."""
    tf = import_tensorflow("blocks of generated matrices")
    products, matmul = [], tf.matmul

    def recorded_matmul(*args, **kwargs):
        products.append(matmul(*args, **kwargs))
        return products[-1]

    monkeypatch.setattr(tf, "matmul", recorded_matmul)
    inputs, knowledge = tf.random.normal((64, 3, D)), tf.random.normal((64, S))
    with tf.GradientTape() as tape:
        tape.watch([inputs, knowledge])
        outputs = generated_product(inputs, knowledge, KERNEL, BASE, memory_mb)
    tape.gradient(outputs, [inputs, knowledge])
    return [p.shape[1] for p in products if p.shape.rank == 3 and p.shape[2] == E and p.shape[1] != 3]


@pytest.mark.parametrize("rows", [1, 2, 6])
def test_block_has_as_many_rows_as_fit_into_memory(rows, monkeypatch):
    assert block_sizes((rows + 0.5) * 64 * E * 4 / 2**20, monkeypatch) == [rows] * (D // rows)


@pytest.mark.parametrize(("devices", "rows"), [([], 2), (["GPU:0"], 6)])
def test_block_fits_into_the_caches_of_a_cpu(devices, rows, monkeypatch):
    tf = import_tensorflow("blocks of generated matrices")
    from tfmtl.backend.tensorflow import generated_product as blockwise

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: devices)
    monkeypatch.setattr(blockwise, "_CACHED_MB", 2.5 * 64 * E * 4 / 2**20)
    assert block_sizes(64.0, monkeypatch) == [rows] * (D // rows)


def test_one_vector_generates_no_matrices():
    tf = import_tensorflow("operations of a graph")

    @tf.function(input_signature=signature(1, 64), autograph=False)
    def gradient(inputs, knowledge):
        with tf.GradientTape() as tape:
            tape.watch([inputs, knowledge])
            loss = tf.reduce_sum(generated_product(inputs, knowledge, KERNEL, BASE) ** 2)
        return tape.gradient(loss, [inputs, knowledge])

    graph = gradient.get_concrete_function()
    assert [op for shape in [(64, D, E), (64, D * E)] for op in tensors_of_shape(graph, shape)] == []
