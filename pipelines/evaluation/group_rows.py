"""Rows divided by group, so that the rows of each group can be brought together for GAUC."""

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping

import numpy as np

from pipelines.evaluation.scored_batch import ScoredBatch, joined
from tfmtl.metrics import GroupAUC, group_auc
from tfmtl.spec import DatasetSpec

PARTS = 64
"""Number of parts into which the rows are divided by group; one part is in memory at a time."""
Gaucs = dict[tuple[str, bool], GroupAUC]
"""Sums of GAUC by output, and by whether the scores are those of the served model."""


def divide(spec: DatasetSpec, batch: ScoredBatch) -> Iterator[tuple[int, ScoredBatch]]:
    """Yields the number and the rows of each part that has rows.

    The parts have the labels of binary tasks in one or two bytes, and their scores and the weights as float32, since
    they are sent to the worker that has all rows of a group.

    Args:
        spec: Spec of the dataset.
        batch: Scored rows.
    """
    part = batch.groups // (2**62 // PARTS)
    order = np.argsort(part, kind="stable")
    bounds = np.searchsorted(part[order], np.arange(PARTS + 1))

    def ordered(columns: Mapping[str, np.ndarray], kept: Collection[str], dtype: type) -> dict[str, np.ndarray]:
        return {name: values[order].astype(dtype) for name, values in columns.items() if name in kept}

    tasks = [task for task in spec.tasks if task.kind == "binary"]
    outputs = [output.name for output in spec.outputs if spec.task(output.task) in tasks]
    labels = ordered(batch.labels, [task.label for task in tasks], np.float16 if spec.open_columns else bool)
    # A SavedModel's scores are float32.
    scores, baseline = ordered(batch.scores, outputs, np.float32), ordered(batch.baseline, outputs, np.float32)
    groups = batch.groups[order]
    weights = None if batch.weights is None else batch.weights[order].astype(np.float32)
    for number, (start, stop) in enumerate(itertools.pairwise(bounds)):
        if start < stop:
            rows = slice(start, stop)
            own = [{name: values[rows] for name, values in one.items()} for one in (labels, scores, baseline)]
            own_weights = None if weights is None else weights[rows]
            yield number, ScoredBatch(own[0], own[1], own[2], None, groups[rows], own_weights)


def gaucs_of_part(part: tuple[int, Iterable[ScoredBatch]], spec: DatasetSpec) -> Gaucs:
    """Returns the sums of GAUC of a part.

    Args:
        part: Number of the part, and all its rows.
        spec: Spec of the dataset.
    """
    batch = joined(list(part[1]))
    _, groups = np.unique(batch.groups, return_inverse=True)
    found: Gaucs = {}
    for output in spec.outputs:
        for is_baseline, scores in enumerate((batch.scores, batch.baseline)):
            if output.name in scores:
                rows = batch.rows(spec, output)
                rows = rows[np.isfinite(scores[output.name][rows])]
                labels = batch.labels[spec.task(output.task).label][rows]
                weights = None if batch.weights is None else batch.weights[rows]
                found[output.name, bool(is_baseline)] = group_auc(
                    labels, scores[output.name][rows], groups[rows], weights
                )
    return found


def sum_gaucs(parts: Iterable[Gaucs]) -> Gaucs:
    """Returns the sums of several parts.

    Args:
        parts: Sums of GAUC of each part.
    """
    total: Gaucs = {}
    for part in parts:
        for key, value in part.items():
            total[key] = total.get(key, GroupAUC()) + value
    return total
