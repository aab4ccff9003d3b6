"""Every model under `mixed_bfloat16`: tensors that stay float32, training, and scores close to float32."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl.tiny_models import rows_of, tiny
from tfmtl import introspection
from tfmtl.models import MODELS
from tfmtl.optimizers import RowSparseAdam
from tfmtl.precision import dtype_policy

EXTRA = {"apem": {"dependence": 1.0}, "m2m": {"meta_memory_mb": 1e-3}}  # A few rows of a panel a chunk.
ATTENTION = (
    "gate/",
    "task_attention/",
    "pattern/",
    "meta_attention/",
    "sequence_attention/",
    "selection_rate/",
    "self_attention/",
    "task_feature_attention/",
    "connection/",
)
ROWS = 24


def make_model(name, policy):
    keras.utils.set_random_seed(3)
    with dtype_policy(policy):
        return tiny(name, **EXTRA.get(name, {}))


def make_batch(name):
    return tuple({key: tf.constant(value) for key, value in part.items()} for part in rows_of(name, ROWS))


@pytest.mark.parametrize("name", MODELS)
def test_weights_logits_losses_and_softmaxes_stay_float32(name):
    model, (features, labels) = make_model(name, "mixed_bfloat16"), make_batch(name)
    assert model.embedding.compute_dtype == "bfloat16"
    assert {weight.dtype for weight in model.trainable_variables} == {"float32"}
    with tf.GradientTape() as tape:
        losses = model.compute_losses(features, labels)
    assert losses.total.dtype == tf.float32
    parts = [*losses.logits.values(), *(loss for loss, _ in losses.tasks.values()), *losses.extras.values()]
    assert {part.dtype for part in parts} == {tf.float32}
    with introspection.collect() as taps:
        model(features, training=True)
    weights = [tap for path, tap in taps.items() if path.startswith(ATTENTION)]
    assert {tap.dtype.name for tap in weights} <= {"float32"}
    gradients = tape.gradient(losses.total, model.trainable_variables)
    assert all(np.all(np.isfinite(tf.convert_to_tensor(one))) for one in gradients if one is not None)


@pytest.mark.parametrize("name", MODELS)
def test_training_keeps_optimizer_slots_in_float32(name):
    model, batch = make_model(name, "mixed_bfloat16"), make_batch(name)
    model.compile(RowSparseAdam(0.01))
    before = [np.array(weight) for weight in model.trainable_variables]
    first = float(model.compute_losses(*batch).total)
    for _ in range(8):
        model.train_step(batch)
    assert float(model.compute_losses(*batch).total) < first
    assert all(np.all(np.isfinite(weight)) for weight in model.get_weights())
    assert any(np.any(old != np.array(new)) for old, new in zip(before, model.trainable_variables, strict=True))
    assert {slot.dtype for slot in model.optimizer.variables if "float" in slot.dtype} == {"float32"}


@pytest.mark.parametrize("name", MODELS)
def test_logits_are_close_to_float32(name):
    exact, rough, (features, _) = make_model(name, "float32"), make_model(name, "mixed_bfloat16"), make_batch(name)
    rough.set_weights(exact.get_weights())
    exact_logits, rough_logits = exact(features, training=False), rough(features, training=False)
    for task in exact_logits:
        assert np.any(np.asarray(exact_logits[task]) != np.asarray(rough_logits[task])), (
            "bfloat16 should have been used"
        )
        np.testing.assert_allclose(rough_logits[task], exact_logits[task], atol=0.05)


@pytest.mark.parametrize("name", MODELS)
def test_saved_model_keeps_its_precision(name, tmp_path):
    model, (features, _) = make_model(name, "mixed_bfloat16"), make_batch(name)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.embedding.compute_dtype == "bfloat16"
    assert keras.config.dtype_policy().name == "float32"
    for task, logits in model(features, training=False).items():
        np.testing.assert_array_equal(loaded(features, training=False)[task], logits)


def test_previous_policy_is_restored_after_an_error():
    with contextlib.suppress(RuntimeError), dtype_policy("mixed_bfloat16"):
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
        raise RuntimeError("stop")
    assert keras.config.dtype_policy().name == "float32"
