"""Counts of rows that were read, accepted and rejected, by file, and estimates of the tokens of hashed features."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from transforms.batches.distinct_tokens import DistinctTokens
from transforms.batches.reasons import RENAMED_REASONS


@dataclasses.dataclass(frozen=True)
class SourceReport:
    """Row counts of one file. `read` is always the sum of all other counts.

    Attributes:
        read: Number of rows, without the header and blank lines.
        accepted: Number of accepted rows by split.
        rejected: Number of rejected rows by reason.
        left_out: Number of valid rows that the sampling of negatives leaves out.
    """

    read: int = 0
    accepted: Mapping[str, int] = dataclasses.field(default_factory=dict)
    rejected: Mapping[str, int] = dataclasses.field(default_factory=dict)
    left_out: int = 0

    def __post_init__(self) -> None:
        total = sum(self.accepted.values()) + sum(self.rejected.values()) + self.left_out
        if self.read != total:
            expected = f"{total}, the accepted plus the rejected rows" + (
                " and those left out" if self.left_out else ""
            )
            raise ValueError(f"read should be {expected}. Received: {self.read}")

    def merge(self, other: "SourceReport") -> "SourceReport":
        """Returns the sum of both reports."""
        accepted, rejected = _add(self.accepted, other.accepted), _add(self.rejected, other.rejected)
        return SourceReport(self.read + other.read, accepted, rejected, self.left_out + other.left_out)


@dataclasses.dataclass(frozen=True)
class IngestReport:
    """Numbers of read, accepted and rejected rows of each file.

    Attributes:
        sources: Report of each file, by its path.
        distinct: Tokens of the hashed features in the training rows, by feature.
    """

    sources: Mapping[str, SourceReport] = dataclasses.field(default_factory=dict)
    distinct: Mapping[str, DistinctTokens] = dataclasses.field(default_factory=dict)

    @property
    def total(self) -> SourceReport:
        """Sum over all files."""
        return _total(self.sources.values())

    def merge(self, other: "IngestReport") -> "IngestReport":
        """Returns a report of the files of both; the counts of a file that is in both are added."""
        sources = dict(self.sources)
        for name, report in other.sources.items():
            sources[name] = sources[name].merge(report) if name in sources else report
        distinct = dict(self.distinct)
        for name, tokens in other.distinct.items():
            distinct[name] = distinct[name].merge(tokens) if name in distinct else tokens
        return IngestReport(sources, distinct)

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data: the counts of all files together, and of each under `sources`.

        `left_out` is absent where it is 0, and `distinct` where no feature is hashed.
        """
        plain = {**_plain(self.total), "sources": {name: _plain(one) for name, one in sorted(self.sources.items())}}
        if self.distinct:
            plain["distinct"] = {name: tokens.to_text() for name, tokens in sorted(self.distinct.items())}
        return plain

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "IngestReport":
        """Builds the report from the output of `to_dict`.

        Reasons may have the names of earlier versions (`RENAMED_REASONS`).

        Args:
            data: Plain data as `to_dict` returns it.

        Returns:
            The report, with the present names of all reasons.

        Raises:
            ValueError: If the counts do not add up.
        """
        sources = {name: SourceReport(**_with_present_names(source)) for name, source in data["sources"].items()}
        report = cls(sources, {name: DistinctTokens.from_text(text) for name, text in data.get("distinct", {}).items()})
        given = {"left_out": 0, **_with_present_names(data)}
        if any(given[name] != value for name, value in dataclasses.asdict(report.total).items()):
            raise ValueError(f"report should add up to {_plain(report.total)}. Received: {dict(data)}")
        return report


def _plain(report: SourceReport) -> dict[str, Any]:
    plain = dataclasses.asdict(report)
    return plain if report.left_out else {name: counts for name, counts in plain.items() if name != "left_out"}


def _with_present_names(counts: Mapping[str, Any]) -> dict[str, Any]:
    """Replaces former names of reasons in `rejected`."""
    rejected: dict[str, int] = {}
    for reason, count in counts["rejected"].items():
        present = RENAMED_REASONS.get(reason, reason)
        rejected[present] = rejected.get(present, 0) + count
    return {**counts, "rejected": rejected}


def _total(reports: Iterable[SourceReport]) -> SourceReport:
    total = SourceReport()
    for report in reports:
        total = total.merge(report)
    return total


def _add(left: Mapping[str, int], right: Mapping[str, int]) -> dict[str, int]:
    return {name: left.get(name, 0) + right.get(name, 0) for name in sorted({*left, *right})}
