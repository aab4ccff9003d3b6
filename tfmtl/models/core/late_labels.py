"""Labels of the tasks that are trained on rows whose event may still come."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import tensorflow as tf

from tfmtl.tasks import Task
from tfmtl.types import Tensor


class LateLabels(NamedTuple):
    """Labels of a task that is trained on rows whose event may still come (`tfmtl.open_labels.OpenLabels`).

    Attributes:
        label: Label on which the row is trained, `(batch,)` float32: with `importance` 1 on copies and 0 on other rows,
            with `delay` 1 if the event has come.
        trained: 1 on the rows on which the task is trained, `(batch,)` float32.
        pending: 1 on open rows, `(batch,)` float32.
        elapsed: Days until the event or the end of the log, `(batch,)` float32; 0 with `importance`.
        log_rate: Logarithm of the rate of the delay per day, `(batch,)`; None with `importance`.
    """

    label: Tensor
    trained: Tensor
    pending: Tensor
    elapsed: Tensor
    log_rate: Tensor | None = None


def late_labels(task: Task, label: Tensor, columns: Mapping[str, Tensor], copies: Sequence[Tensor]) -> LateLabels:
    """Returns the labels of a task with `maturity: importance` or `delay`.

    Args:
        task: The task.
        label: Its labels by now, `(batch,)`.
        columns: Columns of open labels by name, each `(batch,)`.
        copies: Columns that are 1 on the copies for the event of a task, each `(batch,)`.
    """
    options = task.open_labels
    assert options is not None
    pending, first = columns[options.column], tf.ones_like(label)
    for is_copy in copies:
        first = first * (1.0 - is_copy)
    if options.maturity == "importance":
        is_copy = columns[str(options.copy)]
        trained = tf.maximum(is_copy, first)  # Copies for the event of another task are left out.
        return LateLabels(is_copy, trained, pending, tf.zeros_like(label))
    return LateLabels(label, first, pending, columns[str(options.elapsed)])
