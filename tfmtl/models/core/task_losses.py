"""The loss of each row of a task under a model's options."""

from collections.abc import Iterable
from typing import Any

import keras
from keras import ops

from tfmtl.losses.focal import focal_cross_entropy
from tfmtl.losses.logit_losses import BY_KIND
from tfmtl.models.core.options import ModelOptions
from tfmtl.spec import Task


def row_losses(task: Task, options: ModelOptions, labels: Any, logits: Any) -> Any:
    """The likelihood's loss of each row, `(batch,)`; focal and times the weight of its class if the options say so.

    The weight of a class multiplies the loss only: a task's loss stays a mean over rows.
    """
    if task.kind != "binary":
        return BY_KIND[task.kind](labels, logits)
    gamma = options.focal_gamma
    losses = focal_cross_entropy(labels, logits, gamma) if gamma else BY_KIND["binary"](labels, logits)
    positive = options.positive_weights.get(task.name, 1.0)
    negative = options.negative_weights.get(task.name, 1.0)
    if positive == negative == 1.0:
        return losses
    labels = ops.cast(labels, "float32")
    return losses * (positive * labels + negative * (1.0 - labels))


def weight_decay(factor: float, variables: Iterable[Any], apart: Iterable[keras.layers.Layer]) -> Any:
    """`factor / 2 * sum w^2` over the variables that are not of the layers `apart`; its gradient is `factor * w`."""
    left = {id(variable) for layer in apart for variable in layer.variables}
    squares = [ops.sum(ops.square(ops.cast(one, "float32"))) for one in variables if id(one) not in left]
    return factor / 2 * sum(squares)
