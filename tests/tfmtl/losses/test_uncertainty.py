"""UncertaintyWeighting."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmtl.losses import UncertaintyWeighting

LOSSES = {"click": 0.5, "buy": 0.03, "views": 4.0}


def layer_at(log_variances):
    layer = UncertaintyWeighting(list(LOSSES))
    layer.build()
    layer.set_weights([np.array(log_variances, "float32")])
    return layer


def tensors(losses):
    return {name: tf.constant(loss, "float32") for name, loss in losses.items()}


def gradients(layer, losses):
    """The value, its gradient by the log-variances and that by each loss."""
    losses = tensors(losses)
    with tf.GradientTape() as tape:
        tape.watch(losses)
        value = layer(losses)
    slopes, of_losses = tape.gradient(value, [layer.log_variances.value, losses])
    return float(value), np.asarray(slopes), {name: float(slope) for name, slope in of_losses.items()}


@pytest.mark.parametrize("log_variances", [(0, 0, 0), (0.3, -2.0, 1.5), (-6, 5, 0)])
def test_values_and_gradients(log_variances):
    value, slopes, of_losses = gradients(layer_at(log_variances), LOSSES)
    deviations = np.exp(np.array(log_variances) / 2)
    losses = np.array(list(LOSSES.values()))
    np.testing.assert_allclose(value, np.sum(losses / (2 * deviations**2) + np.log(deviations)), rtol=1e-5)
    np.testing.assert_allclose(slopes, 0.5 - losses / (2 * deviations**2), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(list(of_losses.values()), 1 / (2 * deviations**2), rtol=1e-5)
    factors = layer_at(log_variances).factors()
    np.testing.assert_allclose([factors[name] for name in LOSSES], 1 / (2 * deviations**2), rtol=1e-5)


@pytest.mark.parametrize("extreme", [-1e6, -200, -89, 89, 200, 1e6])
@pytest.mark.parametrize("loss", [0.0, 1e-8, 100.0])
def test_extremes_are_finite_and_pulled_back(extreme, loss):
    value, slopes, of_losses = gradients(layer_at((extreme, 0, 0)), {**LOSSES, "click": loss})
    assert np.isfinite([value, *slopes, *of_losses.values()]).all()
    if loss:  # A loss of 0 has its best variance at 0.
        assert np.sign(slopes[0]) == np.sign(extreme)


def test_the_best_variance_is_the_loss():
    layer = layer_at((0, 0, 0))
    optimizer = keras.optimizers.Adam(0.05)
    for _ in range(400):
        with tf.GradientTape() as tape:
            value = layer(tensors(LOSSES))
        optimizer.apply_gradients([(tape.gradient(value, layer.log_variances.value), layer.log_variances)])
    np.testing.assert_allclose(np.exp(layer.get_weights()[0]), list(LOSSES.values()), rtol=0.02)


def test_tasks_are_told_apart_by_name():
    layer = layer_at((0.3, -2.0, 1.5))
    backwards = dict(reversed(tensors(LOSSES).items()))
    np.testing.assert_allclose(layer(backwards), layer(tensors(LOSSES)), rtol=1e-6)


def test_config_and_saving(tmp_path):
    layer = layer_at((0.3, -2.0, 1.5))
    config = layer.get_config()
    assert json.loads(json.dumps(config)) == config
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert copy.get_config() == config
    assert copy.tasks == tuple(LOSSES)
    np.testing.assert_allclose(copy(tensors(LOSSES)), sum(LOSSES.values()) / 2, rtol=1e-6)


def test_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    layer = layer_at((0.3, -2.0, 1.5))
    value = layer({**tensors(LOSSES), "click": tf.constant(0.500001)})
    assert value.dtype == tf.float32
    assert float(value) != float(layer(tensors(LOSSES)))


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"`tasks` should be at least one name, without duplicates. Received: \[\]"):
        UncertaintyWeighting([])
    with pytest.raises(ValueError, match=r"`losses` should be those of click, buy, views. Received: click, buy"):
        layer_at((0, 0, 0))({"click": tf.constant(1.0), "buy": tf.constant(1.0)})
