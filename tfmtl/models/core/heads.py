"""From the logits of a model's heads to probabilities on either space.

With a chain y -> z: `ctr = P(y=1|x)`, `ctcvr = P(y=1, z=1|x)` on the entire space, `cvr = P(z=1|y=1, x)` on the
conditional one, and `ctcvr = ctr * cvr`. A head predicts one of ctcvr and cvr; the other is derived.
"""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tfmtl.losses.logit_losses import rate
from tfmtl.spec import ENTIRE, DatasetSpec

_TINY = 1e-30


def to_outputs(spec: DatasetSpec, spaces: Mapping[str, str], logits: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs of the spec by name.

    Where the head is on the entire space, `cvr = ctcvr / ctr` clipped to [0, 1]; it is never NaN. The head's own
    prediction is never changed, so `ctcvr = ctr * cvr` holds wherever a head does not put ctcvr above ctr.

    Args:
        spec: of the data set.
        spaces: the space of each task's head.
        logits: `(batch,)` by task name.

    Returns:
        `(batch,)` float32 by output name.
    """
    entire: dict[str, Any] = {}
    outputs: dict[str, Any] = {}
    for task in spec.tasks:
        logit = tf.cast(logits[task.name], "float32")
        own = rate(logit) if task.kind == "count" else tf.sigmoid(logit)
        if task.follows is None:
            entire[task.name] = own
        elif spaces[task.name] == ENTIRE:
            entire[task.name] = own
            ratio = own / tf.maximum(entire[task.follows], _TINY)
            outputs[task.conditional_output] = tf.clip_by_value(ratio, 0.0, 1.0)
        else:
            entire[task.name] = entire[task.follows] * own
            outputs[task.conditional_output] = own
        outputs[task.output] = entire[task.name]
    return outputs


def evaluation_logits(spec: DatasetSpec, spaces: Mapping[str, str], logits: Mapping[str, Any]) -> dict[str, Any]:
    """A logit for each binary output, for metrics that rank: the head's own, or the derived probability's."""
    outputs = to_outputs(spec, spaces, logits)
    scores = {}
    for output in spec.outputs:
        task = spec.task(output.task)
        if task.kind == "binary":
            own = task.follows is None or spaces[task.name] == output.space
            scores[output.name] = logits[task.name] if own else _logit(outputs[output.name])
    return scores


def _logit(probability: Any) -> Any:
    return tf.math.log(tf.maximum(probability, _TINY)) - tf.math.log(tf.maximum(1.0 - probability, 1e-7))


def task_weights(
    spec: DatasetSpec, task: str, space: str, labels: Mapping[str, Any], sample_weight: Any = None
) -> Any | None:
    """The weight of each row for a task on a space: the previous label on the conditional space, times `sample_weight`.

    Returns:
        `(batch,)` float32, or None where every row weighs 1.
    """
    follows = spec.task(task).follows
    weights = None if sample_weight is None else tf.cast(sample_weight, "float32")
    if space == ENTIRE or follows is None:
        return weights
    previous = tf.cast(labels[follows], "float32")
    return previous if weights is None else weights * previous
