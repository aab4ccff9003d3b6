"""run_layer_test rejects layers that break the contract."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.tfmtl.backends import needs_tensorflow
from tests.tfmtl.layers import parity
from tests.tfmtl.layers.layer_harness import run_layer_test
from tfmtl.backend import is_tensorflow

ROWS = np.linspace(-1, 1, 12, dtype="float32").reshape(4, 3)

ERRORS = [AssertionError, ValueError, TypeError, RuntimeError]
if is_tensorflow():
    import tensorflow as tf

    ERRORS.append(tf.errors.InvalidArgumentError)


@keras.saving.register_keras_serializable(package="tfmtl_tests")
class Scale(keras.layers.Layer):
    """`y = factor * w * x`, which fulfils the contract; the subclasses break it."""

    def __init__(self, factor=2.0, kernel_initializer="ones", kernel_regularizer=None, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, input_shape):
        self.w = self.add_weight(
            shape=(input_shape[-1],),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            name="kernel",
        )

    def call(self, inputs):
        return self.factor * inputs * self.w

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        return {
            **super().get_config(),
            "factor": self.factor,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }


@keras.saving.register_keras_serializable(package="tfmtl_tests")
class OmitsFactorFromConfig(Scale):
    def get_config(self):
        return {key: value for key, value in super().get_config().items() if key != "factor"}


@keras.saving.register_keras_serializable(package="tfmtl_tests")
class WrongShape(Scale):
    def compute_output_shape(self, input_shape):
        return (*input_shape, 1)


@keras.saving.register_keras_serializable(package="tfmtl_tests")
class StaticBatch(Scale):
    def call(self, inputs):
        return ops.reshape(super().call(inputs), (4, 3))


@keras.saving.register_keras_serializable(package="tfmtl_tests")
class Float32Output(Scale):
    def call(self, inputs):
        return ops.cast(super().call(inputs), "float32")


@keras.saving.register_keras_serializable(package="tfmtl_tests")
class NoGradient(Scale):
    def call(self, inputs):
        return inputs * ops.stop_gradient(ops.convert_to_tensor(self.w))


@keras.saving.register_keras_serializable(package="tfmtl_tests")
class InfiniteGradient(Scale):
    def call(self, inputs):
        return super().call(inputs) + ops.sqrt(self.w - 1.0)


@keras.saving.register_keras_serializable(package="tfmtl_tests")
class MixesRows(Scale):
    def call(self, inputs):
        return super().call(inputs) - ops.mean(inputs, axis=0)


@keras.saving.register_keras_serializable(package="tfmtl_tests")
class IgnoresInitializer(Scale):
    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1],), initializer="ones", regularizer=self.kernel_regularizer)


@keras.saving.register_keras_serializable(package="tfmtl_tests")
class IgnoresRegularizer(Scale):
    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1],), initializer=self.kernel_initializer)


@pytest.fixture(autouse=True)
def _without_parity(monkeypatch):
    monkeypatch.delenv("TFMTL_PARITY_RECORD", raising=False)
    monkeypatch.delenv("TFMTL_PARITY_COMPARE", raising=False)


def test_accepts_layer_that_fulfils_the_contract():
    run_layer_test(Scale, {"factor": 3.0}, (ROWS,), (4, 3))


@pytest.mark.parametrize(
    "layer_class",
    [
        OmitsFactorFromConfig,
        WrongShape,
        StaticBatch,
        Float32Output,
        NoGradient,
        InfiniteGradient,
        MixesRows,
        IgnoresInitializer,
        IgnoresRegularizer,
    ],
)
def test_rejects_layer_that_breaks_the_contract(layer_class):
    with pytest.raises(tuple(ERRORS)):
        run_layer_test(layer_class, {"factor": 3.0}, (ROWS,), (4, 3))


def test_rejects_wrong_expected_shape():
    with pytest.raises(AssertionError):
        run_layer_test(Scale, {}, (ROWS,), (4, 4))


def test_accepts_float32_output_under_mixed_precision_if_expected():
    run_layer_test(Float32Output, {}, (ROWS,), (4, 3), mixed_output_dtype="float32")


def test_accepts_dependent_rows_if_expected():
    run_layer_test(MixesRows, {}, (ROWS,), (4, 3), row_wise=False)


def test_rejects_unused_argument_that_is_used():
    with pytest.raises(AssertionError):
        run_layer_test(Scale, {}, (ROWS,), (4, 3), unused_arguments=["kernel_initializer"])


@needs_tensorflow
def test_parity_compares_outputs_and_gradients_with_the_record(tmp_path, monkeypatch):
    monkeypatch.setenv("TFMTL_PARITY_RECORD", str(tmp_path))
    run_layer_test(Scale, {}, (ROWS,), (4, 3))
    monkeypatch.delenv("TFMTL_PARITY_RECORD")
    monkeypatch.setenv("TFMTL_PARITY_COMPARE", str(tmp_path))
    parity._calls.clear()
    run_layer_test(Scale, {}, (ROWS,), (4, 3))
    (path,) = tmp_path.glob("*.npz")
    with np.load(path) as recorded:
        changed = {name: recorded[name] for name in recorded.files}
    for name in ("output-0", "gradient-0"):
        np.savez(path, **{**changed, name: changed[name] + 1e-4})
        parity._calls.clear()
        with pytest.raises(AssertionError, match=name):
            run_layer_test(Scale, {}, (ROWS,), (4, 3))
    with pytest.raises(AssertionError, match=r"TFMTL_PARITY_RECORD should have written .*\.npz on TensorFlow"):
        run_layer_test(Scale, {}, (ROWS,), (4, 3))
