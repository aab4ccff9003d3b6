"""FusedEmbedding without lookups of padding: equal to the padded computation, and to its equation."""

import keras
import numpy as np
import pytest

from tests.tfmtl.backends import assert_close, import_tensorflow, needs_tensorflow
from tfmtl.layers import FusedEmbedding, fused_embedding

SIZES = {"tags": 6, "user": 3, "history": 5, "words": 4}
MULTIVALENT = ["tags", "history", "words"]


def make_inputs(rows, seed=0):
    """Rows with lists of 0 ids to the maximum, weights of 0 at ids, and a token with the id of padding."""
    rng = np.random.default_rng(seed)
    inputs = {"user": rng.integers(0, 3, rows)}
    for field, width in (("tags", 7), ("history", 3), ("words", 4)):
        lengths = rng.integers(0, width + 1, rows)
        present = np.arange(width) < lengths[:, None]
        inputs[field] = np.where(present, rng.integers(0, SIZES[field], (rows, width)), 0)
        weights = rng.choice([0.0, 0.5, 1.0, 2.0], (rows, width))
        inputs[field + "__weights"] = np.where(present, weights, 0).astype("float32")
    return inputs


def run(monkeypatch, limit, inputs, optimizer=None, **options):
    """Returns outputs, losses, gradient and the table after three steps, with padding up to `limit` columns."""
    tf = import_tensorflow("sparse gradients")
    monkeypatch.setattr(fused_embedding, "MAX_PADDED_COLUMNS", limit)
    keras.utils.set_random_seed(4)
    layer = FusedEmbedding(SIZES, 3, MULTIVALENT, **options)
    layer.build()
    before = layer.table.numpy()

    @tf.function(autograph=False)
    def step():
        with tf.GradientTape() as tape:
            outputs = layer(inputs)
            loss = tf.reduce_sum(tf.sin(tf.cast(outputs, "float32"))) + sum(layer.losses)
        return outputs, loss, tape.gradient(loss, layer.table.value)

    outputs, loss, gradient = step()
    assert isinstance(gradient, tf.IndexedSlices)
    touched = np.unique(gradient.indices)
    dense = tf.convert_to_tensor(gradient).numpy()
    if optimizer is not None:
        optimizer.build([layer.table])
        for _ in range(3):
            optimizer.apply([step()[2]], [layer.table])
    return before, outputs.numpy(), float(loss), dense, touched, layer.table.numpy(), len(gradient.indices)


@needs_tensorflow
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"unpooled": ["history"]},
        {"embeddings_regularizer": "l2"},
        {"embeddings_regularizer": "l1", "unpooled": ["history"]},
    ],
    ids=str,
)
@pytest.mark.parametrize("rows", [1, 9])
def test_agrees_with_padded_lists(monkeypatch, options, rows):
    from tfmtl.optimizers import RowSparseAdam

    inputs = make_inputs(rows)
    listed = run(monkeypatch, 0, inputs, RowSparseAdam(0.1), **options)
    padded = run(monkeypatch, 1000, inputs, RowSparseAdam(0.1), **options)
    for one, other in zip(listed[:-1], padded[:-1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    assert listed[-1] < padded[-1] or rows == 1, "padding should not be looked up"


def test_agrees_with_its_equation(monkeypatch):
    inputs = make_inputs(12, seed=1)
    table, outputs, *_ = run(monkeypatch, 0, inputs)
    start = 0
    for i, (field, size) in enumerate(SIZES.items()):
        for row in range(12):
            if field == "user":
                mean = table[start + inputs[field][row]]
            else:
                weights = inputs[field + "__weights"][row]
                mean = weights @ table[start + inputs[field][row]] / (weights.sum() or 1)
            assert_close(outputs[row, i], mean, atol=1e-6)
        start += size


def test_mean_of_many_16_bit_embeddings_keeps_its_digits(monkeypatch):
    """A sum in bfloat16 of 1,000 numbers near 1 stops growing at 256."""
    import_tensorflow("fast path")
    monkeypatch.setattr(fused_embedding, "MAX_PADDED_COLUMNS", 0)
    layer = FusedEmbedding({"tags": 4}, 2, ["tags"], embeddings_initializer="ones", dtype="mixed_bfloat16")
    outputs = layer({"tags": np.full((1, 1000), 3), "tags__weights": np.ones((1, 1000), "float32")})
    assert_close(np.asarray(outputs).astype("float32"), np.ones((1, 1, 2)), atol=0.01)


def test_rows_are_overridden_in_lists_too(monkeypatch):
    tf = import_tensorflow("overridden rows")
    monkeypatch.setattr(fused_embedding, "MAX_PADDED_COLUMNS", 0)
    inputs = make_inputs(5, seed=2)
    layer = FusedEmbedding(SIZES, 3, MULTIVALENT)
    before = layer(inputs)
    rows = layer.unique_rows(inputs)
    with layer.override_rows(rows, 2 * tf.gather(layer.table.value, rows)):
        assert_close(layer(inputs), 2 * before, atol=1e-6)
