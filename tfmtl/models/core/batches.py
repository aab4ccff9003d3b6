"""Conversion of the batches that Keras passes on to features, labels and weights by name."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfmtl.model_inputs import transformed_inputs
from tfmtl.models.core.late_labels import LateLabels, late_labels
from tfmtl.spec import DatasetSpec, Task
from tfmtl.types import Features, Labels, Shape, Tensor, TensorLike


class RowWeights(NamedTuple):
    """Weights of the rows of a prepared batch.

    Attributes:
        sample: Weights that the caller gives, `(batch,)` float32 by task name; None if every row has weight 1.
        observed: 1 where the label of a task is known and 0 where it is not, `(batch,)` float32 by task name. It is 0
            on copies of rows.
        late: Labels of the tasks that are trained on open rows, by task name.

    Example:
        >>> import tensorflow as tf
        >>> from tfmtl.models import RowWeights
        >>> weights = RowWeights(sample=None, observed={"click": tf.ones(2), "buy": tf.constant([1.0, 0.0])})
        >>> weights.of_pair("buy", "click").numpy()
        array([1., 0.], dtype=float32)
    """

    sample: Mapping[str, Tensor] | None
    observed: Mapping[str, Tensor]
    late: Mapping[str, LateLabels] = {}

    def of_training(self, task: str) -> Tensor:
        """Returns the weight of each row in the mean loss of a task, `(batch,)`, open rows included if it has them.

        Args:
            task: Name of the task.
        """
        if task not in self.late:
            return self.of_task(task)
        trained = self.late[task].trained
        return trained if self.sample is None else self.sample[task] * trained

    def of_task(self, task: str) -> Tensor:
        """Returns the weight of each row in a mean over the labels of a task, `(batch,)`.

        Args:
            task: Name of the task.
        """
        return self.observed[task] if self.sample is None else self.sample[task] * self.observed[task]

    def of_pair(self, task: str, previous: str) -> Tensor:
        """Returns the weight of each row in a mean over the labels of two tasks, `(batch,)`.

        Args:
            task: Name of the task whose weights are taken.
            previous: Name of the other task. Rows where its weight is 0, or its label is not known, have weight 0.
        """
        sample = self.sample_of_pair(task, previous)
        observed = self.observed[task] * self.observed[previous]
        return observed if sample is None else sample * observed

    def sample_of_pair(self, task: str, previous: str) -> Tensor | None:
        """Returns the weight of each row in a mean over the predictions of two tasks, `(batch,)`, or None for all 1.

        Args:
            task: Name of the task whose weights are taken.
            previous: Name of the other task. Rows where its weight is 0 have weight 0.
        """
        if self.sample is None:
            return None
        return tf.where(self.sample[previous] > 0, self.sample[task], 0.0)


def prepare_batch(spec: DatasetSpec, data: Any) -> tuple[dict[str, TensorLike], dict[str, Tensor], RowWeights]:
    """Converts the data that Keras passes to a step to features, labels and weights of rows.

    Args:
        spec: Features and tasks of the dataset.
        data: `(features, labels)` or `(features, labels, sample_weight)`, see `prepare_features` and `prepare_labels`.
    """
    features, labels, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    return prepare_features(spec, features), *prepare_labels(spec, labels, sample_weight)


def prepare_features(spec: DatasetSpec, features: Features) -> dict[str, TensorLike]:
    """Returns the features by name, those of one id per row with the shape `(batch,)`.

    Args:
        spec: Features of the dataset.
        features: Features by name. Those of one id per row have the shape `(batch,)` or `(batch, 1)`.

    Raises:
        ValueError: If the features are not a dict.
    """
    if not isinstance(features, Mapping):
        names = ", ".join(feature.name for feature in spec.features)
        raise ValueError(f"`x` should be a dict of features by name: {names}. Received: {_describe(features)}")
    columns = [column.name for column in transformed_inputs(spec) if not column.shape]
    prepared = dict(features)
    for name in columns:
        shape: Shape = getattr(prepared.get(name), "shape", ())
        if len(shape) == 2 and shape[1] == 1:
            prepared[name] = tf.reshape(prepared[name], [-1])
    return prepared


def prepare_labels(
    spec: DatasetSpec, labels: Labels | TensorLike, sample_weight: Any = None
) -> tuple[dict[str, Tensor], RowWeights]:
    """Converts labels and weights of a batch to tensors by task name.

    A label of NaN on a row whose previous task's label is 0 becomes 0, because the event cannot have happened. Any
    other label of NaN is not known: it becomes 0 and has weight 0. So do the rows that the columns of open labels mark,
    if the labels contain these columns. Where the label of the previous task is not known, a value is not known either:
    the known ones would be those of early events. A batch that is already prepared is returned as it is.

    Args:
        spec: Tasks of the dataset.
        labels: Labels by task name or by label column, each `(batch,)` or `(batch, 1)`. With a single task, an array
            is accepted. The columns of open labels by name are added; they are required for a task with `maturity`
            `importance` or `delay`, and its labels are those by now.
        sample_weight: Weights of the rows, `(batch,)` or `(batch, 1)`; or a dict of such weights by task name or by
            label column, in which a task that is missing has weight 1.

    Returns:
        The labels, `(batch,)` float32 by task name, without NaN; and the weights of the rows.

    Raises:
        ValueError: If a task has no labels or lacks a column of open labels, a weight belongs to no task, or a shape is
            wrong.
        tf.errors.InvalidArgumentError: If a label or a weight is outside its range. Under XLA (`jit_compile=True`)
            this is not checked.
    """
    if isinstance(sample_weight, RowWeights):
        return dict(labels), sample_weight
    given, columns = _labels_by_task(spec, labels), _open_label_columns(spec, labels)
    prepared: dict[str, Tensor] = {}
    observed: dict[str, Tensor] = {}
    copies = [columns[name] for name in spec.copy_columns.values() if name in columns]
    for task in spec.tasks:
        label = _column(given[task.name], f"labels of `{task.name}`")
        missing = tf.math.is_nan(label)
        known = tf.logical_not(missing)
        if task.follows:
            impossible = tf.logical_and(prepared[task.follows] == 0.0, observed[task.follows] == 1.0)
            known = tf.logical_or(known, impossible)
            if task.kind == "value":
                known = tf.logical_and(known, observed[task.follows] == 1.0)
        pending = [columns[name] for name in (spec.open_columns.get(task.label),) if name in columns]
        for marked in (*copies, *pending):
            known = tf.logical_and(known, marked == 0.0)
        prepared[task.name] = _checked_label(task, tf.where(missing, 0.0, label))
        observed[task.name] = tf.cast(known, "float32")
    late = {}
    for task in spec.tasks:
        if task.open_labels is not None and task.open_labels.trains_open_rows:
            late[task.name] = late_labels(task, prepared[task.name], columns, copies)
    return prepared, RowWeights(_weights_by_task(spec, sample_weight, labels), observed, late)


def _open_label_columns(spec: DatasetSpec, labels: Any) -> dict[str, Tensor]:
    """Returns the columns of open labels that are given, and checks that those of tasks trained on open rows are."""
    given = labels if isinstance(labels, Mapping) else {}
    for task in spec.tasks:
        if task.open_labels is not None and task.open_labels.trains_open_rows:
            for name in task.open_labels.columns:
                if name not in given:
                    expected = f"`y` should have the column `{name}`, by which `{task.name}` is trained on open rows"
                    raise ValueError(f"{expected}. Received: {_describe(labels)} with {', '.join(map(str, given))}")
    return {name: _column(given[name], f"column `{name}`") for name in spec.maturity_columns if name in given}


def _labels_by_task(spec: DatasetSpec, labels: Any) -> dict[str, Any]:
    """Returns the labels by task name, as they are given."""
    names = [task.name for task in spec.tasks]
    expected = f"`y` should be a dict with the labels of each task by its name: {', '.join(names)}"
    if not isinstance(labels, Mapping):
        if len(names) == 1 and hasattr(labels, "shape"):
            return {names[0]: labels}
        raise ValueError(f"{expected}. Received: {_describe(labels)}")
    found = {task.name: key for task in spec.tasks if (key := _key(spec, task, labels)) is not None}
    if len(found) < len(names):
        raise ValueError(f"{expected}. Received: a dict with the keys {', '.join(map(str, labels))}")
    return {name: labels[key] for name, key in found.items()}


def _key(spec: DatasetSpec, task: Task, values: Mapping[str, Any]) -> str | None:
    """Returns the key of a task: its name, or its label column unless another task has that name."""
    if task.name in values:
        return task.name
    is_free = all(other.name != task.label for other in spec.tasks)
    return task.label if is_free and task.label in values else None


def _weights_by_task(spec: DatasetSpec, sample_weight: Any, labels: Any) -> dict[str, Tensor] | None:
    """Returns the checked weights of rows by task name, or None if all are 1."""
    if sample_weight is None:
        return None
    if not isinstance(sample_weight, Mapping):
        weights = _checked_weights(sample_weight)
        return {task.name: weights for task in spec.tasks}
    known = {name for task in spec.tasks for name in (task.name, task.label)}
    known |= set(labels) if isinstance(labels, Mapping) else set()
    unknown = [str(name) for name in sample_weight if name not in known]
    if unknown:
        names = ", ".join(task.name for task in spec.tasks)
        expected = f"`sample_weight` should be an array, or a dict with arrays by task name: {names}"
        raise ValueError(f"{expected}. Received: a dict with the keys {', '.join(unknown)}")
    keys = {task.name: _key(spec, task, sample_weight) for task in spec.tasks}
    given = {name: _checked_weights(sample_weight[key]) for name, key in keys.items() if key is not None}
    if not given:
        return None
    ones = tf.ones_like(next(iter(given.values())))
    return {task.name: given.get(task.name, ones) for task in spec.tasks}


def _column(values: TensorLike, what: str) -> Tensor:
    """Returns values of the shape `(batch,)` or `(batch, 1)` as `(batch,)` float32."""
    tensor = tf.cast(values, "float32")
    if tensor.shape.rank == 1:
        return tensor
    if tensor.shape.rank is None or (tensor.shape.rank == 2 and tensor.shape[1] in (1, None)):
        return tf.reshape(tensor, [-1])
    raise ValueError(f"{what} should have the shape (batch,) or (batch, 1). Received: {tuple(tensor.shape)}")


def _checked_label(task: Task, label: Tensor) -> Tensor:
    """Returns the label, and makes the step fail if a value is out of range."""
    lowest, highest = tf.reduce_min(label), tf.reduce_max(label)
    if task.kind == "binary":
        expected, in_range = "between 0 and 1", tf.logical_and(lowest >= 0.0, highest <= 1.0)
    else:
        expected, in_range = "at least 0 and finite", tf.logical_and(lowest >= 0.0, highest < float("inf"))
    message = f"Labels of `{task.name}` should be {expected}, or NaN where they are not known. Received values from"
    tf.debugging.Assert(in_range, [message, lowest, "to", highest])
    return label


def _checked_weights(sample_weight: TensorLike) -> Tensor:
    """Returns the weights, `(batch,)` float32, and makes the step fail if one is negative or not finite."""
    weights = _column(sample_weight, "`sample_weight`")
    in_range = tf.logical_and(weights >= 0.0, weights < float("inf"))
    message = "`sample_weight` should be at least 0 and finite. Received values from"
    tf.debugging.Assert(tf.reduce_all(in_range), [message, tf.reduce_min(weights), "to", tf.reduce_max(weights)])
    return weights


def _describe(value: Any) -> str:
    """Returns a value's type, and its shape if it has one."""
    shape = getattr(value, "shape", None)
    return type(value).__name__ if shape is None else f"{type(value).__name__} of shape {tuple(shape)}"
