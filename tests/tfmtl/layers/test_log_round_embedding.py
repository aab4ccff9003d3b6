"""LogRoundEmbedding."""

import keras
import numpy as np
import pytest

from tests.tfmtl.backends import assert_close, to_numpy
from tests.tfmtl.layers.layer_harness import run_layer_test
from tests.tfmtl.numpy_layers import log_round_ids
from tfmtl.layers import LogRoundEmbedding

X = np.random.default_rng(0).normal(0, 30, (5, 3)).astype("float32")
X[1, 2] = np.nan


def test_layer_contract():
    run_layer_test(LogRoundEmbedding, {"dim": 4}, (X,), (5, 3, 4))
    run_layer_test(LogRoundEmbedding, {"dim": 4, "min_bucket": -9, "max_bucket": 9, "default": 0.0}, (X,), (5, 3, 4))


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_each_column_has_its_own_rows(dtype):
    layer = LogRoundEmbedding(4, scale=40.0, min_bucket=-300, max_bucket=300, dtype=dtype)
    outputs = to_numpy(keras.ops.cast(layer(X), "float32"))
    table = layer.get_weights()[0]
    assert table.shape == (3 * 602, 4)
    ids = log_round_ids(X, 40.0, -300, 300)
    assert len(np.unique(ids)) > 10
    expected = np.stack([table[column * 602 + ids[:, column]] for column in range(3)], axis=1)
    assert_close(outputs, expected, atol=0 if dtype == "float32" else 1e-3)


def test_trains_in_a_keras_model():
    inputs = keras.Input((3,))
    hidden = keras.layers.Flatten()(LogRoundEmbedding(4)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(1)(hidden))
    model.compile(keras.optimizers.Adam(0.05), "mse")
    target = np.log1p(np.abs(X[:, 0]))
    losses = model.fit(np.abs(X), target, epochs=30, verbose=0).history["loss"]
    assert losses[-1] < 0.2 * losses[0]


def test_rejects_wrong_arguments():
    with pytest.raises(ValueError, match=r"`dim` should be at least 1\. Received: 0"):
        LogRoundEmbedding(0)
    with pytest.raises(ValueError, match=r"scale: should be above 0\. Received: 0"):
        LogRoundEmbedding(2, scale=0)
    with pytest.raises(ValueError, match=r"max_bucket: should be above min_bucket, 5\. Received: 5"):
        LogRoundEmbedding(2, min_bucket=5, max_bucket=5)
