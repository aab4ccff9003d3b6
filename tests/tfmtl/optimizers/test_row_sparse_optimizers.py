"""Row-sparse Adam, Adagrad and FTRL, against Keras if every row is looked up and against NumPy otherwise."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl.optimizers.row_sparse_cases import (
    COMMON,
    DENSE_START,
    OPTIMIZERS,
    RATE,
    ROWS,
    START,
    WIDTH,
    Reference,
    batches,
    schedule,
    scheduled_rate,
    slices,
    summed,
    table_slots,
)
from tfmtl.optimizers import RowSparseAdagrad, RowSparseAdam, RowSparseFtrl

ALL = (RowSparseAdagrad, RowSparseAdam, RowSparseFtrl)
EACH_CASE = pytest.mark.parametrize("kind", OPTIMIZERS)
EACH_CLASS = pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)


def variables(dtype="float32"):
    table = keras.Variable(START, dtype=dtype, name="table")
    return table, keras.Variable(DENSE_START, dtype=dtype, name="kernel")


def apply(optimizer, table, dense, rows, values, dense_gradient):
    dense_gradient = tf.constant(dense_gradient, table.dtype)
    optimizer.apply([slices(rows, values, table.dtype), dense_gradient], [table, dense])


@EACH_CASE
@pytest.mark.parametrize("common", COMMON)
def test_equals_the_dense_optimizer_if_every_batch_looks_up_every_row(kind, common):
    row_sparse_class, dense_class, options = OPTIMIZERS[kind]
    optimizer = row_sparse_class(schedule(), **options, **COMMON[common])
    other = dense_class(schedule(), **options, **COMMON[common])
    mine, others = variables(), variables()
    for rows, values, dense_gradient in batches(6, every_row=True):
        apply(optimizer, *mine, rows, values, dense_gradient)
        other.apply([tf.constant(summed(rows, values), "float32"), tf.constant(dense_gradient, "float32")], others)
    for one, two in zip(mine, others, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-6)
    for one, two in zip(table_slots(optimizer), table_slots(other), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-5)


@EACH_CASE
@pytest.mark.parametrize("common", COMMON)
def test_steps_on_some_rows_equal_numpy(kind, common):
    row_sparse, _, options = OPTIMIZERS[kind]
    optimizer = row_sparse(schedule(), **options, **COMMON[common])
    reference = Reference(kind, options | COMMON[common])
    table, dense = variables()
    for step, (rows, values, dense_gradient) in enumerate(batches(6, every_row=False)):
        before, slots = table.numpy(), table_slots(optimizer)
        apply(optimizer, table, dense, rows, values, dense_gradient)
        reference.update(rows, values, dense_gradient, scheduled_rate(step))
        others = np.setdiff1d(np.arange(ROWS), rows)
        assert len(others) > 0
        np.testing.assert_array_equal(table.numpy()[others], before[others])
        for one, two in zip(slots, table_slots(optimizer), strict=False):
            np.testing.assert_array_equal(one[others], two[others])
        np.testing.assert_allclose(table, reference.weights[0], atol=2e-6)
        np.testing.assert_allclose(dense, reference.weights[1], atol=2e-6)
    for one, two in zip(table_slots(optimizer), reference.slots[0], strict=False):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-5)
    assert optimizer.iterations == 6


@EACH_CLASS
def test_gradients_of_repeated_ids_are_summed(kind):
    (once, _), (often, _) = variables(), variables()
    gradient = np.random.default_rng(5).normal(size=(4, WIDTH))
    kind(RATE).apply([slices([2], gradient.sum(axis=0, keepdims=True))], [once])
    kind(RATE).apply([slices([2, 2, 2, 2], gradient)], [often])
    np.testing.assert_allclose(once, often, atol=1e-6)
    assert np.any(once.numpy()[2] != START.astype("float32")[2])


@EACH_CLASS
def test_slots_and_sums_of_16_bit_variables_are_float32(kind):
    table, dense = variables("bfloat16")
    optimizer = kind(RATE)
    count = 600  # bfloat16 cannot count beyond 256.
    apply(optimizer, table, dense, [1] * count, np.ones((count, WIDTH)), np.ones(DENSE_START.shape))
    slots = [one for one in optimizer.variables if one.ndim == 2]
    assert slots
    assert {one.dtype for one in slots} == {"float32"}
    expected = {RowSparseAdam: 0.1 * count, RowSparseAdagrad: 0.1 + count**2, RowSparseFtrl: 0.1 + count**2}[kind]
    np.testing.assert_allclose(table_slots(optimizer)[0][1], expected, rtol=1e-6)


@EACH_CASE
def test_16_bit_variables_follow_float64(kind):
    """Keras computes 1 - beta_2 in the variable's dtype, in which it is 0."""
    row_sparse, _, options = OPTIMIZERS[kind]
    optimizer, reference = row_sparse(RATE, **options), Reference(kind, options)
    table, dense = variables("bfloat16")
    for rows, values, dense_gradient in batches(4, every_row=False):
        apply(optimizer, table, dense, rows, values, dense_gradient)
        reference.update(rows, values, dense_gradient, RATE)
    for one, two in zip((table, dense), reference.weights, strict=True):
        np.testing.assert_allclose(np.asarray(one.numpy(), "float64"), two, atol=0.03)


