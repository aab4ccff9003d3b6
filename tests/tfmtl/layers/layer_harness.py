"""`run_layer_test`: the contract that every layer of the package fulfils, on any Keras backend."""

import inspect
import json
import pathlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from tests.tfmtl.backends import (
    BACKEND,
    assert_close,
    dtype_name,
    import_tensorflow,
    to_numpy,
    weight_gradients,
)
from tests.tfmtl.layers.parity import check_parity
from tfmtl.backend import is_tensorflow

POLICIES = ("float32", "mixed_bfloat16")


@keras.saving.register_keras_serializable(package="tfmtl_tests")
class LayerModel(keras.Model):
    """Subclassed model around one layer; its input is the tuple of the layer's call arguments."""

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
        model([_map(lambda leaf: np.zeros(leaf["shape"], leaf["dtype"]), one, _is_leaf) for one in config["inputs"]])
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
    unused_arguments: Sequence[str] = (),
) -> None:
    """Checks the contract that all layers share; raises `AssertionError` if the layer breaks it.

    Args:
        layer_class: Class under test.
        init_kwargs: Arguments of its constructor.
        call_args: Positional arguments of a call, NumPy arrays or dicts and lists of them, the batch axis first.
        expected_output_shape: Shape with the batch axis; a dict or list of shapes if the layer returns one.
        mixed_output_dtype: Dtype of the outputs under `mixed_bfloat16`; under `float32` they are float32.
        row_wise: Whether an output row depends on the same input row only, so that a batch can be cut.
        learns: Whether a training step changes a weight. It does not if the gradient is 0 by construction.
        unused_arguments: Names of initializers and regularizers without a weight under `init_kwargs`.
    """
    layer = layer_class(**init_kwargs)
    outputs = layer(*call_args)
    _check_shapes(layer, call_args, outputs, expected_output_shape)
    _check_config(layer_class, layer, call_args, outputs)
    _check_saved_model(layer, call_args, outputs)
    _check_compiled(layer, call_args, outputs, row_wise)
    _check_mixed_precision(layer_class, init_kwargs, layer, call_args, outputs, mixed_output_dtype)
    for policy in POLICIES:
        _check_training_step(layer_class(**init_kwargs, dtype=policy), call_args, learns)
    _check_initial_weights(layer_class, init_kwargs, call_args)
    _check_weight_arguments(layer_class, init_kwargs, call_args, unused_arguments)
    check_parity(_model(layer, call_args), call_args, _loss)


def _check_shapes(layer, call_args, outputs, expected) -> None:
    assert _shapes(outputs) == _tuples(expected)
    assert _tuples(layer.compute_output_shape(*_map(np.shape, call_args))) == _shapes(outputs)
    any_batch = _map(lambda array: (None, *array.shape[1:]), call_args)
    unknown_batch = layer.compute_output_shape(*any_batch)
    assert _tuples(unknown_batch) == [(None, *shape[1:]) for shape in _shapes(outputs)]
    assert _shapes(_symbolic_call(layer, call_args)) == _tuples(unknown_batch)


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
    model = _model(layer, call_args)
    _assert_equal(model(call_args), outputs)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.keras"
        model.save(path)
        loaded = keras.saving.load_model(path)
    assert loaded.layer is not layer
    _assert_equal(loaded(call_args), outputs)


def _check_compiled(layer, call_args, outputs, row_wise) -> None:
    function = _compiled(layer, call_args)
    if is_tensorflow():
        traced = function.get_concrete_function().structured_outputs
        assert _shapes(traced) == [(None, *shape[1:]) for shape in _shapes(outputs)]
    _assert_equal(function(*call_args), outputs, atol=1e-5)
    for rows in (0, 1) if row_wise else ():
        part = function(*_map(lambda array, rows=rows: array[:rows], call_args))
        _assert_equal(part, keras.tree.map_structure(lambda output, rows=rows: output[:rows], outputs), atol=1e-5)
    if is_tensorflow():
        assert function.experimental_get_tracing_count() == 1


def _compiled(layer, call_args) -> Callable:
    """Returns the layer as a `tf.function` of any batch size or a jitted JAX function; itself on PyTorch."""
    if is_tensorflow():
        tf = import_tensorflow("")
        signature = _map(lambda array: tf.TensorSpec((None, *array.shape[1:]), array.dtype), call_args)
        return tf.function(lambda *args: layer(*args), input_signature=signature, autograph=False)
    if BACKEND == "jax":
        import jax

        return jax.jit(lambda *args: layer(*args))
    return layer


def _check_mixed_precision(layer_class, init_kwargs, layer, call_args, outputs, mixed_output_dtype) -> None:
    assert {dtype_name(output) for output in keras.tree.flatten(outputs)} == {"float32"}
    mixed = layer_class(**init_kwargs, dtype="mixed_bfloat16")
    _symbolic_call(mixed, call_args)
    assert {weight.dtype for weight in mixed.trainable_weights} <= {"float32"}
    mixed.set_weights(layer.get_weights())
    mixed_outputs = keras.tree.flatten(_compiled(mixed, call_args)(*call_args))
    assert {dtype_name(output) for output in mixed_outputs} == {mixed_output_dtype}
    for rough, exact in zip(mixed_outputs, keras.tree.flatten(outputs), strict=True):
        assert_close(rough, exact, atol=0.05 * np.max(np.abs(to_numpy(exact))))


