"""UncertaintyWeighting."""

import json

import keras
import numpy as np
import pytest

from tests.tfmtl.backends import dtype_name, to_numpy
from tests.tfmtl.losses.gradients import tensor, value_and_gradients
from tfmtl.losses import UncertaintyWeighting

LOSSES = {"click": 0.5, "buy": 0.03, "views": 4.0}


def layer_at(log_variances):
    layer = UncertaintyWeighting(list(LOSSES))
    layer.build()
    layer.set_weights([np.array(log_variances, "float32")])
    return layer


def tensors(losses):
    return {name: tensor(loss) for name, loss in losses.items()}


def gradients(layer, losses):
    """Returns the value, its gradient by the log-variances and its gradient by each loss."""

    def call(log_variances, losses):
        return layer.stateless_call([log_variances], [], losses)[0]

    value, (slopes, loss_slopes) = value_and_gradients(call, to_numpy(layer.log_variances), tensors(losses))
    assert value == to_numpy(layer(tensors(losses)))
    return float(value), slopes, {name: float(slope) for name, slope in loss_slopes.items()}


@pytest.mark.parametrize("log_variances", [(0, 0, 0), (0.3, -2.0, 1.5), (-6, 5, 0)])
def test_values_and_gradients(log_variances):
    value, slopes, loss_slopes = gradients(layer_at(log_variances), LOSSES)
    deviations = np.exp(np.array(log_variances) / 2)
    losses = np.array(list(LOSSES.values()))
    np.testing.assert_allclose(value, np.sum(losses / (2 * deviations**2) + np.log(deviations)), rtol=1e-5)
    np.testing.assert_allclose(slopes, 0.5 - losses / (2 * deviations**2), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose([loss_slopes[name] for name in LOSSES], 1 / (2 * deviations**2), rtol=1e-5)
    factors = layer_at(log_variances).factors()
    np.testing.assert_allclose([float(to_numpy(factors[name])) for name in LOSSES], 1 / (2 * deviations**2), rtol=1e-5)


@pytest.mark.parametrize("extreme", [-1e6, -200, -89, 89, 200, 1e6])
@pytest.mark.parametrize("loss", [0.0, 1e-8, 100.0])
def test_extreme_variances_have_finite_values_and_a_gradient_towards_0(extreme, loss):
    value, slopes, loss_slopes = gradients(layer_at((extreme, 0, 0)), {**LOSSES, "click": loss})
    assert np.isfinite([value, *slopes, *loss_slopes.values()]).all()
    if loss:  # The best variance of a loss of 0 is 0.
        assert np.sign(slopes[0]) == np.sign(extreme)


def test_training_makes_the_variance_equal_to_the_loss():
    layer = layer_at((0, 0, 0))
    optimizer = keras.optimizers.Adam(0.05)
    for _ in range(400):
        _, slopes, _ = gradients(layer, LOSSES)
        optimizer.apply([tensor(slopes)], [layer.log_variances])
    np.testing.assert_allclose(np.exp(layer.get_weights()[0]), list(LOSSES.values()), rtol=0.02)


def test_order_of_the_losses_does_not_matter():
    layer = layer_at((0.3, -2.0, 1.5))
    backwards = dict(reversed(tensors(LOSSES).items()))
    np.testing.assert_allclose(to_numpy(layer(backwards)), to_numpy(layer(tensors(LOSSES))), rtol=1e-6)


def test_config_and_saving(tmp_path):
    layer = layer_at((0.3, -2.0, 1.5))
    config = layer.get_config()
    assert json.loads(json.dumps(config)) == config
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert copy.get_config() == config
    assert copy.tasks == tuple(LOSSES)
    np.testing.assert_allclose(to_numpy(copy(tensors(LOSSES))), sum(LOSSES.values()) / 2, rtol=1e-6)


def test_computes_in_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    layer = layer_at((0.3, -2.0, 1.5))
    value = layer({**tensors(LOSSES), "click": tensor(0.500001)})
    assert dtype_name(value) == "float32"
    assert float(value) != float(layer(tensors(LOSSES)))


def test_rejects_wrong_arguments():
    with pytest.raises(ValueError, match=r"`tasks` should be at least one name, without duplicates. Received: \[\]"):
        UncertaintyWeighting([])
    with pytest.raises(ValueError, match=r"`losses` should be those of click, buy, views. Received: click, buy"):
        layer_at((0, 0, 0))(tensors({"click": 1.0, "buy": 1.0}))
