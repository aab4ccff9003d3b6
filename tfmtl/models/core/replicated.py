"""ReplicatedModel: a Keras model whose batches are divided between the replicas of a `tf.distribute` strategy."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfmtl.training.distribution import ONE_DEVICE, make_replica_function


class ReplicatedModel(keras.Model):
    """Model that is trained and evaluated on the replicas of the strategy in whose scope it is created.

    `fit` and `evaluate` take datasets of global batches, as they do on one device. `make_replica_function` describes
    what replaces the functions of Keras, and `tfmtl.training.Distribution` in which respects N replicas give the
    results of one.

    Args:
        **kwargs: `name` and `dtype` of `keras.Model`.
    """

    train_function: Callable[[Any], dict[str, Any]] | None
    test_function: Callable[[Any], dict[str, Any]] | None

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.replica_strategy = tf.distribute.get_strategy()

    @property
    def distribute_strategy(self) -> tf.distribute.Strategy:
        """Strategy with which Keras reads data and predicts: one device, as `train_function` divides the batches."""
        return ONE_DEVICE

    def make_train_function(self, force: bool = False) -> Callable[[Any], dict[str, Any]] | None:
        """Creates the function that `fit` calls for each step.

        Args:
            force: Whether to create it again if it exists.
        """
        if self.replica_strategy.num_replicas_in_sync == 1:
            super().make_train_function(force)
        elif force or self.train_function is None:
            self.train_function = make_replica_function(self, self.train_step)
        return self.train_function

    def make_test_function(self, force: bool = False) -> Callable[[Any], dict[str, Any]] | None:
        """Creates the function that `evaluate` calls for each step.

        Args:
            force: Whether to create it again if it exists.
        """
        if self.replica_strategy.num_replicas_in_sync == 1:
            super().make_test_function(force)
        elif force or self.test_function is None:
            self.test_function = make_replica_function(self, self.test_step)
        return self.test_function

    def _maybe_symbolic_build(self, *args: Any, **kwargs: Any) -> None:
        # Keras averages the first batches of the replicas, which would have to be of one size.
        if not self.built:
            super()._maybe_symbolic_build(*args, **kwargs)
