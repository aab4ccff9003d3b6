"""Row-sparse optimizers in a model: steps without tensors of the table's shape, saving and restoring."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl.graphs import tensors_of_shape
from tfmtl.layers import FusedEmbedding
from tfmtl.optimizers import RowSparseAdagrad, RowSparseAdam, RowSparseFtrl

OPTIMIZERS = {
    "adam": lambda rate: RowSparseAdam(rate, beta_2=0.99, weight_decay=0.1, decay_untouched_rows=True),
    "adagrad": lambda rate: RowSparseAdagrad(rate, weight_decay=0.1, clipnorm=0.5),
    "ftrl": lambda rate: RowSparseFtrl(rate, l1_regularization_strength=0.001, global_clipnorm=0.5),
}
LAZY = [{}, {"clipvalue": 1.0}, {"clipnorm": 1.0}, {"global_clipnorm": 1.0}, {"weight_decay": 0.1}]
ROWS = 40


def traced_step(optimizer, table_rows, width):
    """Returns a traced step on a table of that size, and its layer."""
    layer = FusedEmbedding({"user": table_rows}, width, embeddings_initializer="zeros")
    layer.build()
    optimizer.build(layer.trainable_variables)

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.int64)], autograph=False)
    def step(users):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer({"user": users}) + 1)
        optimizer.apply(tape.gradient(loss, layer.trainable_variables), layer.trainable_variables)

    return step, layer


@pytest.mark.parametrize("kind", [RowSparseAdagrad, RowSparseAdam, RowSparseFtrl])
@pytest.mark.parametrize("options", LAZY, ids=str)
def test_step_has_no_tensor_of_the_shape_of_the_table(kind, options):
    shape = (100_000, 8)
    step, layer = traced_step(kind(0.1, **options), *shape)
    assert tensors_of_shape(step.get_concrete_function(), shape) == []
    step(tf.constant([3, 5, 3], tf.int64))
    assert np.flatnonzero(layer.table.numpy().any(axis=1)).tolist() == [3, 5]


def test_dense_steps_have_a_tensor_of_the_shape_of_the_table():
    decaying = RowSparseAdam(0.1, weight_decay=0.1, decay_untouched_rows=True)
    for optimizer in (keras.optimizers.Adam(0.1), decaying):
        step, _ = traced_step(optimizer, 1000, 8)
        assert tensors_of_shape(step.get_concrete_function(), (1000, 8)) != []


def model_with(optimizer):
    keras.utils.set_random_seed(3)
    user = keras.Input((), name="user", dtype="int64")
    embedded = FusedEmbedding({"user": ROWS}, 4)({"user": user})
    model = keras.Model({"user": user}, keras.layers.Dense(1)(keras.layers.Flatten()(embedded)))
    model.compile(optimizer, "mse", jit_compile=False)
    return model


def train(model, seed):
    rng = np.random.default_rng(seed)
    rows = {"user": rng.integers(0, ROWS, 64)}
    model.fit(rows, rng.normal(size=(64, 1)), batch_size=16, epochs=1, shuffle=False, verbose=0)


def state(model):
    return [value.numpy() for value in (*model.variables, *model.optimizer.variables)]


def rate():
    return keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.7)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_training_continues_from_a_keras_file(kind, tmp_path):
    model = model_with(OPTIMIZERS[kind](rate()))
    train(model, seed=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.optimizer) is type(model.optimizer)
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    for one in (model, loaded):
        train(one, seed=1)
    for one, two in zip(state(model), state(loaded), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_training_continues_from_a_checkpoint(kind, tmp_path):
    model = model_with(OPTIMIZERS[kind](rate()))
    train(model, seed=0)
    path = tf.train.Checkpoint(model=model, optimizer=model.optimizer).save(str(tmp_path / "checkpoint"))
    other = model_with(OPTIMIZERS[kind](rate()))
    other.optimizer.build(other.trainable_variables)
    status = tf.train.Checkpoint(model=other, optimizer=other.optimizer).restore(path)
    status.assert_existing_objects_matched()
    for one in (model, other):
        train(one, seed=1)
    for one, two in zip(state(model), state(other), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "bfloat16"])
def test_slots_are_float32_under_any_policy(kind, policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = model_with(OPTIMIZERS[kind](0.1))
        start = [np.asarray(one.numpy(), "float32") for one in model.trainable_variables]
        train(model, seed=0)
    finally:
        keras.config.set_dtype_policy(before)
    assert {one.dtype for one in model.trainable_variables} == {"float32" if policy.startswith("mixed") else policy}
    slots = [one for one in model.optimizer.variables if one.ndim > 0]
    assert slots
    assert {one.dtype for one in slots} == {"float32"}
    for one, two in zip(model.trainable_variables, start, strict=True):
        now = np.asarray(one.numpy(), "float32")
        assert np.all(np.isfinite(now))
        assert np.any(now != two)
