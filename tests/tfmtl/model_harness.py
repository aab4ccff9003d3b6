"""Checks that every model has to pass: training, saving and loading, extreme batches, wrong options."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl import cases
from tfmtl.config import ConfigError
from tfmtl.optimizers import RowSparseAdam


def randomized(model, deviation=0.5):
    """Assigns random weights, including biases, large enough that every part of the model matters; counters stay.

    Returns:
        The model.
    """
    rng = np.random.default_rng(3)
    for weight in model.weights:
        if "float" in str(weight.dtype):
            weight.assign(rng.normal(0, deviation, weight.shape))
    return model


def assert_same_arrays(arrays, expected):
    assert list(arrays) == list(expected)
    for name, values in arrays.items():
        np.testing.assert_array_equal(values, expected[name], err_msg=name)


def assert_trains_saves_and_loads(model, features, labels, tmp_path, fall, epochs=15, rate=0.02, eagerly=False):
    """Checks that training reduces the loss, and that the loaded model has equal scores and losses and trains further.

    Args:
        fall: Minimum decrease of the loss.
        eagerly: Whether to train without tracing, which is quicker for few steps.

    Returns:
        The history of `fit`: values of each metric by name, one for each epoch.
    """
    model.compile(RowSparseAdam(rate), run_eagerly=eagerly)
    history = model.fit(features, labels, epochs=epochs, verbose=0).history
    assert history["loss"][-1] < history["loss"][0] - fall
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded) is type(model)
    assert loaded.options == model.options
    assert_same_arrays(model.score(features), loaded.score(features))
    totals = [float(each.compute_losses(features, labels, training=False).total) for each in (model, loaded)]
    assert totals[0] == totals[1]
    steps = epochs * -(-len(next(iter(features.values()))) // 32)
    assert int(loaded.optimizer.iterations) == steps
    before = loaded.get_weights()
    loaded.run_eagerly = True
    loaded.train_on_batch(features, labels)
    assert int(loaded.optimizer.iterations) == steps + 1
    assert any(np.any(old != new) for old, new in zip(before, loaded.get_weights(), strict=True))
    return history


def assert_finite_losses_and_gradients(model, rows, biases):
    """Checks batches of negative and of positive labels, with a different bias for the logits of each tower."""
    for tower, bias in zip(model.towers.values(), biases, strict=False):
        tower.head.bias.assign([bias])
    features = {name: values[:rows] for name, values in cases.features(7).items()}
    for labels in (np.zeros(rows, "float32"), np.ones(rows, "float32")):
        with tf.GradientTape() as tape:
            losses = model.compute_losses(features, dict.fromkeys(model.towers, labels))
        gradients = tape.gradient(losses.total, model.trainable_variables)
        assert np.isfinite(losses.total)
        for gradient, weight in zip(gradients, model.trainable_variables, strict=True):
            assert gradient is not None, weight.path
            assert isinstance(gradient, tf.IndexedSlices) == (weight is model.embedding.table), weight.path
            assert np.isfinite(tf.convert_to_tensor(gradient)).all(), weight.path


def config_error(make, *args, **kwargs):
    """Returns the message of the `ConfigError` that `make` raises."""
    with pytest.raises(ConfigError) as caught:
        make(*args, **kwargs)
    return str(caught.value)
