"""Counts of the rows that were scored and rejected."""

import collections
import dataclasses
import json
from collections.abc import Iterable, Mapping

from transforms.batches.raw_batch import Reject


@dataclasses.dataclass(frozen=True)
class ScoreReport:
    """Counts of rows.

    Attributes:
        scored: Number of rows that have scores.
        rejected: Number of rows without scores by reason (`transforms.batches.reasons`).
        absent: Names of the features that a file does not have, by the path of the file.
    """

    scored: int = 0
    rejected: Mapping[str, int] = dataclasses.field(default_factory=dict)
    absent: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)

    @property
    def read(self) -> int:
        """Number of all rows."""
        return self.scored + sum(self.rejected.values())

    def add(self, scored: int, rejects: Iterable[Reject]) -> "ScoreReport":
        """Returns the counts with those of further rows.

        Args:
            scored: Number of rows that have scores.
            rejects: Rejected rows.
        """
        return self.merge(ScoreReport(scored, collections.Counter(reject.reason for reject in rejects)))

    def merge(self, other: "ScoreReport") -> "ScoreReport":
        """Returns the sum of both counts.

        Args:
            other: Counts of other rows.
        """
        rejected = collections.Counter(self.rejected) + collections.Counter(other.rejected)
        return ScoreReport(self.scored + other.scored, dict(rejected), {**self.absent, **other.absent})

    def to_json(self) -> str:
        """Returns the counts as JSON that `from_json` reads."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "ScoreReport":
        """Reads what `to_json` returned.

        Args:
            text: JSON text.

        Example:
            >>> from pipelines.batch_scoring.report import ScoreReport
            >>> ScoreReport.from_json(ScoreReport(3, {"not_a_number": 1}).to_json()).read
            4
        """
        plain = json.loads(text)
        return cls(plain["scored"], plain["rejected"], {path: tuple(names) for path, names in plain["absent"].items()})
