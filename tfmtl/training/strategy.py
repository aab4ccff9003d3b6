"""Training strategies: the interface of conversions of a batch to an update of a model, and plain training."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import keras
import tensorflow as tf

from tfmtl.types import Config, Features, Labels, Logits, Tensor


@dataclasses.dataclass(frozen=True)
class Losses:
    """Losses and logits of a forward pass.

    Attributes:
        total: The scalar that training minimizes. On a replica of a `tf.distribute` strategy it is the loss of the
            global batch, and the gradients of all replicas sum to its gradient.
        logits: Logits by task name, each `(batch,)`.
        tasks: For each task by its name, the mean loss over the batch, and the sum of the weights of the rows of this
            replica; both scalars.
        extras: Other losses by name, scalars that are already multiplied by their weights and part of the total.

    Example:
        >>> from tfmtl.training import Losses
        >>> losses = Losses(total=0.7, logits={"click": [0.0, 0.0]}, tasks={"click": (0.7, 2.0)}, extras={})
        >>> mean, weight = losses.tasks["click"]
    """

    total: Tensor
    logits: Logits
    tasks: Mapping[str, tuple[Tensor, Tensor]]
    extras: Mapping[str, Tensor]


class TrainableModel(Protocol):
    """Interface through which a strategy uses a model; `tfmtl.models.MultiTaskModel` implements it.

    Attributes:
        optimizer: The optimizer with which the model is compiled.

    Example:
        >>> from tfmtl.training import TrainableModel
        >>> def total_loss(model: TrainableModel, features, labels) -> float:
        ...     return float(model.compute_losses(features, labels, training=False).total)
    """

    optimizer: Any

    @property
    def trainable_variables(self) -> list[Any]:
        """Variables that the strategy updates."""

    @property
    def non_trainable_variables(self) -> list[Any]:
        """Variables that a forward pass may change, such as the seeds of dropout."""

    @property
    def architecture_variables(self) -> list[Any]:
        """Trainable variables that describe an architecture; empty for most models."""

    @property
    def sparse_embeddings(self) -> Sequence[Any]:
        """Layers `tfmtl.layers.FusedEmbedding` of the model, each of which is called with the features."""

    def compute_losses(
        self, features: Features, labels: Labels, sample_weight: Any = None, training: bool = True
    ) -> Losses:
        """Computes the losses of a batch by one forward pass, without updating metrics.

        Args:
            features: Transformed features by name, each `(batch, ...)`.
            labels: Labels by task name, each `(batch,)`.
            sample_weight: Weights of the rows, as `Strategy.train_step` receives them.
            training: Whether layers such as dropout are in training mode.
        """

    def track(self, losses: Losses, labels: Labels, sample_weight: Any = None) -> dict[str, Tensor]:
        """Updates the metrics with the losses of a batch.

        Args:
            losses: Losses and logits of the rows.
            labels: Labels of the same rows by task name, each `(rows,)`.
            sample_weight: Weights of the same rows.

        Returns:
            Values of all metrics by name.
        """


def join_losses(parts: Sequence[Losses]) -> Losses:
    """Joins the losses of several sets of rows to the losses of all rows.

    Args:
        parts: Losses of each set of rows.

    Returns:
        Losses with the concatenated logits. Losses of tasks are means weighted by the weights of the rows; the total
        and the extras are means weighted by the numbers of rows.

    Example:
        >>> import tensorflow as tf
        >>> from tfmtl.training.strategy import Losses, join_losses
        >>> first = Losses(tf.constant(1.0), {"click": tf.zeros(3)}, {"click": (tf.constant(1.0), 3.0)}, {})
        >>> second = Losses(tf.constant(5.0), {"click": tf.zeros(1)}, {"click": (tf.constant(5.0), 1.0)}, {})
        >>> float(join_losses([first, second]).total)
        2.0
    """

    def mean(losses: Sequence[Tensor], weights: Tensor) -> Tensor:
        return tf.math.divide_no_nan(tf.reduce_sum(weights * tf.stack(losses)), tf.reduce_sum(weights))

    rows = tf.cast(tf.stack([tf.shape(next(iter(part.logits.values())))[0] for part in parts]), "float32")
    tasks = {}
    for name in parts[0].tasks:
        weights = tf.stack([part.tasks[name][1] for part in parts])
        tasks[name] = (mean([part.tasks[name][0] for part in parts], weights), tf.reduce_sum(weights))
    logits = {name: tf.concat([part.logits[name] for part in parts], axis=0) for name in parts[0].logits}
    extras = {name: mean([part.extras[name] for part in parts], rows) for name in parts[0].extras}
    return Losses(mean([part.total for part in parts], rows), logits, tasks, extras)


def step_seed(seed: int, model: TrainableModel) -> Tensor:
    """Returns the seed of a training step: `(seed, step)`, where the optimizer counts the steps.

    A strategy that draws from it, and not from a generator with a state of its own, continues from a checkpoint as if
    training had not been interrupted.

    Args:
        seed: Seed of the strategy.
        model: A compiled model.

    Example:
        >>> import types
        >>> from tfmtl.training.strategy import step_seed
        >>> model = types.SimpleNamespace(optimizer=types.SimpleNamespace(iterations=41))
        >>> step_seed(17, model).numpy().tolist()
        [17, 41]
    """
    return tf.stack([tf.constant(seed, tf.int64), tf.cast(model.optimizer.iterations, tf.int64)])


class Strategy:
    """Interface of training strategies.

    A strategy converts a batch to an update of a model. It is given to `MultiTaskModel.compile(strategy=...)`, and the
    model's `train_step` calls that of the strategy. It uses the model only through the interface `TrainableModel`, so
    that each strategy trains each model.

    A subclass defines `train_step`. If it has arguments, `get_config` returns them. Saving a compiled model saves its
    strategy too, so a subclass should be registered with `keras.saving.register_keras_serializable`.

    Example:
        >>> import keras, numpy as np, tensorflow as tf
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.models import SharedBottom
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> from tfmtl.training import Strategy
        >>> @keras.saving.register_keras_serializable(package="example")
        ... class SignDescent(Strategy):
        ...     def train_step(self, model, features, labels, sample_weight=None):
        ...         with tf.GradientTape() as tape:
        ...             losses = model.compute_losses(features, labels, sample_weight, training=True)
        ...         gradients = tape.gradient(losses.total, model.trainable_variables)
        ...         signs = [tf.sign(tf.convert_to_tensor(gradient)) for gradient in gradients]
        ...         model.optimizer.apply_gradients(zip(signs, model.trainable_variables))
        ...         return model.track(losses, labels, sample_weight)
        >>> spec = DatasetSpec("shop", (CategoricalFeature("user"),), (Task("click", "clicked"),))
        >>> model = SharedBottom(spec, {"user": 100})
        >>> model.compile("sgd", strategy=SignDescent(), run_eagerly=True)
        >>> logs = model.train_on_batch({"user": np.arange(8)}, {"click": np.arange(8) % 2}, return_dict=True)
        >>> sorted(logs)
        ['click_auc', 'click_loss', 'loss']
    """

    def train_step(
        self, model: TrainableModel, features: Features, labels: Labels, sample_weight: Any = None
    ) -> dict[str, Tensor]:
        """Updates a model with one batch.

        Args:
            model: A compiled model.
            features: Transformed features by name, each `(batch, ...)`.
            labels: Labels by task name, each `(batch,)`.
            sample_weight: Weights of the rows as the model's `compute_losses` and `track` take them: None, or a nested
                structure of tensors `(batch,)`.

        Returns:
            Values of the metrics by name, as `track` returns them.
        """
        raise NotImplementedError(f"{type(self).__name__} should have a `train_step`")

    def get_config(self) -> Config:
        """Returns the arguments of the constructor."""
        return {}

    @classmethod
    def from_config(cls, config: Config) -> "Strategy":
        """Creates a strategy from the result of `get_config`."""
        return cls(**config)


@keras.saving.register_keras_serializable(package="tfmtl")
class PlainTraining(Strategy):
    """Plain training: one step of the optimizer along the gradient of the batch's total loss.

    Example:
        >>> import numpy as np
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.models import SharedBottom
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> from tfmtl.training import PlainTraining
        >>> spec = DatasetSpec("shop", (CategoricalFeature("user"),), (Task("click", "clicked"),))
        >>> model = SharedBottom(spec, {"user": 100})
        >>> model.compile("sgd", strategy=PlainTraining(), run_eagerly=True)
        >>> logs = model.train_on_batch({"user": np.arange(8)}, {"click": np.arange(8) % 2}, return_dict=True)
        >>> int(model.optimizer.iterations)
        1
    """

    def train_step(
        self, model: TrainableModel, features: Features, labels: Labels, sample_weight: Any = None
    ) -> dict[str, Tensor]:
        with tf.GradientTape() as tape:
            losses = model.compute_losses(features, labels, sample_weight, training=True)
            scaled = model.optimizer.scale_loss(losses.total)
        gradients = tape.gradient(scaled, model.trainable_variables)
        model.optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return model.track(losses, labels, sample_weight)
