"""Gradients and compilation of functions of tensors on any Keras backend."""

import keras
import numpy as np
from keras import ops

from tests.tfmtl.backends import BACKEND, to_numpy


def tensor(values, dtype="float32"):
    """Returns a tensor of the backend."""
    return ops.convert_to_tensor(np.asarray(values), dtype=dtype)


def value_and_gradients(function, *inputs):
    """Returns `function(*inputs)` and the gradients of the sum of its elements by the inputs, as NumPy arrays.

    Inputs may be nested, and so are the gradients. The gradient by an input on which the value does not depend is 0.
    """
    flat = [ops.convert_to_tensor(one) for one in keras.tree.flatten(inputs)]
    value, slopes = _BACKENDS[BACKEND](lambda *flat: function(*keras.tree.pack_sequence_as(inputs, flat)), flat)
    slopes = [
        np.zeros(one.shape) if slope is None else to_numpy(slope) for one, slope in zip(flat, slopes, strict=True)
    ]
    return to_numpy(value), keras.tree.pack_sequence_as(inputs, slopes)


def gradients(function, *inputs):
    """Returns the gradients of the sum of `function(*inputs)` by the inputs, as NumPy arrays."""
    return value_and_gradients(function, *inputs)[1]


def _tensorflow(function, inputs):
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value = function(*inputs)
        total = tf.reduce_sum(value)
    return value, tape.gradient(total, inputs)


def _jax(function, inputs):
    import jax

    def total(*inputs):
        value = function(*inputs)
        return ops.sum(value), value

    slopes, value = jax.grad(total, argnums=tuple(range(len(inputs))), has_aux=True)(*inputs)
    return value, slopes


def _torch(function, inputs):
    import torch

    inputs = [one.detach().clone().requires_grad_() for one in inputs]
    value = function(*inputs)
    if not value.requires_grad:
        return value, [None] * len(inputs)
    return value, torch.autograd.grad(value.sum(), inputs, allow_unused=True)


_BACKENDS = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}


def compiled(function, *specs):
    """Returns the function compiled by the backend; unchanged on torch.

    With TensorFlow, `specs` are the shapes of its arguments, in which None is a dimension of any size.
    """
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.function(function, input_signature=[tf.TensorSpec(spec) for spec in specs] or None, autograph=False)
    if BACKEND == "jax":
        import jax

        return jax.jit(function)
    return function
