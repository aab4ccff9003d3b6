"""Model-agnostic meta-learning of a multi-task model."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfmtl.losses.batch_mean import replica_rows, replicas, sum_over_replicas
from tfmtl.training.episodes import draw_episodes, take
from tfmtl.training.functional import FunctionalParameters, dense_gradient
from tfmtl.training.strategy import Losses, Strategy, join_losses


@keras.saving.register_keras_serializable(package="tfmtl")
class MetaLearning(Strategy):
    """Trains the parameters from which one step on a support set does well on the query set (MAML).

    For each episode T_i of a batch, with disjoint support set a_i and query set b_i:
    `theta_i = theta - alpha * dL_{a_i}(theta) / dtheta`, `inner_steps` times; then the optimizer takes a step along
    `d sum_i L_{b_i}(theta_i) / dtheta`, which is differentiated through the inner steps. L is the model's total loss,
    theta all that is trained: embedding rows, networks, weights of losses.

    Of the embedding tables only the rows of the batch are touched, in the inner steps and in the gradient, which is a
    `tf.IndexedSlices`. One inner step of n rows with a query set of n rows costs about four plain steps of n rows, and
    about two if `first_order` is set.

    The loss, the tasks' losses and the AUCs that training shows are those of the adapted parameters on the query rows;
    the loss is the mean over episodes. Evaluation is that of the model as it is, not adapted.

    Under `tf.distribute` each replica draws `episodes` of its own rows, and the step is along the mean over replicas,
    by rows, of the gradients above.

    Decisions where the paper leaves room:

    - Algorithm 1 samples tasks T_i from p(T) and says no more: an episode is a random part of the batch, or, with
      `group_by`, the rows of few values of that feature (`draw_episodes`), such as a scenario or user segment.
    - What a forward pass changes besides the parameters (seeds of dropout, moving averages) changes with each forward
      pass: `episodes * (inner_steps + 1)` times a batch.

    Args:
        inner_learning_rate: alpha.
        episodes: into how many a batch is divided.
        support_fraction: share of an episode's rows that are its support set.
        inner_steps: steps on the support set, at least 1.
        first_order: leave out the derivative of the inner gradient (FOMAML).
        group_by: a feature of one id a row, by whose values rows are grouped; None draws at random.

    References:
        - MAN, Algorithm 1
        - [Finn et al., 2017, Model-Agnostic Meta-Learning](https://arxiv.org/abs/1703.03400), Algorithm 2
    """

    def __init__(
        self,
        inner_learning_rate: float = 0.01,
        episodes: int = 4,
        support_fraction: float = 0.5,
        inner_steps: int = 1,
        first_order: bool = False,
        group_by: str | None = None,
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

    def train_step(self, model: Any, features: Any, labels: Any, sample_weight: Any = None) -> dict[str, Any]:
        share = None
        if replicas() > 1:
            share, (features, labels, sample_weight) = _share_of_rows(features, labels, sample_weight)
        data = (features, labels, sample_weight)
        batch_size = tf.shape(keras.tree.flatten(features)[0])[0]
        episodes = draw_episodes(batch_size, self.episodes, self.support_fraction, self._groups(features))
        parameters = FunctionalParameters(model, features)
        start = parameters.start()

        def of_episode(start, support, query):
            return self._gradients(model, parameters, start, take(data, support), take(data, query))

        if not tf.executing_eagerly():  # In a graph of its own: traced once, however many episodes there are.
            rows = tf.TensorSpec((None,), "int32")
            of_start = [tf.TensorSpec(value.shape, value.dtype) for value in start]
            of_episode = tf.function(of_episode, input_signature=[of_start, rows, rows], autograph=False)
        with replica_rows():
            slopes, queries = zip(*(of_episode(start, one.support, one.query) for one in episodes), strict=True)
        summed = [None if of_one[0] is None else tf.add_n(of_one) for of_one in zip(*slopes, strict=True)]
        gradients = parameters.as_gradients(summed)
        rows = tf.concat([episode.query for episode in episodes], axis=0)
        losses = join_losses([Losses(*of_query) for of_query in queries])
        if share is not None:
            gradients = [_scaled(gradient, share) for gradient in gradients]
            rows, losses = rows[: tf.where(share > 0, tf.size(rows), 0)], _of_share(losses, share)
        model.optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return model.track(losses, take(labels, rows), take(sample_weight, rows))

    def _gradients(
        self, model: Any, parameters: FunctionalParameters, start: Sequence[Any], support: tuple, query: tuple
    ) -> tuple[list, tuple]:
        """The gradient by `start` of the query set's loss at the adapted parameters, and the fields of `Losses`."""
        losses_at = parameters.losses_at()
        with tf.GradientTape(watch_accessed_variables=False) as outer:
            outer.watch(start)
            values = list(start)
            for _ in range(self.inner_steps):
                with tf.GradientTape(watch_accessed_variables=False) as inner:
                    inner.watch(values)
                    loss = losses_at(values, *support).total
                slopes = dense_gradient(inner, loss, values)
                values = [self._descend(value, slope) for value, slope in zip(values, slopes, strict=True)]
            losses = losses_at(values, *query)
            scaled = model.optimizer.scale_loss(losses.total)
        slopes = dense_gradient(outer, scaled, start)
        losses_at.write_state()
        return slopes, (losses.total, dict(losses.logits), dict(losses.tasks), dict(losses.extras))

    def _groups(self, features: Mapping[str, Any]) -> Any:
        if self.group_by is None:
            return None
        if self.group_by not in features:
            raise ValueError(f"`group_by` should be a feature: {', '.join(features)}. Received: {self.group_by!r}")
        return features[self.group_by]

    def _descend(self, value: Any, slope: Any) -> Any:
        if slope is None:
            return value
        slope = tf.stop_gradient(slope) if self.first_order else slope
        return value - tf.cast(self.inner_learning_rate, value.dtype) * slope

    def get_config(self) -> dict[str, Any]:
        names = ("inner_learning_rate", "episodes", "support_fraction", "inner_steps", "first_order", "group_by")
        return {name: getattr(self, name) for name in names}


def _share_of_rows(features: Any, labels: Any, sample_weight: Any) -> tuple[Any, tuple]:
    """The share of the batch's rows that this replica has, and these rows; one of zeros where it has none."""
    own = tf.shape(keras.tree.flatten(features)[0])[0]
    share = tf.math.divide_no_nan(tf.cast(own, "float32"), sum_over_replicas(tf.cast(own, "float32")))
    missing = tf.where(own == 0, 1, 0)

    def filled(tensor):
        return tf.pad(tensor, [[0, missing], *([0, 0] for _ in tensor.shape[1:])])

    data = (features, labels, sample_weight)
    return share, keras.tree.map_structure(lambda tensor: None if tensor is None else filled(tensor), data)


def _scaled(gradient: Any, share: Any) -> Any:
    """A gradient times a share; rows of a table that no row of the batch looks up are left out."""
    if gradient is None:
        return None
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient * tf.cast(share, gradient.dtype)
    kept = tf.where(share > 0, tf.size(gradient.indices), 0)
    values = gradient.values[:kept] * tf.cast(share, gradient.values.dtype)
    return tf.IndexedSlices(values, gradient.indices[:kept], gradient.dense_shape)


def _of_share(losses: Losses, share: Any) -> Losses:
    """The losses as they are to be tracked: of no row where the replica has none."""
    logits = {name: logit[: tf.where(share > 0, tf.size(logit), 0)] for name, logit in losses.logits.items()}
    tasks = {name: (loss, tf.where(share > 0, weight, 0.0)) for name, (loss, weight) in losses.tasks.items()}
    return Losses(losses.total, logits, tasks, losses.extras)
