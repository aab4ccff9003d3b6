"""Linear maps of vectors to the width of an embedding."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from tfmtl.layers._weights import copy
from tfmtl.types import Features, Initializer, Tensor

Weights = dict[str, Any]
"""Weights by the name of the field."""


def add_maps(
    layer: keras.layers.Layer, lengths: Mapping[str, int], dim: int, initializer: Initializer
) -> tuple[Weights, Weights]:
    """Adds the weights of linear maps to a layer.

    Args:
        layer: Layer that is built.
        lengths: Length of the vector of each field.
        dim: Number of outputs of each map.
        initializer: Initializer of the kernels; biases are 0.

    Returns:
        Kernels `(length, dim)` and biases `(dim,)`.
    """
    kernels, biases = {}, {}
    for field, length in lengths.items():
        kernels[field] = layer.add_weight(shape=(length, dim), initializer=copy(initializer), name=f"{field}_kernel")
        biases[field] = layer.add_weight(shape=(dim,), initializer="zeros", name=f"{field}_bias")
    return kernels, biases


def project(inputs: Features, kernels: Weights, biases: Weights, dtype: str) -> dict[str, Tensor]:
    """Computes `x W + b` of each field.

    Args:
        inputs: Vectors by name, `(batch, length)`; other entries are ignored.
        kernels: Kernels W.
        biases: Biases b.
        dtype: Type of the computation.

    Returns:
        `(batch, dim)` by name.

    Raises:
        ValueError: If a vector is missing.
    """
    missing = [field for field in kernels if field not in inputs]
    if missing:
        raise ValueError(f"`inputs` should hold every field. Received none for: {', '.join(missing)}")
    return {
        field: ops.matmul(ops.cast(inputs[field], dtype), kernel) + biases[field] for field, kernel in kernels.items()
    }
