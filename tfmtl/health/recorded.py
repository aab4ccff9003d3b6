"""Health of mechanisms that are measured on recorded values."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tfmtl.health.health import Bound, Health
from tfmtl.health.mechanisms import MEASURE_FUNCTIONS, MECHANISMS


def is_measured(path: str) -> bool:
    """Returns whether recorded values belong to a mechanism.

    Args:
        path: Path of the values, such as `gate/click`.
    """
    return path.partition("/")[0] in MECHANISMS


def recorded_health(recorded: Mapping[str, np.ndarray], first_tasks: tuple[str, ...] | None) -> Iterator[Health]:
    """Yields the health of each mechanism whose values were recorded.

    Args:
        recorded: Recorded values of all rows by path.
        first_tasks: Tasks without a previous task, whose task attention has one token and is left out; None if the
            model has no spec.
    """
    for path, values in recorded.items():
        kind, *parts = path.split("/")
        if not is_measured(path) or _has_no_choice(kind, parts, values, first_tasks):
            continue
        mechanism = MECHANISMS[kind]
        for measure, bound in mechanism.bounds.items():
            value = MEASURE_FUNCTIONS[measure](values)
            yield Health(kind, mechanism.name(*parts), measure, value, _attainable(measure, bound, values))


def _has_no_choice(kind: str, parts: list[str], values: np.ndarray, first_tasks: Any) -> bool:
    """Returns whether the values are weights over one key or task, or those of a task without a previous task."""
    if kind == "cross_stitch":
        return len(values) < 2
    if not MECHANISMS[kind].is_choice:
        return False
    if kind == "task_attention":
        # `TaskAttention` records the weights 0 and 1 if there is no previous task.
        is_fixed = bool(np.all(values == np.array([0.0, 1.0])))
        return is_fixed if first_tasks is None else parts[0] in first_tasks
    return values.shape[-1] < 2


def _attainable(measure: str, bound: Bound, values: np.ndarray) -> Bound:
    """Returns the bound of a rank that representations of few numbers can reach: a quarter of their width."""
    if measure != "effective_rank" or bound.low is None:
        return bound
    return dataclasses.replace(bound, low=min(bound.low, values[0].size / 4))
