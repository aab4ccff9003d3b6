"""Matrix products and training steps of layers on JAX."""

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import keras

from benchmarks import timing
from benchmarks.batches import Batch
from benchmarks.layer_stacks import cross_entropy

_State = tuple[list[Any], list[Any], list[Any]]
"""Values of the trainable variables, the other variables, and the optimizer's variables."""


@contextlib.contextmanager
def use_device(device: str) -> Iterator[None]:
    """Context manager that places the arrays of its block on a device.

    Args:
        device: `cpu` or `gpu`.

    Raises:
        RuntimeError: If JAX does not find the device.
    """
    try:
        devices = jax.devices(device)
    except RuntimeError as error:
        raise RuntimeError(f"`--device` should be a device that JAX finds. Received: {device}") from error
    with jax.default_device(devices[0]):
        yield


def product_steps(left: Sequence[int], right: Sequence[int], dtype: str) -> Callable[[int], None]:
    """Returns a function that multiplies two random matrices as often as its argument says.

    Args:
        left: Shape of the left factor.
        right: Shape of the right factor.
        dtype: Dtype of the factors.
    """
    keys = jax.random.split(jax.random.key(0))
    factors = [jax.random.normal(key, shape).astype(dtype) for key, shape in zip(keys, (left, right), strict=True)]
    multiply = jax.jit(jax.numpy.matmul)

    def run(number: int) -> None:
        for _ in range(number):
            result = multiply(*factors)
        result.block_until_ready()

    return run


class TrainingStep:
    """Forward pass, backward pass and optimizer update of a layer.

    Args:
        layer: A layer, built, that maps features to logits by task.
        optimizer: A Keras optimizer.
    """

    def __init__(self, layer: keras.layers.Layer, optimizer: keras.optimizers.Optimizer) -> None:
        self._layer = layer
        self._optimizer = optimizer
        optimizer.build(layer.trainable_variables)

    def steps(self, batches: Sequence[Batch]) -> Callable[[int], float]:
        """Returns a function that trains as many steps as its argument says, and returns the last loss.

        Args:
            batches: Batches that are used in turn.
        """
        pool = itertools.cycle([jax.tree.map(jax.numpy.asarray, batch) for batch in batches])
        step = jax.jit(self._step, donate_argnums=0)
        state = self._state()

        def run(number: int) -> float:
            nonlocal state
            for _ in range(number):
                state, loss = step(state, *next(pool))
            return float(loss)

        return run

    def count_flops(self, batch: Batch) -> tuple[int, int]:
        """Counts the operations of the matrix products of a training step, and of its forward pass alone.

        Args:
            batch: A batch.
        """
        state = self._state()
        step, forward = jax.make_jaxpr(self._step)(state, *batch), jax.make_jaxpr(self._loss)(*state[:2], *batch)
        return product_flops(step.jaxpr), product_flops(forward.jaxpr)

    def _state(self) -> _State:
        """Copies the values of all variables; the copies are donated to the compiled step."""
        groups = (self._layer.trainable_variables, self._layer.non_trainable_variables, self._optimizer.variables)
        trainable, other, optimizer = ([jax.numpy.array(one.value) for one in group] for group in groups)
        return trainable, other, optimizer

    def _loss(self, trainable: list[Any], other: list[Any], features: Any, labels: Any) -> tuple[Any, list[Any]]:
        logits, other = self._layer.stateless_call(trainable, other, features, training=True)
        return cross_entropy(logits, labels), other

    def _step(self, state: _State, features: Any, labels: Any) -> tuple[_State, Any]:
        trainable, other, optimizer = state
        (loss, other), gradients = jax.value_and_grad(self._loss, has_aux=True)(trainable, other, features, labels)
        trainable, optimizer = self._optimizer.stateless_apply(optimizer, gradients, trainable)
        return (trainable, other, optimizer), loss


def product_flops(jaxpr: Any) -> int:
    """Counts the operations of the matrix products of a jaxpr: `2 k` for each number of a product's output.

    The body of a `scan` counts once for each iteration; the body of a `while_loop`, whose number of iterations is not
    known, counts once.

    Args:
        jaxpr: A jaxpr, for example `jax.make_jaxpr(function)(*arguments).jaxpr`.
    """
    total = 0
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            (contracted, _), _ = equation.params["dimension_numbers"]
            left, output = equation.invars[0].aval.shape, equation.outvars[0].aval.shape
            total += 2 * math.prod(output) * math.prod(left[axis] for axis in contracted)
        iterations = equation.params["length"] if equation.primitive.name == "scan" else 1
        total += iterations * sum(product_flops(inner) for inner in _inner_jaxprs(equation.params))
    return total


def peak_memory_mb(device: str) -> float:
    """Returns the peak memory in MB: that of this process, or that of the GPU.

    Args:
        device: `cpu` or `gpu`.
    """
    if device == "gpu":
        return float(jax.devices("gpu")[0].memory_stats()["peak_bytes_in_use"]) / 2**20
    return timing.peak_memory_mb()


def _inner_jaxprs(params: dict[str, Any]) -> Iterator[Any]:
    """Yields the jaxprs among the parameters of an equation."""
    for value in params.values():
        for entry in value if isinstance(value, list | tuple) else [value]:
            inner = getattr(entry, "jaxpr", entry)
            if hasattr(inner, "eqns"):
                yield inner
