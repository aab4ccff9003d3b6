"""Counts of a join: events of each log by what became of them, and labelled rows by day."""

import collections
import dataclasses
from collections.abc import Mapping
from typing import Any

from transforms.join.labels import OUTCOMES

READ, REJECTED, DUPLICATES, AFTER_END = "read", "rejected", "duplicates", "after the end"
ROWS, POSITIVE, OPEN, COPIES = "rows", "positive", "open", "copies"
EXPLANATIONS = {
    READ: "",
    REJECTED: "without a key, an id or a valid time; see rejects.jsonl",
    DUPLICATES: "an earlier event has the same id, or the same key and time",
    AFTER_END: "later than the end of the logs",
    **OUTCOMES,
}
"""Explanation of each count of a log, in the order of the tables."""


@dataclasses.dataclass(frozen=True)
class JoinReport:
    """Counts of events and rows, which can be added.

    Attributes:
        events: Number of events by log and kind (`EXPLANATIONS`). The kinds of a log but `read` add up to `read`.
        labels: Number of rows by label, and `positive`, `open` (negative until now) or `copies`.
        days: Number of rows by day, copies included, such as 2026-11-30.
    """

    events: Mapping[str, Mapping[str, int]] = dataclasses.field(default_factory=dict)
    labels: Mapping[str, Mapping[str, int]] = dataclasses.field(default_factory=dict)
    days: Mapping[str, int] = dataclasses.field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Number of labelled rows, copies included."""
        return sum(self.days.values())

    def merge(self, other: "JoinReport") -> "JoinReport":
        """Returns the sum of both reports."""
        return JoinReport(
            _add_nested(self.events, other.events), _add_nested(self.labels, other.labels), _add(self.days, other.days)
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data, with the number of `rows`."""
        return {"rows": self.rows, **dataclasses.asdict(self)}


def _add(left: Mapping[str, int], right: Mapping[str, int]) -> dict[str, int]:
    total = collections.Counter(left)
    total.update(right)
    return dict(sorted(total.items()))


def _add_nested(
    left: Mapping[str, Mapping[str, int]], right: Mapping[str, Mapping[str, int]]
) -> dict[str, dict[str, int]]:
    return {name: _add(left.get(name, {}), right.get(name, {})) for name in sorted({*left, *right})}
