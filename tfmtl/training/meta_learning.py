"""Model-agnostic meta-learning (MAML) of a multi-task model."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfmtl.losses.batch_mean import num_replicas, replica_rows, sum_over_replicas
from tfmtl.training.episodes import draw_episodes, gather_rows
from tfmtl.training.functional import FunctionalLosses, FunctionalParameters, dense_gradient
from tfmtl.training.strategy import Losses, Strategy, TrainableModel, join_losses, step_seed
from tfmtl.types import Config, Features, Labels, Tensor


@keras.saving.register_keras_serializable(package="tfmtl")
class MetaLearning(Strategy):
    """Model-agnostic meta-learning (MAML): trains parameters that adapt to a new support set in a few steps.

    Each batch is divided into episodes T_i with disjoint support sets a_i and query sets b_i. The parameters theta,
    which are all trainable variables (embedding rows, networks, weights of losses), are adapted to each support set by
    `inner_steps` steps of gradient descent,

    `theta_i = theta - alpha * dL_{a_i}(theta) / dtheta`,

    where L is the total loss of the model. The optimizer then makes a step along the gradient of the query losses,

    `d sum_i L_{b_i}(theta_i) / dtheta`,

    which is differentiated through the inner steps.

    The inner steps and the gradient use only the embedding rows that the batch looks up; the gradient of a table is a
    `tf.IndexedSlices`. One inner step on n rows with a query set of n rows costs about four plain steps on n rows, and
    about two with `first_order`.

    The reported losses and metrics are those of the adapted parameters on the query rows; the loss is the mean over
    the episodes. Evaluation uses the model without adaptation.

    Under `tf.distribute`, each replica divides its own rows into `episodes`. The step is along the mean of the
    replicas' gradients, weighted by their numbers of rows.

    Algorithm 1 of MAN samples tasks T_i from a distribution p(T) that it does not specify. Here an episode is a random
    part of the batch or, with `group_by`, the rows of few values of a feature, such as a scenario or a user segment
    (see `tfmtl.training.episodes.draw_episodes`). Variables that a forward pass changes, other than the parameters
    (seeds of dropout, moving averages), change in each forward pass: `episodes * (inner_steps + 1)` times per batch.

    Args:
        inner_learning_rate: Step size alpha of the inner steps.
        episodes: Number of episodes into which a batch is divided.
        support_fraction: Share of an episode's rows that are in its support set, between 0 and 1. The step is along the
            gradient of the query rows, so that a share of 0.5 trains on half of the rows in each epoch.
        inner_steps: Number of steps on a support set, at least 1.
        first_order: Whether the derivative of the inner gradients is omitted (first-order MAML).
        group_by: Name of a feature with one id per row by whose values the rows of an episode are grouped; None for
            random episodes.
        seed: Seed of the episodes. Those of a batch are a function of it and of the optimizer's number of steps.

    Raises:
        ValueError: If an argument is out of its range, or if `group_by` is not a feature of the model, or is
            multivalent.

    Example:
        >>> import numpy as np
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.models import SharedBottom
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> from tfmtl.training import MetaLearning
        >>> spec = DatasetSpec("shop", (CategoricalFeature("user"),), (Task("click", "clicked"),))
        >>> model = SharedBottom(spec, {"user": 100})
        >>> model.compile("sgd", strategy=MetaLearning(episodes=2, group_by="user"), run_eagerly=True)
        >>> logs = model.train_on_batch({"user": np.arange(8) // 4}, {"click": np.arange(8) % 2}, return_dict=True)
        >>> sorted(logs)
        ['click_auc', 'click_loss', 'loss']

    References:
        - MAN, Algorithm 1
        - [Finn et al., 2017, Model-Agnostic Meta-Learning](https://arxiv.org/abs/1703.03400), Algorithm 2
    """

    def __init__(
        self,
        inner_learning_rate: float = 0.01,
        episodes: int = 4,
        support_fraction: float = 0.1,
        inner_steps: int = 1,
        first_order: bool = False,
        group_by: str | None = None,
        seed: int = 0,
    ):
        if not inner_learning_rate > 0:
            raise ValueError(f"`inner_learning_rate` should be above 0. Received: {inner_learning_rate}")
        if episodes < 1:
            raise ValueError(f"`episodes` should be at least 1. Received: {episodes}")
        if not 0 < support_fraction < 1:
            raise ValueError(f"`support_fraction` should be between 0 and 1. Received: {support_fraction}")
        if inner_steps < 1:
            raise ValueError(f"`inner_steps` should be at least 1. Received: {inner_steps}")
        self.inner_learning_rate = inner_learning_rate
        self.episodes = episodes
        self.support_fraction = support_fraction
        self.inner_steps = inner_steps
        self.first_order = first_order
        self.group_by = group_by
        self.seed = seed

    def train_step(
        self, model: TrainableModel, features: Features, labels: Labels, sample_weight: Any = None
    ) -> dict[str, Tensor]:
        share = None
        if num_replicas() > 1:
            share = _share_of_batch(features)
            features, labels, sample_weight = _pad_empty((features, labels, sample_weight))
        data = (features, labels, sample_weight)
        batch_size = tf.shape(keras.tree.flatten(features)[0])[0]
        seed = step_seed(self.seed, model)
        episodes = draw_episodes(batch_size, self.episodes, self.support_fraction, self._groups(features), seed)
        parameters = FunctionalParameters(model, features)
        start = parameters.initial_values()

        def episode_gradients(start: Sequence[Tensor], support: Tensor, query: Tensor) -> tuple[Any, ...]:
            return self._gradients(model, parameters, start, gather_rows(data, support), gather_rows(data, query))

        if not tf.executing_eagerly():  # A function of its own is traced once for all episodes.
            rows = tf.TensorSpec((None,), "int32")
            start_spec = [tf.TensorSpec(value.shape, value.dtype) for value in start]
            episode_gradients = tf.function(
                episode_gradients, input_signature=[start_spec, rows, rows], autograph=False
            )
        with replica_rows():
            results = [episode_gradients(start, episode.support, episode.query) for episode in episodes]
        gradients_by_episode, query_losses = zip(*results, strict=True)
        summed = [
            None if gradients[0] is None else tf.add_n(gradients)
            for gradients in zip(*gradients_by_episode, strict=True)
        ]
        gradients = parameters.to_variable_gradients(summed)
        rows = tf.concat([episode.query for episode in episodes], axis=0)
        losses = join_losses([Losses(*fields) for fields in query_losses])
        if share is not None:
            gradients = [_scale(gradient, share) for gradient in gradients]
            rows, losses = rows[: tf.where(share > 0, tf.size(rows), 0)], _drop_empty(losses, share)
        model.optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return model.track(losses, gather_rows(labels, rows), gather_rows(sample_weight, rows))

    def _gradients(
        self,
        model: TrainableModel,
        parameters: FunctionalParameters,
        start: Sequence[Tensor],
        support: tuple[Any, Any, Any],
        query: tuple[Any, Any, Any],
    ) -> tuple[list[Tensor | None], tuple[Any, ...]]:
        """Returns the gradient by `start` of the query loss at the adapted parameters, and the fields of `Losses`."""
        compute_losses = FunctionalLosses(parameters)
        with tf.GradientTape(watch_accessed_variables=False) as outer:
            outer.watch(start)
            values = list(start)
            for _ in range(self.inner_steps):
                with tf.GradientTape(watch_accessed_variables=False) as inner:
                    inner.watch(values)
                    loss = compute_losses(values, *support).total
                gradients = dense_gradient(inner, loss, values)
                values = [self._descend(value, gradient) for value, gradient in zip(values, gradients, strict=True)]
            losses = compute_losses(values, *query)
            scaled = model.optimizer.scale_loss(losses.total)
        gradients = dense_gradient(outer, scaled, start)
        compute_losses.write_state()
        return gradients, (losses.total, dict(losses.logits), dict(losses.tasks), dict(losses.extras))

    def _groups(self, features: Features) -> Tensor | None:
        """Returns the group of each row, or None for random episodes."""
        if self.group_by is None:
            return None
        if self.group_by not in features:
            raise ValueError(f"`group_by` should be a feature: {', '.join(features)}. Received: {self.group_by!r}")
        return features[self.group_by]

    def _descend(self, value: Tensor, gradient: Tensor | None) -> Tensor:
        """Returns the value of a parameter after an inner step."""
        if gradient is None:
            return value
        gradient = tf.stop_gradient(gradient) if self.first_order else gradient
        return value - tf.cast(self.inner_learning_rate, value.dtype) * gradient

    def get_config(self) -> Config:
        sizes = ("inner_learning_rate", "episodes", "support_fraction", "inner_steps")
        names = (*sizes, "first_order", "group_by", "seed")
        return {name: getattr(self, name) for name in names}


def _share_of_batch(features: Features) -> Tensor:
    """Returns the share of the global batch's rows that this replica has, a scalar."""
    rows = tf.cast(tf.shape(keras.tree.flatten(features)[0])[0], "float32")
    return tf.math.divide_no_nan(rows, sum_over_replicas(rows))


def _pad_empty(data: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
    """Returns the rows of a batch; a batch without rows becomes one row of zeros, so that episodes can be drawn."""
    missing = tf.where(tf.shape(keras.tree.flatten(data)[0])[0] == 0, 1, 0)

    def pad(tensor: Tensor | None) -> Tensor | None:
        if tensor is None:
            return None
        return tf.pad(tensor, [[0, missing], *([0, 0] for _ in tensor.shape[1:])])

    padded: tuple[Any, Any, Any] = keras.tree.map_structure(pad, data)
    return padded


def _scale(gradient: Any, share: Tensor) -> Any:
    """Returns a gradient times a share; if the share is 0, the gradient of a table has no rows."""
    if gradient is None:
        return None
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient * tf.cast(share, gradient.dtype)
    count = tf.where(share > 0, tf.size(gradient.indices), 0)
    values = gradient.values[:count] * tf.cast(share, gradient.values.dtype)
    return tf.IndexedSlices(values, gradient.indices[:count], gradient.dense_shape)


def _drop_empty(losses: Losses, share: Tensor) -> Losses:
    """Returns losses to track; if the share is 0, they have no rows and the tasks have weight 0."""
    logits = {name: logit[: tf.where(share > 0, tf.size(logit), 0)] for name, logit in losses.logits.items()}
    tasks = {name: (loss, tf.where(share > 0, weight, 0.0)) for name, (loss, weight) in losses.tasks.items()}
    return Losses(losses.total, logits, tasks, losses.extras)
