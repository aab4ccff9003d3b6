"""Architecture search: weights and architecture variables are trained on separate rows."""

from typing import Any

import keras
import tensorflow as tf

from tfmtl.training.episodes import gather_rows, shuffle
from tfmtl.training.strategy import Losses, Strategy, TrainableModel, join_losses, step_seed
from tfmtl.types import Config, Features, Labels, Tensor


@keras.saving.register_keras_serializable(package="tfmtl")
class ArchitectureSearch(Strategy):
    """Differentiable architecture search (DARTS) at first order.

    A random part of each batch is held out. The weights w are trained on the other rows, and the model's
    `architecture_variables` a, such as the connections of `AutoHERI`, on the held-out rows. The optimizer makes one
    step along

    `(dL_train(w, a) / dw, dL_held_out(w, a) / da)`,

    both at the values of w and a before the step. Weights that are fitted to a row say little about whether a
    connection helps on other rows, hence the separate rows. With `PlainTraining`, a is trained on all rows like any
    other weight.

    A step costs as much as a plain step on the same number of rows. The reported loss and metrics are those of all rows
    of the batch.

    Deviation from the paper: the held-out rows are a part of each batch instead of a separate dataset, so that a is
    trained on as many rows as there are.

    Deviation from the paper: DARTS updates a before w. Here one step of the optimizer updates both and counts as one
    iteration. The difference is of second order in the learning rate.

    Args:
        held_out: Share of a batch's rows that are held out, between 0 and 1.
        seed: Seed of their choice, which is a function of it and of the optimizer's number of steps.

    Raises:
        ValueError: If `held_out` is not between 0 and 1, or if the model of a `train_step` has no trainable
            `architecture_variables`.

    Example:
        >>> import numpy as np
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.models import AutoHERI
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> from tfmtl.training import ArchitectureSearch
        >>> tasks = (Task("click", "clicked"), Task("buy", "bought", follows="click"))
        >>> spec = DatasetSpec("shop", (CategoricalFeature("user"),), tasks)
        >>> model = AutoHERI.from_spec(spec, {"user": 100}, network_units=(8, 4))
        >>> model.compile("sgd", strategy=ArchitectureSearch(held_out=0.25), run_eagerly=True)
        >>> labels = {"click": np.arange(8) % 2, "buy": np.zeros(8)}
        >>> logs = model.train_on_batch({"user": np.arange(8)}, labels, return_dict=True)
        >>> int(model.optimizer.iterations)
        1

    References:
        - [Liu et al., 2019, DARTS: Differentiable Architecture Search](https://arxiv.org/abs/1806.09055), Algorithm 1
          at first order (section 2.3, `xi = 0`)
    """

    def __init__(self, held_out: float = 0.1, seed: int = 0):
        if not 0 < held_out < 1:
            raise ValueError(f"`held_out` should be between 0 and 1. Received: {held_out}")
        self.held_out = held_out
        self.seed = seed

    def train_step(
        self, model: TrainableModel, features: Features, labels: Labels, sample_weight: Any = None
    ) -> dict[str, Tensor]:
        architecture_ids = {id(variable) for variable in model.architecture_variables}
        weights = [variable for variable in model.trainable_variables if id(variable) not in architecture_ids]
        architecture = [variable for variable in model.trainable_variables if id(variable) in architecture_ids]
        if not architecture:
            kind = type(model).__name__
            raise ValueError(f"`model` should have trainable `architecture_variables`, as AutoHERI. Received: {kind}")
        data = (features, labels, sample_weight)
        count = tf.shape(keras.tree.flatten(features)[0])[0]
        rows = shuffle(tf.range(count), step_seed(self.seed, model))
        split = tf.cast(tf.round(self.held_out * tf.cast(count, "float32")), "int32")
        held_out_rows, train_rows = rows[:split], rows[split:]
        train_losses, weight_gradients = _gradients(model, gather_rows(data, train_rows), weights)
        held_out_losses, architecture_gradients = _gradients(model, gather_rows(data, held_out_rows), architecture)
        gradients, variables = [*weight_gradients, *architecture_gradients], [*weights, *architecture]
        model.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        rows = tf.concat([train_rows, held_out_rows], axis=0)
        losses = join_losses([train_losses, held_out_losses])
        return model.track(losses, gather_rows(labels, rows), gather_rows(sample_weight, rows))

    def get_config(self) -> Config:
        return {"held_out": self.held_out, "seed": self.seed}


def _gradients(model: TrainableModel, data: tuple[Any, Any, Any], variables: list[Any]) -> tuple[Losses, list[Any]]:
    """Returns the losses of some rows, and the gradient of their total by some variables."""
    with tf.GradientTape() as tape:
        losses = model.compute_losses(*data, training=True)
        scaled = model.optimizer.scale_loss(losses.total)
    return losses, tape.gradient(scaled, variables)
