"""Operations of matrix products, counted while TensorFlow executes them."""

import pytest
import tensorflow as tf

from benchmarks.flops import count_flops, einsum_flops, product_flops
from benchmarks.measure import make_batches, make_model, step_flops

BATCH, FIELDS, DIM, EXPERTS, TASKS = 6, 23, 3, 2, 2


def test_product_counts_twice_its_multiplications():
    with count_flops() as counted:
        tf.matmul(tf.ones((3, 4)), tf.ones((4, 5)))
    assert (counted.total, counted.products) == (2 * 3 * 4 * 5, 1)


@pytest.mark.parametrize("transpose", [False, True])
def test_counts_transposed_and_broadcast_factors(transpose):
    left = tf.ones((4, 3)) if transpose else tf.ones((3, 4))
    with count_flops() as counted:
        tf.matmul(left[None], tf.ones((7, 4, 5)), transpose_a=transpose)
    assert counted.total == 7 * 2 * 3 * 4 * 5


def test_gradients_count_as_two_more_products():
    kernel, inputs = tf.Variable(tf.ones((4, 5))), tf.ones((3, 4))
    with count_flops() as counted, tf.GradientTape() as tape:
        tape.watch(inputs)
        loss = tf.reduce_sum(tf.matmul(inputs, kernel))
        tape.gradient(loss, [inputs, kernel])
    assert (counted.total, counted.products) == (3 * 2 * 3 * 4 * 5, 3)


@pytest.mark.parametrize(
    ("equation", "shapes", "multiplications"),
    [
        ("ij,jk->ik", [(3, 4), (4, 5)], 3 * 4 * 5),
        ("bkmh,bfmh->bmkf", [(2, 3, 4, 5), (2, 6, 4, 5)], 2 * 4 * 3 * 6 * 5),
        ("...ij,jk->...ik", [(2, 7, 3, 4), (4, 5)], 2 * 7 * 3 * 4 * 5),
        ("...i,...i->...", [(7, 3), (2, 1, 3)], 2 * 7 * 3),
    ],
)
def test_counts_einstein_sums(equation, shapes, multiplications):
    with count_flops() as counted:
        tf.einsum(equation, *(tf.ones(shape) for shape in shapes))
    assert counted.total == 2 * multiplications
    assert einsum_flops(equation, shapes) == 2 * multiplications


def test_empty_product_has_no_operations():
    assert product_flops((0, 4), (0, 5)) == 0


def test_counts_every_iteration_of_a_loop():
    @tf.function
    def loop(iterations):
        return tf.while_loop(lambda i, _: i < iterations, lambda i, x: (i + 1, x @ x), (0, tf.eye(3)))

    loop(tf.constant(1))
    with count_flops() as counted:
        loop(tf.constant(5))
    assert counted.total == 5 * 2 * 3**3
    with count_flops() as nothing:
        pass
    loop(tf.constant(2))
    assert nothing.total == 0
    assert not tf.config.functions_run_eagerly()


def test_mmoe_has_the_operations_of_its_layers():
    job = {
        "model": "mmoe",
        "options": {"embedding_dim": DIM, "num_experts": EXPERTS, "expert_units": [8, 4], "tower_units": [5]},
        "spec": "log",
        "ids": 2000,
        "batch": BATCH,
        "embedding": "fused",
        "optimizer": "row_sparse",
        "strategy": None,
        "pool": 1,
        "seed": 0,
    }
    inputs = FIELDS * DIM
    experts = EXPERTS * (inputs * 8 + 8 * 4)
    gates = TASKS * (inputs * EXPERTS + EXPERTS * 4)
    towers = TASKS * (4 * 5 + 5)
    (batch,) = make_batches(job)
    step, forward = step_flops(make_model(job), tuple({n: tf.constant(v) for n, v in part.items()} for part in batch))
    assert forward == 2 * BATCH * (experts + gates + towers)
    assert step == 3 * forward
