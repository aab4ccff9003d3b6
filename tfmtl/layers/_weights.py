"""Initializers and regularizers of kernels and biases: arguments of layers and part of their configs."""

import dataclasses
import random
from typing import Any

import keras

from tfmtl.types import Config, Initializer, Regularizer


def get_initializer(identifier: Initializer) -> Initializer:
    """Returns an initializer without a draw of Python's random numbers.

    Keras draws a seed when an initializer without one is made. In this package `copy` draws it, once for each weight,
    so that the initial weights of a model do not depend on how many arguments its layers take.
    """
    state = random.getstate()
    try:
        return keras.initializers.get(identifier)
    finally:
        random.setstate(state)


def copy(initializer: Initializer) -> Initializer:
    """Returns a copy for one weight, with a seed of its own: an initializer gives the same values at every call."""
    return initializer.clone() if isinstance(initializer, keras.initializers.Initializer) else initializer


@dataclasses.dataclass(frozen=True)
class KernelArguments:
    """Initializer and regularizer of the kernels of a layer, each a Keras object or what Keras accepts for one."""

    kernel_initializer: Initializer
    kernel_regularizer: Regularizer

    def __post_init__(self) -> None:
        for name in _names(self):
            getter = get_initializer if name.endswith("initializer") else keras.regularizers.get
            object.__setattr__(self, name, getter(getattr(self, name)))

    def kernel(self) -> dict[str, Any]:
        """Returns the arguments of `add_weight` for a kernel."""
        return {"initializer": copy(self.kernel_initializer), "regularizer": self.kernel_regularizer}

    def shared(self) -> dict[str, Any]:
        """Returns the arguments for a layer of this package inside the layer, which copies them for each weight."""
        return {name: getattr(self, name) for name in _names(self)}

    def get_config(self) -> Config:
        """Returns the part of a layer's config that holds these arguments."""
        config = {}
        for name, value in self.shared().items():
            module = keras.initializers if name.endswith("initializer") else keras.regularizers
            config[name] = module.serialize(value)
        return config


@dataclasses.dataclass(frozen=True)
class DenseArguments(KernelArguments):
    """Initializers and regularizers of the kernels and biases of a layer."""

    bias_initializer: Initializer
    bias_regularizer: Regularizer

    def bias(self) -> dict[str, Any]:
        """Returns the arguments of `add_weight` for a bias."""
        return {"initializer": copy(self.bias_initializer), "regularizer": self.bias_regularizer}

    def dense(self) -> dict[str, Any]:
        """Returns the arguments for a `keras.layers.Dense` inside the layer."""
        return {name: copy(value) for name, value in self.shared().items()}

    def kernels_only(self) -> dict[str, Any]:
        """Returns the arguments for a layer of this package that has kernels and no biases."""
        return {name: getattr(self, name) for name in ("kernel_initializer", "kernel_regularizer")}


def _names(arguments: KernelArguments) -> list[str]:
    return [field.name for field in dataclasses.fields(arguments)]
