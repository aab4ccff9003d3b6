"""What every model has to stand, whatever it computes: training, saving and loading, extreme batches, wrong options."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl import cases
from tfmtl.config import ConfigError
from tfmtl.optimizers import RowSparseAdam


def randomized(model, deviation=0.5):
    """The model with weights, the biases too, that are so large that every part of it counts; counters stay."""
    rng = np.random.default_rng(3)
    for weight in model.weights:
        if "float" in str(weight.dtype):
            weight.assign(rng.normal(0, deviation, weight.shape))
    return model


def assert_same_arrays(ones, others):
    assert list(ones) == list(others)
    for name, values in ones.items():
        np.testing.assert_array_equal(values, others[name], err_msg=name)


def assert_trains_saves_and_loads(model, features, labels, tmp_path, fall, epochs=15, rate=0.02, eagerly=False):
    """The loss falls by more than `fall`; the loaded model is of the same kind, scores and losses, and trains on.

    Args:
        eagerly: for few steps, which take less time than to trace one.

    Returns:
        What `fit` recorded, by name of a loss.
    """
    model.compile(RowSparseAdam(rate), run_eagerly=eagerly)
    history = model.fit(features, labels, epochs=epochs, verbose=0).history
    assert history["loss"][-1] < history["loss"][0] - fall
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded) is type(model)
    assert loaded.options == model.options
    assert_same_arrays(model.score(features), loaded.score(features))
    totals = [float(one.compute_losses(features, labels, training=False).total) for one in (model, loaded)]
    assert totals[0] == totals[1]
    steps = epochs * -(-len(next(iter(features.values()))) // 32)
    assert int(loaded.optimizer.iterations) == steps
    before = loaded.get_weights()
    loaded.run_eagerly = True
    loaded.train_on_batch(features, labels)
    assert int(loaded.optimizer.iterations) == steps + 1
    assert any(np.any(one != other) for one, other in zip(before, loaded.get_weights(), strict=True))
    return history


def assert_finite_losses_and_gradients(model, rows, biases):
    """All-negative and all-positive labels, with every tower's logits moved by a bias of its own."""
    for tower, bias in zip(model.towers.values(), biases, strict=False):
        tower.head.bias.assign([bias])
    features = {name: values[:rows] for name, values in cases.features(7).items()}
    for labels in (np.zeros(rows, "float32"), np.ones(rows, "float32")):
        with tf.GradientTape() as tape:
            losses = model.compute_losses(features, dict.fromkeys(model.towers, labels))
        slopes = tape.gradient(losses.total, model.trainable_variables)
        assert np.isfinite(losses.total)
        for slope, weight in zip(slopes, model.trainable_variables, strict=True):
            assert slope is not None, weight.path
            assert isinstance(slope, tf.IndexedSlices) == (weight is model.embedding.table), weight.path
            assert np.isfinite(tf.convert_to_tensor(slope)).all(), weight.path


def config_error(make, *args, **kwargs):
    """The message of the `ConfigError` that `make` raises."""
    with pytest.raises(ConfigError) as caught:
        make(*args, **kwargs)
    return str(caught.value)