def _check_training_step(layer, call_args, learns) -> None:
    _symbolic_call(layer, call_args)
    before = layer.get_weights()
    gradients = weight_gradients(lambda: _loss(layer(*call_args, training=True)), layer.trainable_weights)
    for gradient, weight in zip(gradients, layer.trainable_weights, strict=True):
        assert gradient is not None, f"no gradient for {weight.path}"
        assert np.all(np.isfinite(to_numpy(gradient))), f"gradient of {weight.path} should be finite"
    if gradients:
        keras.optimizers.SGD(0.1).apply(gradients, layer.trainable_weights)
        after = layer.get_weights()
        assert all(np.all(np.isfinite(weight)) for weight in after)
        assert any(np.any(old != new) for old, new in zip(before, after, strict=True)) == learns


def _check_initial_weights(layer_class, init_kwargs, call_args) -> None:
    """A layer from a config draws the same initial weights as the layer that the config is of."""
    initial = []
    config = layer_class(**init_kwargs).get_config()
    for make in (lambda: layer_class(**init_kwargs), lambda: layer_class.from_config(config)):
        keras.utils.set_random_seed(1)
        layer = make()
        _symbolic_call(layer, call_args)
        initial.append(layer.get_weights())
    for one, other in zip(*initial, strict=True):
        np.testing.assert_array_equal(one, other)


def _check_weight_arguments(layer_class, init_kwargs, call_args, unused_arguments) -> None:
    """Each initializer and regularizer that the constructor takes reaches a weight, and the config."""
    for name in inspect.signature(layer_class).parameters:
        if not name.endswith(("_initializer", "_regularizer")):
            continue
        check = _check_initializer if name.endswith("initializer") else _check_regularizer
        check(layer_class, init_kwargs, call_args, name, used=name not in unused_arguments)


def _check_initializer(layer_class, init_kwargs, call_args, name, used) -> None:
    layer = layer_class(**{**init_kwargs, name: keras.initializers.Constant(0.375)})
    for one in (layer, layer_class.from_config(layer.get_config())):
        _symbolic_call(one, call_args)
        assert any(np.all(weight == 0.375) for weight in one.get_weights()) == used, name


def _check_regularizer(layer_class, init_kwargs, call_args, name, used) -> None:
    layer = layer_class(**{**init_kwargs, name: keras.regularizers.L2(0.5)})
    for one in (layer, layer_class.from_config(layer.get_config())):
        _symbolic_call(one, call_args)
        for weight in one.trainable_weights:
            weight.assign(np.full(weight.shape, 0.25))
        regularized = [weight for weight in one.weights if weight.regularizer is not None]
        if regularized:
            penalty = sum(0.5 * 0.25**2 * np.prod(weight.shape) for weight in regularized)
            assert_close(sum(one.losses), penalty, rtol=1e-5)
            are_biases = {weight.name.startswith("bias") and "kernel" not in weight.name for weight in regularized}
            assert are_biases == {name.startswith("bias")}, name
        else:
            one(*call_args)  # A regularizer of looked-up rows belongs to no weight.
        assert bool(one.losses) == used, name


def _symbolic_call(layer, call_args) -> Any:
    """Builds the layer without computing anything, and returns its symbolic outputs."""
    return layer(*_map(lambda array: keras.KerasTensor((None, *array.shape[1:]), array.dtype.name), call_args))


def _loss(outputs) -> Any:
    return sum(ops.mean(ops.square(ops.cast(output, "float32") - 1.0)) for output in keras.tree.flatten(outputs))


def _model(layer, call_args) -> LayerModel:
    inputs = [_map(lambda array: {"shape": array.shape, "dtype": array.dtype.name}, one) for one in call_args]
    model = LayerModel(layer, inputs)
    model(call_args)
    return model


def _map(function, structure, is_leaf=lambda value: not isinstance(value, dict | list | tuple)):
    """Applies a function to each leaf of nested dicts, lists and tuples."""
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
    """Returns the shapes of a structure, in the order in which `keras.tree.flatten` returns its tensors."""
    if isinstance(shapes, dict):
        return [shape for key in sorted(shapes) for shape in _tuples(shapes[key])]
    if isinstance(shapes, tuple | list) and all(size is None or isinstance(size, int) for size in shapes):
        return [tuple(shapes)]
    return [shape for entry in shapes for shape in _tuples(entry)]


def _assert_equal(actual: Any, expected: Any, atol: float = 1e-6) -> None:
    actual, expected = keras.tree.flatten(actual), keras.tree.flatten(expected)
    for one, other in zip(actual, expected, strict=True):
        assert_close(one, other, rtol=1e-5, atol=atol)
