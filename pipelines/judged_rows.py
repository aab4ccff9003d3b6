"""Rows on which an output is measured or a model is fitted to it."""

from collections.abc import Mapping

import numpy as np

from tfmtl.spec import ENTIRE, DatasetSpec, Output


def is_judged(
    spec: DatasetSpec, output: Output, labels: Mapping[str, np.ndarray], weights: np.ndarray | None = None
) -> np.ndarray:
    """Returns which rows in an output's space have a known label and a weight above 0.

    Args:
        spec: Spec of the dataset.
        output: Output of the spec.
        labels: Labels by task name, NaN where they are not known, each `(rows,)`.
        weights: Weights of the rows, `(rows,)`; None for weights of 1.

    Returns:
        Mask, bool `(rows,)`.

    Example:
        >>> import numpy as np
        >>> from pipelines.judged_rows import is_judged
        >>> from tfmtl.features import CategoricalFeature
        >>> from tfmtl.spec import DatasetSpec, Task
        >>> tasks = (Task("click", "clicked"), Task("buy", "bought", follows="click"))
        >>> spec = DatasetSpec("shop", (CategoricalFeature("user"),), tasks)
        >>> labels = {"click": np.array([0.0, 1.0, 1.0]), "buy": np.array([0.0, 1.0, np.nan])}
        >>> {output.name: is_judged(spec, output, labels).tolist() for output in spec.outputs}
        {'click': [True, True, True], 'buy_given_click': [False, True, False], 'buy': [True, True, False]}
    """
    mask: np.ndarray = ~np.isnan(labels[output.task])
    previous = spec.task(output.task).follows
    if output.space != ENTIRE and previous is not None:
        mask &= np.equal(labels[previous], 1)
    if weights is not None:
        mask &= weights > 0
    return mask


def judged_rows(
    spec: DatasetSpec, output: Output, labels: Mapping[str, np.ndarray], weights: np.ndarray | None = None
) -> np.ndarray:
    """Returns the indices of the rows of `is_judged`.

    Args:
        spec: Spec of the dataset.
        output: Output of the spec.
        labels: Labels of the output's task and of the one that it follows, by label column, NaN where they are not
            known, each `(rows,)`.
        weights: Weights of the rows, `(rows,)`; None for weights of 1.

    Returns:
        Indices, int64.
    """
    by_task = {task.name: labels[task.label] for task in spec.tasks if task.label in labels}
    return np.flatnonzero(is_judged(spec, output, by_task, weights))
