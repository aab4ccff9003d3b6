"""`run_layer_test`: what every layer of the package has to stand, whatever it computes."""

import json
import pathlib
import tempfile
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

POLICIES = ("float32", "mixed_bfloat16")


@keras.saving.register_keras_serializable(package="tfmtl_tests")
class LayerModel(keras.Model):
    """A user's model around one layer; its input is the tuple of the layer's call arguments."""

    def __init__(self, layer: keras.layers.Layer, inputs: list, **kwargs: Any):
        super().__init__(**kwargs)
        self.layer = layer
        self._inputs = inputs

    def call(self, inputs):
        return self.layer(*inputs)

    def get_config(self):
        return {"layer": keras.saving.serialize_keras_object(self.layer), "inputs": self._inputs}

    @classmethod
    def from_config(cls, config):
        model = cls(keras.saving.deserialize_keras_object(config["layer"]), config["inputs"])
        model([_map(lambda leaf: tf.zeros(leaf["shape"], leaf["dtype"]), one, _is_leaf) for one in config["inputs"]])
        return model


def run_layer_test(
    layer_class: type[keras.layers.Layer],
    init_kwargs: Mapping[str, Any],
    call_args: tuple,
    expected_output_shape: Any,
    *,
    mixed_output_dtype: str = "bfloat16",
    row_wise: bool = True,
    learns: bool = True,
) -> None:
    """Checks the contract that all layers share; raises `AssertionError` where one breaks it.

    Args:
        layer_class: under test.
        init_kwargs: of its constructor.
        call_args: the positional arguments of a call, NumPy arrays or dicts of them, the batch first.
        expected_output_shape: with the batch; a dict or list of shapes if the layer returns one.
        mixed_output_dtype: of the outputs under `mixed_bfloat16`; under `float32` they are float32.
        row_wise: an output row depends on the same input row only, so that a batch may be cut.
        learns: a training step changes a weight; it does not where the gradient is 0 by construction.
    """
    layer = layer_class(**init_kwargs)
    outputs = layer(*call_args)
    _check_shapes(layer, call_args, outputs, expected_output_shape)
    _check_config(layer_class, layer, call_args, outputs)
    _check_saved_model(layer, call_args, outputs)
    _check_graph(layer, call_args, outputs, row_wise)
    _check_mixed_precision(layer_class, init_kwargs, layer, call_args, outputs, mixed_output_dtype)
    for policy in POLICIES:
        _check_training_step(layer_class(**init_kwargs, dtype=policy), call_args, learns)


def _check_shapes(layer, call_args, outputs, expected) -> None:
    assert _shapes(outputs) == _tuples(expected)
    assert _tuples(layer.compute_output_shape(*_map(np.shape, call_args))) == _shapes(outputs)
    any_batch = _map(lambda array: (None, *array.shape[1:]), call_args)
    of_any_batch = layer.compute_output_shape(*any_batch)
    assert _tuples(of_any_batch) == [(None, *shape[1:]) for shape in _shapes(outputs)]
    symbolic = layer(*_map(lambda array: keras.KerasTensor((None, *array.shape[1:]), array.dtype.name), call_args))
    assert _shapes(symbolic) == _tuples(of_any_batch)


def _check_config(layer_class, layer, call_args, outputs) -> None:
    config = layer.get_config()
    assert json.loads(json.dumps(config)) == config, "a config should be plain data"
    copies = [
        layer_class.from_config(config),
        keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer)),
    ]
    for copy in copies:
        assert type(copy) is layer_class
        assert copy.get_config() == config
        copy(*call_args)
        copy.set_weights(layer.get_weights())
        _assert_equal(copy(*call_args), outputs)


def _check_saved_model(layer, call_args, outputs) -> None:
    inputs = [_map(lambda array: {"shape": array.shape, "dtype": array.dtype.name}, one) for one in call_args]
    model = LayerModel(layer, inputs)
    _assert_equal(model(call_args), outputs)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.keras"
        model.save(path)
        loaded = keras.saving.load_model(path)
    assert loaded.layer is not layer
    _assert_equal(loaded(call_args), outputs)


