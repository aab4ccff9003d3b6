"""Values and gradients on any Keras backend, for tests."""

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import keras
import numpy as np
import pytest

from tfmtl.backend import is_tensorflow

BACKEND = keras.backend.backend()
needs_tensorflow = pytest.mark.skipif(not is_tensorflow(), reason="needs TensorFlow")
"""Decorator of tests that run on TensorFlow only."""


def import_tensorflow(reason: str) -> ModuleType:
    """Returns the module `tensorflow`, or skips the test or test module on another backend.

    Args:
        reason: Reason why the test needs TensorFlow.
    """
    if not is_tensorflow():
        pytest.skip(f"needs TensorFlow: {reason}", allow_module_level=True)
    import tensorflow

    return tensorflow


def to_numpy(tensor: Any) -> np.ndarray:
    """Converts a tensor, variable or number; one in bfloat16 to float32, and a `tf.IndexedSlices` to a dense array."""
    if type(tensor).__name__ == "IndexedSlices":
        tensor = import_tensorflow("sparse gradients").convert_to_tensor(tensor)
    if hasattr(tensor, "dtype") and "bfloat16" in str(tensor.dtype):
        tensor = keras.ops.cast(tensor, "float32")
    return np.asarray(keras.ops.convert_to_numpy(tensor))


def dtype_name(tensor: Any) -> str:
    """Returns the name of a tensor's dtype, such as "float32"."""
    return keras.backend.standardize_dtype(tensor.dtype)


def assert_close(actual: Any, expected: Any, rtol: float = 1e-7, atol: float = 0.0) -> None:
    """Raises `AssertionError` unless two tensors or arrays are close, as `np.testing.assert_allclose` has it."""
    np.testing.assert_allclose(to_numpy(actual), to_numpy(expected), rtol=rtol, atol=atol)


def assert_same(actual: Any, expected: Any) -> None:
    """Raises `AssertionError` unless two tensors or arrays are equal."""
    np.testing.assert_array_equal(to_numpy(actual), to_numpy(expected))


def gradients(function: Callable[..., Any], arguments: Sequence[Any]) -> list[Any]:
    """Computes the gradients of a scalar function of several tensors.

    Args:
        function: Function of the arguments.
        arguments: Arrays or tensors.

    Returns:
        A gradient for each argument; `function` may itself call `gradients`, for second derivatives.
    """
    tensors = [keras.ops.convert_to_tensor(argument) for argument in arguments]
    if is_tensorflow():
        tf = import_tensorflow("")
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            value = function(*tensors)
        return tape.gradient(value, tensors)
    if BACKEND == "jax":
        import jax

        return list(jax.jit(jax.grad(function, argnums=tuple(range(len(tensors)))))(*tensors))
    import torch

    tensors = [tensor if tensor.requires_grad else tensor.detach().requires_grad_() for tensor in tensors]
    return list(torch.autograd.grad(function(*tensors), tensors, create_graph=True))


def weight_gradients(loss: Callable[[], Any], weights: Sequence[Any]) -> list[Any]:
    """Computes the gradients of a scalar loss with respect to Keras variables.

    Args:
        loss: Function without arguments that computes the loss.
        weights: Keras variables.

    Returns:
        A gradient for each variable: None for one that the loss does not depend on, except on JAX, where it is 0.
    """
    if not weights:
        return []
    if is_tensorflow():
        tf = import_tensorflow("")
        with tf.GradientTape() as tape:
            value = loss()
        return tape.gradient(value, [weight.value for weight in weights])
    if BACKEND == "jax":
        import jax

        def stateless(values: list[Any]) -> Any:
            with keras.StatelessScope(state_mapping=list(zip(weights, values, strict=True)), collect_losses=True):
                return loss()

        return jax.jit(jax.grad(stateless))([weight.value for weight in weights])
    import torch

    return list(torch.autograd.grad(loss(), [weight.value for weight in weights], allow_unused=True))
