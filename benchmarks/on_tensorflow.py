"""Matrix products and training steps of layers on TensorFlow."""

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from benchmarks import timing
from benchmarks.batches import Batch
from benchmarks.flops import count_flops
from benchmarks.layer_stacks import cross_entropy


@contextlib.contextmanager
def use_device(device: str) -> Iterator[None]:
    """Context manager that places the operations of its block on a device.

    Args:
        device: `cpu` or `gpu`.

    Raises:
        RuntimeError: If TensorFlow does not find the device.
    """
    if not tf.config.list_physical_devices(device.upper()):
        raise RuntimeError(f"`--device` should be a device that TensorFlow finds. Received: {device}")
    with tf.device(f"/{device.upper()}:0"):
        yield


def product_steps(left: Sequence[int], right: Sequence[int], dtype: str) -> Callable[[int], None]:
    """Returns a function that multiplies two random matrices as often as its argument says.

    Args:
        left: Shape of the left factor.
        right: Shape of the right factor.
        dtype: Dtype of the factors.
    """
    factors = [tf.cast(tf.random.normal(shape), dtype) for shape in (left, right)]
    multiply = tf.function(tf.matmul)

    def run(number: int) -> None:
        for _ in range(number):
            result = multiply(*factors)
        result[..., 0, 0].numpy()  # Waits for the device.

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
        pool = itertools.cycle([keras.tree.map_structure(tf.constant, batch) for batch in batches])
        like = keras.tree.map_structure(lambda one: tf.TensorSpec((None, *one.shape[1:]), one.dtype), batches[0])
        step = tf.function(self._step, input_signature=like, autograph=False)

        def run(number: int) -> float:
            for _ in range(number):
                loss = step(*next(pool))
            return float(loss)

        return run

    def count_flops(self, batch: Batch) -> tuple[int, int]:
        """Counts the operations of the matrix products of a training step, and of its forward pass alone.

        Args:
            batch: A batch.
        """
        with count_flops() as step:
            self._step(*batch)
        with count_flops() as forward:
            self._loss(*batch)
        return step.total, forward.total

    def _loss(self, features: Any, labels: Any) -> tf.Tensor:
        return cross_entropy(self._layer(features, training=True), labels)

    def _step(self, features: Any, labels: Any) -> tf.Tensor:
        variables = self._layer.trainable_variables
        with tf.GradientTape() as tape:
            loss = self._loss(features, labels)
        self._optimizer.apply(tape.gradient(loss, [variable.value for variable in variables]), variables)
        return loss


def peak_memory_mb(device: str) -> float:
    """Returns the peak memory in MB: that of this process, or that of the GPU.

    Args:
        device: `cpu` or `gpu`.
    """
    if device == "gpu":
        return float(tf.config.experimental.get_memory_info("GPU:0")["peak"]) / 2**20
    return timing.peak_memory_mb()
