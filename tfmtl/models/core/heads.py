"""Conversion of the logits of a model's heads to predictions on the entire and on the conditional space.

With a chain y -> z, `ctr = P(y=1|x)`, `ctcvr = P(y=1, z=1|x)` on the entire space, `cvr = P(z=1|y=1, x)` on the
conditional space, and `ctcvr = ctr * cvr`. A head predicts one of ctcvr and cvr; the other is derived. The head of a
value v that follows z predicts `E[v | z=1, x]`; the expected value `ctcvr * E[v | z=1, x]` is derived.
"""

from collections.abc import Mapping
from typing import Literal

import tensorflow as tf

from tfmtl.losses.logit_losses import rate
from tfmtl.losses.tweedie import mean_value
from tfmtl.models.core.batches import RowWeights
from tfmtl.spec import CONDITIONAL, ENTIRE, DatasetSpec, Task
from tfmtl.types import Labels, Logits, Tensor

_TINY = 1e-30


def head_space(task: Task, space: Literal["entire", "conditional"]) -> Literal["entire", "conditional"]:
    """Returns the space of the head of a task.

    The head of a value is on the conditional space: the ratio of an expected value and a probability, each from a head
    of its own, has no bound.

    Args:
        task: The task.
        space: Space of the heads of binary tasks that follow another task.
    """
    if task.follows is None:
        return ENTIRE
    return CONDITIONAL if task.kind == "value" else space


def task_outputs(spec: DatasetSpec, spaces: Mapping[str, str], logits: Logits) -> dict[str, Tensor]:
    """Converts logits to all outputs of a spec.

    If a head predicts on the entire space, `cvr = ctcvr / ctr` clipped to [0, 1]; it is never NaN. A head's own
    prediction is not changed, so `ctcvr = ctr * cvr` holds on every row where ctcvr is at most ctr.

    Args:
        spec: Tasks and outputs.
        spaces: Space of each task's head, by task name.
        logits: Logits by task name, each `(batch,)`.

    Returns:
        Probabilities, rates and means of values by output name, each `(batch,)` float32.
    """
    entire: dict[str, Tensor] = {}
    outputs: dict[str, Tensor] = {}
    for task in spec.tasks:
        logit = tf.cast(logits[task.name], "float32")
        prediction = _LINKS[task.kind](logit)
        if task.follows is None:
            entire[task.name] = prediction
        elif spaces[task.name] == ENTIRE:
            entire[task.name] = prediction
            ratio = prediction / tf.maximum(entire[task.follows], _TINY)
            outputs[task.conditional_output] = tf.clip_by_value(ratio, 0.0, 1.0)
        else:
            entire[task.name] = entire[task.follows] * prediction
            outputs[task.conditional_output] = prediction
        outputs[task.output] = entire[task.name]
    return outputs


_LINKS = {"binary": tf.sigmoid, "count": rate, "value": mean_value}
"""Prediction of a head from its logit, by the kind of the task."""


def evaluation_logits(spec: DatasetSpec, spaces: Mapping[str, str], logits: Logits) -> dict[str, Tensor]:
    """Returns a logit for each binary output, for metrics that depend on the order of rows.

    Args:
        spec: Tasks and outputs.
        spaces: Space of each task's head, by task name.
        logits: Logits by task name, each `(batch,)`.

    Returns:
        Logits by output name, each `(batch,)`: the head's own logit, or the logit of the derived probability.
    """
    outputs = task_outputs(spec, spaces, logits)
    scores = {}
    for output in spec.outputs:
        task = spec.task(output.task)
        if task.kind == "binary":
            is_predicted = task.follows is None or spaces[task.name] == output.space
            scores[output.name] = logits[task.name] if is_predicted else _logit(outputs[output.name])
    return scores


def _logit(probability: Tensor) -> Tensor:
    return tf.math.log(tf.maximum(probability, _TINY)) - tf.math.log(tf.maximum(1.0 - probability, 1e-7))


def label_weights(spec: DatasetSpec, task: str, space: str, labels: Labels, weights: RowWeights) -> Tensor:
    """Returns the weight of each row in a mean over the labels of a task on a space.

    On the conditional space a row is also weighted by the label of the previous task.

    Args:
        spec: Tasks of the dataset.
        task: Name of the task.
        space: `entire` or `conditional`.
        labels: Prepared labels by task name, each `(batch,)` float32.
        weights: Weights of the rows.

    Returns:
        `(batch,)` float32.
    """
    return _on_space(spec, task, space, labels, weights.of_task(task))


def training_weights(spec: DatasetSpec, task: str, space: str, labels: Labels, weights: RowWeights) -> Tensor:
    """Returns the weight of each row in the mean loss of a task, which may be trained on open rows too.

    Otherwise it is that of `label_weights`.

    Args:
        spec: Tasks of the dataset.
        task: Name of the task.
        space: `entire` or `conditional`.
        labels: Prepared labels by task name, each `(batch,)` float32.
        weights: Weights of the rows.

    Returns:
        `(batch,)` float32.
    """
    return _on_space(spec, task, space, labels, weights.of_training(task))


def _on_space(spec: DatasetSpec, task: str, space: str, labels: Labels, weights: Tensor) -> Tensor:
    follows = spec.task(task).follows
    return weights if space == ENTIRE or follows is None else weights * labels[follows]
