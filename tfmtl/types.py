"""Type aliases that annotate tensors, features, labels and shapes.

Keras and TensorFlow have no type information, so the aliases of tensors are `Any` for a type checker. They tell a
reader which kind of value an argument or a result is.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

Tensor: TypeAlias = Any
"""A tensor of the Keras backend: `tf.Tensor`, `jax.Array` or `torch.Tensor`, or a `keras.KerasTensor`."""

TensorLike: TypeAlias = Any
"""A tensor, or what converts to one: a NumPy array, a list of numbers, a number, a `keras.Variable`."""

Features: TypeAlias = Mapping[str, TensorLike]
"""Transformed features by name, each `(batch, ...)`."""

Labels: TypeAlias = Mapping[str, TensorLike]
"""Labels by task name, each `(batch,)`."""

Logits: TypeAlias = Mapping[str, Tensor]
"""Logits by task name, each `(batch,)`."""

Shape: TypeAlias = tuple[int | None, ...]
"""A shape; None is a dimension of unknown size, such as the batch."""

Config: TypeAlias = dict[str, Any]
"""The plain data that `get_config` returns and `from_config` takes."""

Activation: TypeAlias = Any
"""An activation: its name, a function of a tensor, or None for the identity; see `keras.activations.get`."""

Initializer: TypeAlias = Any
"""An initializer: its name, a `keras.initializers.Initializer`, or its config; see `keras.initializers.get`."""

Regularizer: TypeAlias = Any
"""A regularizer: its name, a `keras.regularizers.Regularizer`, or None; see `keras.regularizers.get`."""