def _check_graph(layer, call_args, outputs, row_wise) -> None:
    signature = _map(lambda array: tf.TensorSpec((None, *array.shape[1:]), array.dtype), call_args)
    function = tf.function(lambda *args: layer(*args), input_signature=signature)
    traced = function.get_concrete_function().structured_outputs
    assert _shapes(traced) == [(None, *shape[1:]) for shape in _shapes(outputs)]
    _assert_equal(function(*call_args), outputs, atol=1e-5)
    for rows in (0, 1) if row_wise else ():
        part = function(*_map(lambda array, rows=rows: array[:rows], call_args))
        _assert_equal(part, keras.tree.map_structure(lambda output, rows=rows: output[:rows], outputs), atol=1e-5)
    assert function.experimental_get_tracing_count() == 1


def _check_mixed_precision(layer_class, init_kwargs, layer, call_args, outputs, mixed_output_dtype) -> None:
    assert {output.dtype.name for output in keras.tree.flatten(outputs)} == {"float32"}
    mixed = layer_class(**init_kwargs, dtype="mixed_bfloat16")
    mixed(*call_args)
    assert {weight.dtype for weight in mixed.trainable_weights} <= {"float32"}
    mixed.set_weights(layer.get_weights())
    of_mixed = mixed(*call_args)
    assert {output.dtype.name for output in keras.tree.flatten(of_mixed)} == {mixed_output_dtype}
    for rough, exact in zip(keras.tree.flatten(of_mixed), keras.tree.flatten(outputs), strict=True):
        scale = np.max(np.abs(exact))
        np.testing.assert_allclose(tf.cast(rough, "float32"), exact, atol=0.05 * scale)


def _check_training_step(layer, call_args, learns) -> None:
    with tf.GradientTape() as tape:
        outputs = keras.tree.flatten(layer(*call_args, training=True))
        loss = sum(tf.reduce_mean(tf.square(tf.cast(output, "float32") - 1.0)) for output in outputs)
    before = layer.get_weights()
    gradients = tape.gradient(loss, layer.trainable_weights)
    for gradient, weight in zip(gradients, layer.trainable_weights, strict=True):
        assert gradient is not None, f"no gradient for {weight.path}"
        values = gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient
        assert np.all(np.isfinite(values)), f"gradient of {weight.path} should be finite"
    if gradients:
        keras.optimizers.SGD(0.1).apply_gradients(zip(gradients, layer.trainable_weights, strict=True))
        after = layer.get_weights()
        assert all(np.all(np.isfinite(weight)) for weight in after)
        assert any(np.any(old != new) for old, new in zip(before, after, strict=True)) == learns


def _map(function, structure, is_leaf=lambda value: not isinstance(value, dict | list | tuple)):
    """`function` of each leaf of nested dicts, lists and tuples."""
    if is_leaf(structure):
        return function(structure)
    if isinstance(structure, dict):
        return {key: _map(function, value, is_leaf) for key, value in structure.items()}
    return type(structure)(_map(function, value, is_leaf) for value in structure)


def _is_leaf(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"shape", "dtype"}


def _shapes(outputs: Any) -> list[tuple]:
    return [tuple(output.shape) for output in keras.tree.flatten(outputs)]


def _tuples(shapes: Any) -> list[tuple]:
    """The shapes of a structure of shapes, in the order in which `keras.tree.flatten` gives its tensors."""
    if isinstance(shapes, dict):
        return [shape for key in sorted(shapes) for shape in _tuples(shapes[key])]
    if isinstance(shapes, tuple | list) and all(size is None or isinstance(size, int) for size in shapes):
        return [tuple(shapes)]
    return [shape for entry in shapes for shape in _tuples(entry)]


def _assert_equal(actual: Any, expected: Any, atol: float = 1e-6) -> None:
    actual, expected = keras.tree.flatten(actual), keras.tree.flatten(expected)
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=atol)
