"""Counts of rows that were read, accepted and rejected, by file."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class SourceReport:
    """The count of one file's rows: `read` is always the sum of the accepted and the rejected ones.

    Attributes:
        read: rows, without header and blank lines.
        accepted: rows by split.
        rejected: rows by reason.
    """

    read: int = 0
    accepted: Mapping[str, int] = dataclasses.field(default_factory=dict)
    rejected: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        total = sum(self.accepted.values()) + sum(self.rejected.values())
        if self.read != total:
            raise ValueError(f"read should be {total}, accepted and rejected rows together. Received: {self.read}")

    def merge(self, other: "SourceReport") -> "SourceReport":
        """Both counts together."""
        accepted, rejected = _add(self.accepted, other.accepted), _add(self.rejected, other.rejected)
        return SourceReport(self.read + other.read, accepted, rejected)


@dataclasses.dataclass(frozen=True)
class IngestReport:
    """How many rows of each file were read, accepted and rejected.

    Attributes:
        sources: by file.
    """

    sources: Mapping[str, SourceReport] = dataclasses.field(default_factory=dict)

    @property
    def total(self) -> SourceReport:
        """All files together."""
        return _total(self.sources.values())

    def merge(self, other: "IngestReport") -> "IngestReport":
        """Both reports together; a file that is in both is added up."""
        sources = dict(self.sources)
        for name, report in other.sources.items():
            sources[name] = sources[name].merge(report) if name in sources else report
        return IngestReport(sources)

    def to_dict(self) -> dict[str, Any]:
        """Plain data: `read`, `accepted` and `rejected` of all files together, and of each under `sources`."""
        sources = {name: dataclasses.asdict(report) for name, report in sorted(self.sources.items())}
        return {**dataclasses.asdict(self.total), "sources": sources}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "IngestReport":
        """The report of `to_dict`. Raises `ValueError` if its numbers do not add up."""
        report = cls({name: SourceReport(**source) for name, source in data["sources"].items()})
        if any(dict(data)[name] != value for name, value in dataclasses.asdict(report.total).items()):
            raise ValueError(f"report should add up to {dataclasses.asdict(report.total)}. Received: {dict(data)}")
        return report


def _total(reports: Iterable[SourceReport]) -> SourceReport:
    total = SourceReport()
    for report in reports:
        total = total.merge(report)
    return total


def _add(left: Mapping[str, int], right: Mapping[str, int]) -> dict[str, int]:
    return {name: left.get(name, 0) + right.get(name, 0) for name in sorted({*left, *right})}
