"""DynamicSelector."""

import keras
import numpy as np
import pytest

from tests.tfmtl.backends import assert_close, assert_same, to_numpy
from tests.tfmtl.layers.layer_harness import run_layer_test
from tfmtl import introspection
from tfmtl.backend import is_tensorflow
from tfmtl.layers import DynamicSelector

RNG = np.random.default_rng(0)
H = RNG.normal(size=(6, 3, 4)).astype("float32")


def randomized(step=0, scale=2.0, **kwargs):
    """A selector of 5 points with large random weights, after `step` training steps."""
    layer = DynamicSelector(5, **{"units": [7], **kwargs})
    layer.build((None, 3, 4))
    rng = np.random.default_rng(1)
    weights = [rng.normal(0, scale, weight.shape) for weight in layer.get_weights()]
    weights[0] = np.int64(step)
    layer.set_weights(weights)
    assert int(layer.step) == step
    return layer


def expected_selection(layer, inputs, gamma):
    """Equations 11 and 13 in float64."""
    _, k1, b1, k2, b2 = layer.get_weights()
    hidden = np.maximum(inputs.reshape(len(inputs), -1).astype("float64") @ k1 + b1, 0)
    z = hidden @ k2 + b2
    cubic = -2 / gamma**3 * z**3 + 3 / (2 * gamma) * z + 0.5
    return np.where(z <= -gamma / 2, 0.0, np.where(z >= gamma / 2, 1.0, cubic))


@pytest.mark.parametrize("advance_in_call", [True, False])
def test_layer_contract(advance_in_call):
    run_layer_test(DynamicSelector, {"num_points": 5, "units": [7], "advance_in_call": advance_in_call}, (H,), (6, 5))


def test_layer_contract_without_hidden_layers():
    run_layer_test(DynamicSelector, {"num_points": 5, "units": [], "gamma_start": 2.0}, (H[:, 0],), (6, 5))


@pytest.mark.parametrize("step", [0, 1, 25_000, 49_990, 49_995, 100_000, 3_000_000_000])
def test_values_and_gamma_after_some_steps(step):
    if step >= 2**31 and not is_tensorflow():
        pytest.skip("the step is an int64 on TensorFlow only")
    gamma = max(10 - 2e-4 * step, 1e-3)
    layer = randomized(step)
    assert_close(layer.gamma, gamma, rtol=1e-6)
    assert_close(layer(H), expected_selection(layer, H, gamma), atol=1e-5 if gamma > 0.1 else 1e-3)
    hard = np.isin(to_numpy(layer(H)), [0.0, 1.0])
    assert hard.mean() > 0.9 or step < 49_000


def test_values_of_another_schedule():
    layer = randomized(30, gamma_start=4.0, gamma_decay=0.1, gamma_end=0.5)
    assert_close(layer.gamma, 1.0, rtol=1e-6)
    assert_close(layer(H), expected_selection(layer, H, 1.0), atol=1e-5)


def test_selection_rate_is_the_share_of_points_above_0():
    layer = randomized(20_000, scale=1.0, name="layer_1")
    with introspection.collect() as taps:
        selection = to_numpy(layer(H))
    assert set(taps) == {"selector/layer_1", "selection_rate/layer_1"}
    rate = to_numpy(taps["selection_rate/layer_1"])
    assert rate.shape == (6,)
    assert 0 < rate.mean() < 1
    assert np.any((selection > 0) & (selection < 0.5))
    assert_close(rate, [np.count_nonzero(row) / 5 for row in selection])
    assert_same(taps["selector/layer_1"], selection)


def test_training_call_counts_a_step_and_inference_none():
    layer = randomized(3)
    layer(H)
    layer(H, training=False)
    layer(H[:0], training=None)
    assert int(layer.step) == 3
    layer(H, training=True)
    assert int(layer.step) == 4
    layer.end_training_step()
    assert int(layer.step) == 4


def test_owner_counts_steps():
    layer = randomized(3, advance_in_call=False)
    for _ in range(2):
        layer(H, training=True)
    assert int(layer.step) == 3
    layer.end_training_step()
    assert int(layer.step) == 4


def test_fit_save_and_load_in_a_keras_model(tmp_path):
    inputs = keras.Input((3, 4))
    model = keras.Model(inputs, keras.layers.Dense(1)(DynamicSelector(5)(inputs)))
    model.compile("adam", "mse")
    model.fit(np.tile(H, (5, 1, 1)), np.ones(30), batch_size=8, epochs=3, verbose=0)
    model.evaluate(H, np.ones(6), verbose=0)
    model.predict(H, verbose=0)
    selector = model.layers[1]
    assert int(selector.step) == 3 * 4
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert int(loaded.layers[1].step) == 12
    assert_same(loaded.predict(H, verbose=0), model.predict(H, verbose=0))
    loaded.fit(H, np.ones(6), batch_size=6, verbose=0)
    assert int(loaded.layers[1].step) == 13


def test_rejects_wrong_arguments():
    for kwargs, message in (
        ({"num_points": 0}, "`num_points` should be at least 1. Received: 0"),
        ({"num_points": 2, "gamma_end": 0.0}, r"`gamma_end` should be in \(0, gamma_start\], 10.0. Received: 0.0"),
        ({"num_points": 2, "gamma_start": 0.1, "gamma_end": 0.2}, "`gamma_end` should be in"),
        ({"num_points": 2, "gamma_decay": -1.0}, "`gamma_decay` should be at least 0. Received: -1.0"),
        ({"num_points": 2, "units": [0]}, "`units` should be positive"),
    ):
        with pytest.raises(ValueError, match=message):
            DynamicSelector(**kwargs)


def test_bias_of_the_last_layer_opens_the_selector():
    """With zero inputs z is f_D of the bias alone; f_D(1) with gamma 4 is 1/2 + 3/8 - 1/32."""
    layer = DynamicSelector(5, gamma_start=4.0, head_bias_initializer=keras.initializers.Constant(1.0))
    assert_close(layer(np.zeros((2, 3, 4), "float32")), np.full((2, 5), 0.84375), atol=1e-6)
    assert DynamicSelector.from_config(layer.get_config()).head_bias_initializer.value == 1.0
