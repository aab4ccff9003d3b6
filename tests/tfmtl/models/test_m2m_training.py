"""M2M in training: gradients, extremes, chains of tasks, saving and resuming, meta-learning."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl import cases, panel_cases
from tests.tfmtl.panel_cases import LENGTHS, OPTIONS, SIZES, SPEC, VARIANTS, model_of
from tfmtl.models import M2M
from tfmtl.optimizers import RowSparseAdam
from tfmtl.training import MetaLearning

FEATURES = panel_cases.features(7)
LABELS = panel_cases.labels(7)


def gradients(model, features, labels):
    with tf.GradientTape() as tape:
        loss = model.compute_losses(features, labels).total
    return loss, tape.gradient(loss, model.trainable_variables)


def finite(slopes):
    return all(np.all(np.isfinite(tf.convert_to_tensor(slope))) for slope in slopes)


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_every_weight_has_a_gradient_and_the_table_a_sparse_one(options):
    model = model_of(**options)
    model.compile("sgd")
    _, slopes = gradients(model, FEATURES, LABELS)
    unused = () if model.options.meta_tower or model.options.meta_attention else model.knowledge.weights
    for slope, weight in zip(slopes, model.trainable_variables, strict=True):
        assert slope is not None or any(weight is one for one in unused), weight.path
        assert isinstance(slope, tf.IndexedSlices) == (weight is model.embedding.table)
    assert finite(slopes)


@pytest.mark.parametrize("shift", [-100.0, 0.0, 18.42, 100.0], ids=["tiny", "one", "1e8", "beyond"])
def test_extreme_rates_and_counts(shift):
    """Rates from exp(-100) to beyond the range of float32, with counts of 0 and of a million."""
    model = model_of()
    model.compile("sgd")
    for tower in model.towers.values():
        tower.head.bias.assign([shift])
    for count in (0.0, 1e6):
        loss, slopes = gradients(model, FEATURES, {name: np.full(7, count, "float32") for name in LABELS})
        assert np.isfinite(loss)
        assert finite(slopes)
    scores = model.score(FEATURES)
    assert all(np.all(np.isfinite(values)) and np.all(values >= 0) for values in scores.values())


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_single_row_without_any_day(dtype):
    keras.config.set_dtype_policy(dtype)
    model = M2M.from_spec(SPEC, SIZES, **OPTIONS)
    model.compile("sgd")
    empty = {name: value[:1] for name, value in FEATURES.items()}
    assert not any(empty[name + "__weights"].any() for name in LENGTHS)
    loss, slopes = gradients(model, empty, {name: values[:1] for name, values in LABELS.items()})
    assert np.isfinite(loss)
    assert finite([slope for slope in slopes if slope is not None])
    assert {values.dtype.name for values in model.score(empty).values()} == {"float32"}


@pytest.mark.long
def test_chain_of_binary_tasks():
    groups = {"scenario": ("user",), "behaviour": ("history",)}
    spec = dataclasses.replace(cases.chain(), groups=groups)
    model = M2M.from_spec(spec, cases.SIZES, **OPTIONS)
    model.compile(RowSparseAdam(0.01, clipvalue=3.0), run_eagerly=True)
    data = tf.data.Dataset.from_tensor_slices((cases.features(100), cases.labels(spec, 100))).batch(50)
    history = model.fit(data, epochs=2, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert {"ctr_auc", "cvr_auc", "views_loss"} <= set(history)
    scores = model.score(cases.features(50, seed=1))
    assert set(scores) == {"ctr", "cvr", "ctcvr", "back_given_buy", "back", "views"}


FORMS = [{}, pytest.param({"meta_rank": 2, "sequence_pooling": "mean"}, marks=pytest.mark.long)]


def batches(rows=300, seed=0):
    data = (panel_cases.features(rows, seed), panel_cases.labels(rows, seed))
    return tf.data.Dataset.from_tensor_slices(data).batch(64)


@pytest.mark.parametrize("options", FORMS, ids=["paper", "factorized"])
def test_saved_model_resumes_training(options, tmp_path):
    model = M2M.from_spec(SPEC, SIZES, **{**OPTIONS, **options})
    model.compile(RowSparseAdam(2e-3, beta_2=0.998, epsilon=1e-9, clipvalue=3.0))
    model.fit(batches(), verbose=0)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert loaded.options == model.options
    for one in (model, loaded):
        one.fit(batches(seed=1), verbose=0)
    for one, other in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_meta_learning_differentiates_through_generated_weights():
    """Second derivatives of chunked products equal those of whole products."""
    after = {}
    for name, memory_mb in (("whole", 64.0), ("chunked", 2e-3)):
        model = model_of(meta_memory_mb=memory_mb, meta_layers=1, num_residuals=1, scale=0.3)
        before = model.get_weights()
        model.compile(keras.optimizers.SGD(0.01), strategy=MetaLearning(0.05, episodes=2))
        keras.utils.set_random_seed(5)
        model.train_step((panel_cases.features(32), panel_cases.labels(32)))  # Eager, because tracing takes long.
        after[name] = model.get_weights()
    for weight, whole, chunked in zip(before, after["whole"], after["chunked"], strict=True):
        np.testing.assert_allclose(whole, chunked, rtol=1e-3, atol=1e-5)
        assert weight.ndim == 1 or np.any(whole != weight)
