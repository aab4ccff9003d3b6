"""Weights and connections, each learned on rows that the other does not see."""

from typing import Any

import keras
import tensorflow as tf

from tfmtl.training.episodes import take
from tfmtl.training.strategy import Losses, Strategy, join_losses


@keras.saving.register_keras_serializable(package="tfmtl")
class ArchitectureSearch(Strategy):
    """Differentiable architecture search: of each batch a random part is held out from the weights w, for the rest a.

    a are the model's `architecture_variables`, such as the connections of `AutoHERI`. A step of the optimizer is along
    `(dL_train(w, a) / dw, dL_held(w, a) / da)`, both at what w and a are before it: first order, so that a held-out
    row is judged by the weights as they are and not as they would be after a step. Weights that are fitted to a row
    say little of whether a connection helps on others, which is why the two do not share rows; with `PlainTraining`
    they do, and a is learned as any weight is.

    A batch costs what a plain step of as many rows does. The loss and the metrics that training shows are those of
    all its rows.

    Decisions where the paper leaves room:

    - The held-out rows are of the batch rather than of a data set of their own, so that any data will do and a sees as
      many rows as there are.
    - DARTS moves a first and then w. Here one step of the optimizer moves both, and its iterations are batches; the
      difference is of the second order in the learning rate.

    Args:
        held_out: share of a batch's rows on which a is learned.

    Raises:
        ValueError: from a step of a model in which no architecture is trainable.

    References:
        - [Liu et al., 2019, DARTS: Differentiable Architecture Search](https://arxiv.org/abs/1806.09055), Algorithm 1
          at first order (section 2.3, `xi = 0`)
    """

    def __init__(self, held_out: float = 0.5):
        if not 0 < held_out < 1:
            raise ValueError(f"`held_out` should be between 0 and 1. Received: {held_out}")
        self.held_out = held_out

    def train_step(self, model: Any, features: Any, labels: Any, sample_weight: Any = None) -> dict[str, Any]:
        known = {id(variable) for variable in model.architecture_variables}
        weights = [variable for variable in model.trainable_variables if id(variable) not in known]
        architecture = [variable for variable in model.trainable_variables if id(variable) in known]
        if not architecture:
            kind = type(model).__name__
            raise ValueError(f"`model` should have trainable `architecture_variables`, as AutoHERI. Received: {kind}")
        data = (features, labels, sample_weight)
        count = tf.shape(keras.tree.flatten(features)[0])[0]
        rows = tf.random.shuffle(tf.range(count))
        held = tf.cast(tf.round(self.held_out * tf.cast(count, "float32")), "int32")
        of_train, slopes = _slopes(model, take(data, rows[held:]), weights)
        of_held, of_architecture = _slopes(model, take(data, rows[:held]), architecture)
        pairs = [*zip(slopes, weights, strict=True), *zip(of_architecture, architecture, strict=True)]
        model.optimizer.apply_gradients(pairs)
        rows = tf.roll(rows, -held, axis=0)  # As the losses have them.
        return model.track(join_losses([of_train, of_held]), take(labels, rows), take(sample_weight, rows))

    def get_config(self) -> dict[str, Any]:
        return {"held_out": self.held_out}


def _slopes(model: Any, data: tuple, variables: list[Any]) -> tuple[Losses, list[Any]]:
    """The losses of these rows, and the gradient of the total by these variables."""
    with tf.GradientTape() as tape:
        losses = model.compute_losses(*data, training=True)
        scaled = model.optimizer.scale_loss(losses.total)
    return losses, tape.gradient(scaled, variables)
