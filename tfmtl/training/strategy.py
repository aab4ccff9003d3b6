"""How a batch becomes an update of a model: the interface, and plain training."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Losses:
    """What a forward pass gives.

    Attributes:
        total: the scalar that is minimized. On a replica of a `tf.distribute` strategy it is that of the global batch,
            and the gradients of all replicas add up to its gradient.
        logits: `(batch,)` by task.
        tasks: by task, its mean loss over the batch, and the sum of the weights of its rows on this replica.
        extras: other losses, already weighted, by name; they are in the total.
    """

    total: Any
    logits: Mapping[str, Any]
    tasks: Mapping[str, tuple[Any, Any]]
    extras: Mapping[str, Any]


def join_losses(parts: Sequence[Losses]) -> Losses:
    """The losses of several sets of rows as those of all of them, the logits one after the other.

    They are means over rows: of a task, by the weights of its rows; of the total and the extras, by how many rows a
    set has.
    """

    def mean(losses: Sequence[Any], weights: Any) -> Any:
        return tf.math.divide_no_nan(tf.reduce_sum(weights * tf.stack(losses)), tf.reduce_sum(weights))

    rows = tf.cast(tf.stack([tf.shape(next(iter(part.logits.values())))[0] for part in parts]), "float32")
    tasks = {}
    for name in parts[0].tasks:
        weights = tf.stack([part.tasks[name][1] for part in parts])
        tasks[name] = (mean([part.tasks[name][0] for part in parts], weights), tf.reduce_sum(weights))
    logits = {name: tf.concat([part.logits[name] for part in parts], axis=0) for name in parts[0].logits}
    extras = {name: mean([part.extras[name] for part in parts], rows) for name in parts[0].extras}
    return Losses(mean([part.total for part in parts], rows), logits, tasks, extras)


class Strategy:
    """A way to train any `MultiTaskModel`; given to its `compile`.

    A strategy knows a model by `compute_losses(features, labels, sample_weight, training)`, its trainable variables, its
    optimizer and `track(losses, labels, sample_weight)`. It is registered with Keras and has a `get_config`, so that a
    saved model goes on training as before.
    """

    def train_step(self, model: Any, features: Any, labels: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Updates the model with one batch and returns its metrics."""
        raise NotImplementedError(f"{type(self).__name__} should have a `train_step`")

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal strategy."""
        return {}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Strategy":
        """The inverse of `get_config`."""
        return cls(**config)


@keras.saving.register_keras_serializable(package="tfmtl")
class PlainTraining(Strategy):
    """One step of the optimizer along the gradient of the batch's total loss."""

    def train_step(self, model: Any, features: Any, labels: Any, sample_weight: Any = None) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            losses = model.compute_losses(features, labels, sample_weight, training=True)
            scaled = model.optimizer.scale_loss(losses.total)
        gradients = tape.gradient(scaled, model.trainable_variables)
        model.optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return model.track(losses, labels, sample_weight)
