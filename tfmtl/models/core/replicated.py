"""ReplicatedModel: a Keras model whose batches are divided between the replicas of a `tf.distribute` strategy."""

from typing import Any

import keras
import tensorflow as tf

from tfmtl.training.distribution import ONE_DEVICE, on_replicas


class ReplicatedModel(keras.Model):
    """A model that is trained and evaluated on the replicas of the strategy in whose scope it is made.

    `fit` and `evaluate` take data sets of global batches, as they do on one device; see `on_replicas` for what is done
    in place of Keras's own, and `tfmtl.training.Distribution` for what N replicas have in common with one.
    """

    train_function: Any  # Keras's; a trainer makes them once.
    test_function: Any

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.replica_strategy = tf.distribute.get_strategy()

    @property
    def distribute_strategy(self):
        """Keras reads data, and predicts, on one device; `make_train_function` divides batches between replicas."""
        return ONE_DEVICE

    def make_train_function(self, force=False):
        if self.replica_strategy.num_replicas_in_sync == 1:
            return super().make_train_function(force)
        if force or self.train_function is None:
            self.train_function = on_replicas(self, self.train_step)
        return self.train_function

    def make_test_function(self, force=False):
        if self.replica_strategy.num_replicas_in_sync == 1:
            return super().make_test_function(force)
        if force or self.test_function is None:
            self.test_function = on_replicas(self, self.test_step)
        return self.test_function

    def _maybe_symbolic_build(self, *args, **kwargs):
        """Keras's own averages the replicas' first batches, for which these would have to be of one size."""
        if not self.built:
            super()._maybe_symbolic_build(*args, **kwargs)
