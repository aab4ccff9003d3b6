"""The harness notices what it is there to notice."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tfmtl.layers.layer_harness import run_layer_test

ROWS = np.linspace(-1, 1, 12, dtype="float32").reshape(4, 3)


@keras.saving.register_keras_serializable(package="tfmtl_tests")
class Scale(keras.layers.Layer):
    """`y = factor * w * x`: right as it is, spoilt by the subclasses below."""

    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="w")

    def call(self, inputs):
        return self.factor * inputs * self.w

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


@keras.saving.register_keras_serializable(package="tfmtl_tests")
class ForgetsItsFactor(Scale):
    def get_config(self):
        return {key: value for key, value in super().get_config().items() if key != "factor"}


@keras.saving.register_keras_serializable(package="tfmtl_tests")
class WrongShape(Scale):
    def compute_output_shape(self, input_shape):
        return (*input_shape, 1)


@keras.saving.register_keras_serializable(package="tfmtl_tests")
class StaticBatch(Scale):
    def call(self, inputs):
        return tf.reshape(super().call(inputs), (4, 3))


@keras.saving.register_keras_serializable(package="tfmtl_tests")
class LeavesPolicy(Scale):
    def call(self, inputs):
        return tf.cast(super().call(inputs), "float32")


@keras.saving.register_keras_serializable(package="tfmtl_tests")
class NoGradient(Scale):
    def call(self, inputs):
        return inputs * tf.stop_gradient(tf.convert_to_tensor(self.w))


@keras.saving.register_keras_serializable(package="tfmtl_tests")
class InfiniteGradient(Scale):
    def call(self, inputs):
        return super().call(inputs) + tf.sqrt(self.w - 1.0)


@keras.saving.register_keras_serializable(package="tfmtl_tests")
class MixesRows(Scale):
    def call(self, inputs):
        return super().call(inputs) - tf.reduce_mean(inputs, axis=0)


def test_a_right_layer_passes():
    run_layer_test(Scale, {"factor": 3.0}, (ROWS,), (4, 3))


@pytest.mark.parametrize(
    "layer_class", [ForgetsItsFactor, WrongShape, StaticBatch, LeavesPolicy, NoGradient, InfiniteGradient, MixesRows]
)
def test_a_wrong_layer_fails(layer_class):
    with pytest.raises((AssertionError, ValueError, tf.errors.InvalidArgumentError)):
        run_layer_test(layer_class, {"factor": 3.0}, (ROWS,), (4, 3))


def test_wrong_expected_shape_fails():
    with pytest.raises(AssertionError):
        run_layer_test(Scale, {}, (ROWS,), (4, 4))


def test_float32_output_is_accepted_where_it_is_documented():
    run_layer_test(LeavesPolicy, {}, (ROWS,), (4, 3), mixed_output_dtype="float32")


def test_rows_may_depend_on_each_other_where_it_is_said():
    run_layer_test(MixesRows, {}, (ROWS,), (4, 3), row_wise=False)
