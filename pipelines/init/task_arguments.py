"""Tasks as they are given on the command line, and their labels in a sample."""

import dataclasses
import itertools
import re

import numpy as np
import pyarrow as pa

from pipelines.init.names import legal_name
from tfmtl.tasks import Task
from transforms.batches.errors import LogError, check_columns
from transforms.batches.labels import missing_labels, parse_labels
from transforms.batches.parsing import parse_amounts, parse_counts
from transforms.batches.raw_batch import RawBatch
from transforms.profile.columns import profile_column

_ARGUMENT = re.compile(r"(?:(?P<name>[A-Za-z]\w*):)?(?P<column>.+?)\s*(?:(?P<sign>>=|<=|=|>|<)\s*(?P<value>.+))?")
_AMOUNT = re.compile(
    r"(^|_)(amount|cost|dwell|duration|gmv|income|milliseconds|minutes|ms|paid|price|profit|revenue|sales|seconds|spend|"
    r"spent|time|value)(_|$)"
)
"""Names of columns whose integers are amounts, not numbers of events."""
_MAX_BROKEN = 0.02
"""Largest share of a task's positive rows on which the previous task is negative in a chain."""


@dataclasses.dataclass(frozen=True)
class LabelledTask:
    """A task with its labels in a sample.

    Attributes:
        task: The task, whose `follows` is not decided yet.
        column: Name of the log's column that holds the label.
        labels: Labels of the sampled rows, int64 or, of a value, float32, `(rows,)`; a missing label is 0.
        missing: Number of missing labels.
        reason: Sentence that says why the task is a count or a value; empty for a binary task.
    """

    task: Task
    column: str
    labels: np.ndarray
    missing: int
    reason: str = ""

    @property
    def is_binary(self) -> bool:
        """True if the task has two classes."""
        return self.task.kind == "binary"

    @property
    def positives(self) -> int:
        """Number of rows with a positive label."""
        return int((self.labels > 0).sum())


def read_task(argument: str, sample: RawBatch) -> LabelledTask:
    """Reads a task and its labels.

    Args:
        argument: `COLUMN`, `NAME:COLUMN`, or one of these with a condition for positive labels: `rating>=4`,
            `rich:income=50000+.`.
        sample: Sample of the log.

    Raises:
        LogError: If there is no such column, or its values are no labels.
    """
    match = _ARGUMENT.fullmatch(argument)
    assert match is not None
    column, sign, value = match["column"], match["sign"], match["value"]
    check_columns(sample.source, sample.columns.column_names, [column])
    values = sample.column(column)
    name = match["name"] or legal_name(column)
    if sign:
        positive = (value,) if sign == "=" else (f"{sign} {value}",)
        return _labelled(Task(name, name, positive=positive), column, values)
    return _labelled(Task(name, name), column, values)


def _labelled(task: Task, column: str, values: pa.Array) -> LabelledTask:
    missing = missing_labels(values)
    labels, invalid = parse_labels(values, task.positive)
    if (invalid & ~missing).any() and not task.positive:
        found = _numbers(task, column, values, missing)
        if found is not None:
            return found
    if (invalid & ~missing).any():
        top = ", ".join(repr(value) for value, _ in profile_column(column, values).top)
        expected = "numbers" if task.positive else "0 or 1, counts, or amounts of at least 0"
        example = f"{task.name}:{column}={profile_column(column, values).top[-1][0]}"
        raise LogError(
            f"--task {column}: should hold {expected}. Received: {top}. Name the positive value: --task '{example}'"
        )
    labels = np.where(missing, 0, labels)
    if not missing.all() and len(np.unique(labels[~missing])) < 2:
        only = int(labels[~missing][0])
        raise LogError(f"--task {column}: should have positive and negative rows. Received: {only} in all rows")
    return LabelledTask(task, column, labels, int(missing.sum()))


def _numbers(task: Task, column: str, values: pa.Array, missing: np.ndarray) -> LabelledTask | None:
    """Returns the task as a count or a value; None if a label is not a number of at least 0."""
    amounts, is_no_amount = parse_amounts(values)
    if (is_no_amount & ~missing).any():
        return None
    counts, is_no_count = parse_counts(values)
    fractions = amounts[is_no_count & ~missing]
    if len(fractions):
        reason = f"it has amounts such as {fractions[0]:g}"
    elif match := _AMOUNT.search(column.lower()):
        reason = f"`{match[2]}` in its name is an amount; change the kind to count if it is a number of events"
    else:
        sentence = f"{task.name} is a count: all of its labels are integers, up to {counts.max():,}."
        counted = dataclasses.replace(task, kind="count")
        return LabelledTask(counted, column, counts, int(missing.sum()), sentence)
    mean = amounts[amounts > 0].mean() if amounts.any() else 0.0
    sentence = f"{task.name} is a value, whose mean above 0 is {mean:.4g}: {reason}."
    return LabelledTask(dataclasses.replace(task, kind="value"), column, amounts, int(missing.sum()), sentence)


def order_tasks(tasks: list[LabelledTask]) -> tuple[list[LabelledTask], list[str]]:
    """Orders tasks so that a task follows the one that its event requires, and sets `follows` where the data allow it.

    Args:
        tasks: Tasks in the order in which they were given.

    Returns:
        The tasks, and one sentence for each decision.
    """
    decisions = [one.reason for one in tasks if one.reason]
    ordered = tasks
    if any(_is_chain(later, earlier) for earlier, later in itertools.combinations(tasks, 2)):
        ordered = sorted(tasks, key=lambda one: (one.task.kind == "value", -one.positives))
        decisions.append(f"The tasks are ordered by their events: {', '.join(one.task.name for one in ordered)}.")
    result: list[LabelledTask] = []
    for one in ordered:
        previous = next((other for other in reversed(result) if _is_chain(other, one)), None)
        if previous is not None:
            broken = int(((one.labels > 0) & (previous.labels == 0)).sum())
            decisions.append(_chain_sentence(one, previous, broken))
            one = dataclasses.replace(one, task=dataclasses.replace(one.task, follows=previous.task.name))
        elif result and one.is_binary:
            nearest = result[-1]
            if nearest.is_binary:
                broken = int(((one.labels > 0) & (nearest.labels == 0)).sum())
                share = f"{broken:,} of {one.positives:,} rows with {one.task.name} have no {nearest.task.name}"
                decisions.append(f"{one.task.name} does not follow {nearest.task.name}: {share}.")
        result.append(one)
    return result, decisions


def _chain_sentence(one: LabelledTask, previous: LabelledTask, broken: int) -> str:
    sentence = f"{one.task.name} follows {previous.task.name}"
    if not broken:
        return f"{sentence}: no row has {one.task.name} without {previous.task.name}."
    return (
        f"{sentence}: {broken:,} of {one.positives:,} rows have it without {previous.task.name} and will be rejected."
    )


def _is_chain(earlier: LabelledTask, later: LabelledTask) -> bool:
    """Returns whether the later event happens, or the value is above 0, nearly always only after the earlier event."""
    is_value = later.task.kind == "value"
    if not (earlier.is_binary and (later.is_binary or is_value)) or not later.positives:
        return False
    if not is_value and later.positives >= earlier.positives:
        return False
    broken = ((later.labels > 0) & (earlier.labels == 0)).sum() / later.positives
    return bool(broken <= min(_MAX_BROKEN, 0.2 * (earlier.labels == 0).mean()))
