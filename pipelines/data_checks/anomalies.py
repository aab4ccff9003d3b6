"""Anomalies of a log: what was expected, what was received, and what to do."""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from transforms.batches.errors import LogError

ROWS = "all rows"
"""Column of an anomaly that concerns rows as a whole."""
_SHOWN = 20


@dataclasses.dataclass(frozen=True)
class Anomaly:
    """Difference of a log from what is expected of it.

    Attributes:
        column: Name of the column, or `ROWS`.
        check: Name of the bound in `pipelines.data_checks.options.DataChecks`, or `type` for a column that the schema
            lacks or describes by another type.
        expected: Expected value, with its bound.
        received: Value in the log.
        advice: What to do.
    """

    column: str
    check: str
    expected: str
    received: str
    advice: str


@dataclasses.dataclass(frozen=True)
class Findings:
    """Result of the data checks.

    Attributes:
        anomalies: Anomalies that stop a run unless they are accepted.
        warnings: Anomalies that are only reported.
        notes: Sentences about checks that could not be made.
    """

    anomalies: tuple[Anomaly, ...] = ()
    warnings: tuple[Anomaly, ...] = ()
    notes: tuple[str, ...] = ()

    def __add__(self, other: "Findings") -> "Findings":
        """Returns the findings of both."""
        return Findings(self.anomalies + other.anomalies, self.warnings + other.warnings, self.notes + other.notes)

    def to_json(self) -> str:
        """Returns the findings as JSON text that `from_json` reads."""
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> "Findings":
        """Builds the findings from the output of `to_json`."""
        data: dict[str, Any] = json.loads(text)
        kinds = {name: tuple(Anomaly(**one) for one in data[name]) for name in ("anomalies", "warnings")}
        return cls(**kinds, notes=tuple(data["notes"]))


class DataError(LogError):
    """Error of a log with anomalies.

    Args:
        message: Message, which lists the anomalies.
        findings: The anomalies, and what is only reported.
    """

    exit_code = 4

    def __init__(self, message: str, findings: Findings = Findings()):
        super().__init__(message)
        self.findings = findings


def data_error(findings: Findings) -> DataError:
    """Creates the error of a log with anomalies, whose message has one line for each of them.

    Args:
        findings: Findings with at least one anomaly.

    Example:
        >>> from pipelines.data_checks.anomalies import Anomaly, Findings, data_error
        >>> one = Anomaly("city", "max_unknown", "at most 2.0% unknown values", "97.0%", "see docs")
        >>> print(data_error(Findings((one,))))
        The data should be like the reference, but 1 check failed, on city.
          city: expected at most 2.0% unknown values. Received: 97.0%. see docs
    """
    return DataError("\n".join([headline(findings.anomalies), *map(_line, findings.anomalies[:_SHOWN])]), findings)


def headline(anomalies: Sequence[Anomaly]) -> str:
    """Returns a sentence with the number of the failed checks and the names of their columns."""
    names = list(dict.fromkeys(one.column for one in anomalies))
    checks = "1 check" if len(anomalies) == 1 else f"{len(anomalies)} checks"
    others = f" and {len(names) - _SHOWN} others" if len(names) > _SHOWN else ""
    return f"The data should be like the reference, but {checks} failed, on {', '.join(names[:_SHOWN])}{others}."


def _line(one: Anomaly) -> str:
    return f"  {one.column}: expected {one.expected}. Received: {one.received}. {one.advice}"