@EACH_CLASS
def test_scaled_loss_gives_the_same_steps(kind):
    mine, plain = variables(), variables()
    scaled, optimizer = kind(RATE, loss_scale_factor=8.0), kind(RATE)
    assert scaled.scale_loss(2.0) == 16.0
    for rows, values, dense_gradient in batches(3, every_row=False):
        apply(scaled, *mine, rows, 8 * values, 8 * dense_gradient)
        apply(optimizer, *plain, rows, values, dense_gradient)
    for one, two in zip(mine, plain, strict=True):
        np.testing.assert_array_equal(one, two)


@EACH_CLASS
def test_variables_without_gradient_are_not_updated(kind):
    table, dense = variables()
    optimizer = kind(RATE, global_clipnorm=1.0)
    with pytest.warns(UserWarning, match="Gradients do not exist"):
        optimizer.apply([None, tf.ones(DENSE_START.shape)], [table, dense])
    np.testing.assert_array_equal(table, START.astype("float32"))
    assert np.all(dense.numpy() != DENSE_START.astype("float32"))
    with pytest.raises(ValueError, match="No gradients"):
        optimizer.apply([None, None], [table, dense])


@EACH_CLASS
@pytest.mark.parametrize("by_name", [True, False])
def test_excluded_variables_do_not_decay(kind, by_name):
    mine, plain = variables(), variables()
    optimizer, without = kind(RATE, weight_decay=0.3), kind(RATE)
    optimizer.exclude_from_weight_decay(**({"var_names": ["table"]} if by_name else {"var_list": [mine[0]]}))
    for rows, values, dense_gradient in batches(2, every_row=False):
        apply(optimizer, *mine, rows, values, dense_gradient)
        apply(without, *plain, rows, values, dense_gradient)
    np.testing.assert_array_equal(mine[0], plain[0])
    assert np.abs(mine[1].numpy() - plain[1].numpy()).max() > 1e-3


@EACH_CLASS
def test_decay_untouched_rows_decays_all_rows(kind):
    mine, plain = variables(), variables()
    apply(kind(RATE, weight_decay=0.3, decay_untouched_rows=True), *mine, [1], START[[2]], DENSE_START)
    apply(kind(RATE, weight_decay=0.3), *plain, [1], START[[2]], DENSE_START)
    others = [0, 2, 3, 4, 5]
    np.testing.assert_allclose(mine[0].numpy()[others], START[others] * (1 - RATE * 0.3), atol=1e-7)
    np.testing.assert_allclose(mine[0].numpy()[1], plain[0].numpy()[1], atol=1e-7)
    np.testing.assert_array_equal(plain[0].numpy()[others], START.astype("float32")[others])


@EACH_CLASS
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"use_ema": True}, "`use_ema` should not be set .*changes at every step. Received: True"),
        ({"gradient_accumulation_steps": 2}, "`gradient_accumulation_steps` should not .*as large as the table"),
        (
            {"decay_untouched_rows": True},
            "`decay_untouched_rows` should be set together with `weight_decay`. Received: weight_decay=None",
        ),
        ({"clipvalue": 1.0, "clipnorm": 1.0}, "Only one of"),
    ],
)
def test_rejects_unsupported_options(kind, options, message):
    with pytest.raises(ValueError, match=message):
        kind(RATE, **options)


@EACH_CLASS
def test_rejects_constraints_of_tables(kind):
    table, dense = variables()
    table.constraint = keras.constraints.NonNeg()
    with pytest.raises(ValueError, match=r"a table should have no constraint.* of table"):
        apply(kind(RATE), table, dense, [0], START[[0]], DENSE_START)
    table.constraint, dense.constraint = None, keras.constraints.NonNeg()
    apply(kind(RATE), table, dense, [0], START[[0]], DENSE_START)
    assert dense.numpy().min() >= 0
