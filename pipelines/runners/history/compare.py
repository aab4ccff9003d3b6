"""Differences between two runs: settings, code, data and metrics."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.runners.history.runs import PastRun


@dataclasses.dataclass(frozen=True)
class Difference:
    """Field in which two runs differ.

    Attributes:
        field: Name of the field, such as `settings.training.learning_rate`.
        before: Value of the first run; None if it has none, or for a setting its default.
        after: Value of the second run.
    """

    field: str
    before: Any
    after: Any


def differences(before: PastRun, after: PastRun) -> list[Difference]:
    """Returns the fields in which two runs differ, in the order code, settings, data, metrics and result.

    Args:
        before: First run.
        after: Second run.
    """
    left, right = dict(_fields(before)), dict(_fields(after))
    names = list(dict.fromkeys([*left, *right]))
    order = ["code", "spec_hash", "settings", "spans", "rows", "metrics"]
    names.sort(key=lambda name: order.index(name.split(".")[0]) if name.split(".")[0] in order else len(order))
    return [Difference(name, left.get(name), right.get(name)) for name in names if left.get(name) != right.get(name)]


def _fields(run: PastRun) -> Iterator[tuple[str, Any]]:
    record = run.record
    yield "code", record.code
    yield "spec_hash", record.spec_hash
    for group in ("settings", "rows", "metrics"):
        yield from _flat(group, getattr(record, group))
    yield "spans", ", ".join(record.spans)
    yield "result", run.result
    yield "pushed_version", record.pushed_version
    yield "started_from", run.started_from
    yield "compared_with", run.compared_with


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yields the leaves of nested mappings and lists, by dotted names; entries of a list are named by their `name`."""
    if isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _flat(f"{name}.{key}", entry)
    elif isinstance(value, list) and any(isinstance(entry, Mapping) for entry in value):
        for number, entry in enumerate(value):
            key = entry.get("name", number) if isinstance(entry, Mapping) else number
            yield from _flat(f"{name}.{key}", entry)
    else:
        yield name, value
