"""Saving a model with its optimizer, loading it, and resuming training."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl import cases
from tests.tfmtl.model_harness import randomized
from tfmtl.models import MMoE, SharedBottom
from tfmtl.optimizers import RowSparseAdam

SPEC = cases.pair()
MMOE = {"embedding_dim": 4, "num_experts": 2, "expert_units": [8], "tower_units": [4]}
SHARED_BOTTOM = {"embedding_dim": 4, "bottom_units": [8], "tower_units": []}
BOTH = pytest.mark.parametrize(("kind", "options"), [(MMoE, MMOE), (SharedBottom, SHARED_BOTTOM)])
OPTIMIZERS = {
    "row_sparse_adam": lambda: RowSparseAdam(keras.optimizers.schedules.ExponentialDecay(0.02, 3, 0.7)),
    "adam": lambda: keras.optimizers.Adam(0.01, clipnorm=1.0),
}


def batches(seed=0, rows=300):
    data = (cases.features(rows, seed), cases.labels(SPEC, rows, seed))
    return tf.data.Dataset.from_tensor_slices(data).batch(64)


def reloaded(model, tmp_path):
    model.save(tmp_path / "model.keras")
    return keras.saving.load_model(tmp_path / "model.keras")


def assert_same(ones, others):
    for one, other in zip(ones, others, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


@BOTH
@pytest.mark.parametrize("space", ["entire", "conditional"])
def test_scores_weights_and_configuration(kind, options, space, tmp_path):
    more = {"space": space, "embedding_l2": 1e-3, "task_weights": {"buy": 2.0}, "dropout": 0.1}
    model = randomized(kind.from_spec(cases.chain(), cases.SIZES, **{**options, **more}))
    model.compile(RowSparseAdam(0.01))
    model.name = "shop_model"
    loaded = reloaded(model, tmp_path)
    assert type(loaded) is kind
    assert loaded.name == "shop_model"
    assert (loaded.spec, loaded.options, loaded.vocabulary_sizes) == (model.spec, model.options, cases.SIZES)
    assert_same(model.get_weights(), loaded.get_weights())
    features = cases.features(50, seed=1)
    before, after = model.score(features), loaded.score(features)
    assert list(before) == list(after)
    assert_same(before.values(), after.values())


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_resumed_training_equals_uninterrupted_training(optimizer, tmp_path):
    model = MMoE.from_spec(SPEC, cases.SIZES, **MMOE)
    model.compile(OPTIMIZERS[optimizer]())
    model.fit(batches(), verbose=0)
    loaded = reloaded(model, tmp_path)
    assert loaded.optimizer is not model.optimizer
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    assert int(loaded.optimizer.iterations) == 5
    state = [np.asarray(variable) for variable in model.optimizer.variables]
    assert len([one for one in state if one.ndim]) >= 2 * len(model.trainable_variables) - 2
    assert_same(state, loaded.optimizer.variables)
    for one in (model, loaded):
        one.fit(batches(seed=1), epochs=2, verbose=0)
    assert int(loaded.optimizer.iterations) == 15
    assert_same(model.get_weights(), loaded.get_weights())
    assert_same(model.optimizer.variables, loaded.optimizer.variables)


@pytest.mark.filterwarnings("error:Skipping variable loading")
def test_evaluation_of_a_loaded_model(tmp_path):
    model = randomized(SharedBottom.from_spec(SPEC, cases.SIZES, **SHARED_BOTTOM))
    model.compile(RowSparseAdam(0.01))
    loaded = reloaded(model, tmp_path)
    before, after = (one.evaluate(batches(seed=2), return_dict=True, verbose=0) for one in (model, loaded))
    assert before.keys() == after.keys()
    np.testing.assert_allclose(list(before.values()), list(after.values()), rtol=1e-6)


@BOTH
def test_config_round_trip_without_weights(kind, options):
    model = kind.from_spec(SPEC, cases.SIZES, **options)
    copy = kind.from_config(model.get_config())
    assert copy.get_config() == model.get_config()
    assert copy.built
    assert [weight.shape for weight in copy.weights] == [weight.shape for weight in model.weights]


@BOTH
def test_save_and_load_weights(kind, options, tmp_path):
    model, other = (kind.from_spec(SPEC, cases.SIZES, **options) for _ in range(2))
    model.save_weights(tmp_path / "model.weights.h5")
    other.load_weights(tmp_path / "model.weights.h5")
    assert_same(model.get_weights(), other.get_weights())


def test_model_that_is_not_compiled(tmp_path):
    model = randomized(SharedBottom.from_spec(SPEC, cases.SIZES, **SHARED_BOTTOM))
    loaded = reloaded(model, tmp_path)
    assert not loaded.compiled
    assert_same(model.get_weights(), loaded.get_weights())
