"""Losses of the rows of a task, and weight decay, under the options of a model."""

import math
from collections.abc import Iterable

import keras
from keras import ops

from tfmtl.losses.delayed_feedback import delayed_feedback, fake_negative_cross_entropy
from tfmtl.losses.focal import focal_cross_entropy
from tfmtl.losses.importance import label_importance
from tfmtl.losses.logit_losses import binary_cross_entropy, poisson
from tfmtl.losses.tweedie import tweedie
from tfmtl.models.core.late_labels import LateLabels
from tfmtl.models.options.base import ModelOptions
from tfmtl.spec import Task
from tfmtl.types import Labels, Logits, Tensor


def row_losses(task: Task, options: ModelOptions, labels: Tensor, logits: Tensor) -> Tensor:
    """Returns the loss of each row: the negative log-likelihood, or the focal loss, times the weight of its class.

    That of a count is divided by the task's mean label if the option `count_loss` is "relative". That of a value is the
    Tweedie loss of labels and means that are divided by the task's mean label, so that it does not depend on the unit.

    The weight of a class multiplies the loss only; the loss of a task remains a mean over rows.

    Args:
        task: The task.
        options: Options of the model.
        labels: Labels of the task, `(batch,)`.
        logits: Logits of the task, `(batch,)`.

    Returns:
        `(batch,)` float32.
    """
    mean = options.label_means.get(task.name, 1.0)
    if task.kind == "count":
        return poisson(labels, logits) / (mean if options.count_loss == "relative" else 1.0)
    if task.kind == "value":
        logits = ops.cast(logits, "float32") - math.log(mean)
        return tweedie(ops.cast(labels, "float32") / mean, logits, task.power)
    gamma = options.focal_gamma
    losses = focal_cross_entropy(labels, logits, gamma) if gamma else binary_cross_entropy(labels, logits)
    positive = options.positive_weights.get(task.name, 1.0)
    negative = options.negative_weights.get(task.name, 1.0)
    if positive == negative == 1.0:
        return losses
    labels = ops.cast(labels, "float32")
    return losses * (positive * labels + negative * (1.0 - labels))


def training_losses(
    task: Task, options: ModelOptions, labels: Tensor, logits: Tensor, late: LateLabels | None
) -> Tensor:
    """Returns the loss of each row in training: `row_losses`, or the loss of a task that is trained on open rows.

    Args:
        task: The task.
        options: Options of the model.
        labels: Labels of the task, `(batch,)`.
        logits: Logits of the task, `(batch,)`.
        late: Labels of a task that is trained on open rows; None for another task.

    Returns:
        `(batch,)` float32.
    """
    if late is None:
        return row_losses(task, options, labels, logits)
    if late.log_rate is None:
        return fake_negative_cross_entropy(late.label, logits)
    return delayed_feedback(late.label, logits, late.log_rate, late.elapsed, late.pending)


def local_weights(
    task: str, follows: str, labels: Labels, logits: Logits, weights: Tensor, max_weight: float
) -> Tensor:
    """Returns the weight of each row of a task that is trained on its local space; 0 where the previous label is 0.

    The mean with these weights is that of Theorem 2.1 of APEM: the theorem's factor P(t'=1) is a constant, and the
    weights add up to its inverse in expectation.

    Args:
        task: Name of a task whose head predicts on the entire space.
        follows: Name of its previous task.
        labels: Labels by task name, each `(batch,)`.
        logits: Logits by task name, each `(batch,)`.
        weights: Weights of the rows, `(batch,)`.
        max_weight: Upper bound of an importance weight.

    Returns:
        `(batch,)` float32.
    """
    previous, current = (ops.sigmoid(ops.cast(logits[name], "float32")) for name in (follows, task))
    importance = label_importance(labels[task], previous, current, max_weight)
    return ops.cast(labels[follows], "float32") * importance * weights


def weight_decay(factor: float, variables: Iterable[keras.Variable], excluded: Iterable[keras.layers.Layer]) -> Tensor:
    """Returns `factor / 2 * sum w^2` over variables, whose gradient is `factor * w`.

    Args:
        factor: Strength of the decay.
        variables: The variables.
        excluded: Layers whose variables are left out.

    Returns:
        A float32 scalar.
    """
    left_out = {id(variable) for layer in excluded for variable in layer.variables}
    decayed = [variable for variable in variables if id(variable) not in left_out]
    return factor / 2 * sum(ops.sum(ops.square(ops.cast(variable, "float32"))) for variable in decayed)
