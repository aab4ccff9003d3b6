"""All data checks of a log: by itself, against a schema, against the last accepted log, and against requests."""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

from pipelines.data_checks.anomalies import ROWS, Anomaly, Findings
from pipelines.data_checks.column_statistics import INT, columns_of, share_error
from pipelines.data_checks.drift import Reference, compare_with_reference
from pipelines.data_checks.options import DataChecks
from pipelines.data_checks.schema import infer_schema
from pipelines.data_checks.schema_checks import compare_with_schema
from tfmtl.spec import DatasetSpec
from transforms.batches.columns import feature_columns
from transforms.batches.reasons import REASONS
from transforms.batches.report import SourceReport

LAST_ACCEPTED, REQUESTS = "the last accepted run", "the requests"
_DRIFTS = ("max_drift", "max_number_drift")
_HIGH_RATE = 0.85
"""Rate of a binary label from which the first run warns."""


@dataclasses.dataclass(frozen=True)
class LogSummary:
    """Statistics of a log and the numbers of its rows.

    Attributes:
        statistics: `DatasetFeatureStatisticsList` of a sample of its accepted rows.
        report: Numbers of its accepted and rejected rows.
    """

    statistics: Any
    report: SourceReport

    @property
    def rejected_share(self) -> float:
        """Share of rejected rows."""
        return sum(self.report.rejected.values()) / self.report.read if self.report.read else 0.0


def check_data(
    log: LogSummary,
    spec: DatasetSpec,
    checks: DataChecks,
    *,
    schema: Any = None,
    accepted: LogSummary | None = None,
    requests: Any = None,
) -> Findings:
    """Checks a log.

    Without a schema, types, domains, ranges and shares of missing values are compared with those of the last accepted
    log. Without one of these either, empty columns and labels of almost one class are warnings.

    Args:
        log: Log to check.
        spec: Spec of the dataset.
        checks: Bounds.
        schema: `schema_pb2.Schema` that the user keeps; None for none.
        accepted: Log of the last accepted run; None for none.
        requests: `DatasetFeatureStatisticsList` of requests; None for none.

    Returns:
        The anomalies, each check of a column once, and what is only reported.
    """
    if not checks.enabled:
        return Findings()
    anomalies = list(_check_rejected(log, accepted, checks))
    warnings: list[Anomaly] = []
    if schema is None and accepted is not None:
        schema = infer_schema(accepted.statistics, spec.labels, checks)
        for feature in schema.feature:
            del feature.annotation.tag[:]  # The labels are compared below, with the numbers of rows of both logs.
    if schema is not None:
        anomalies += compare_with_schema(log.statistics, schema, checks)
    else:
        warnings += _check_alone(log, spec, checks)
    if accepted is not None:
        reference = Reference("drift", accepted.statistics, LAST_ACCEPTED)
        anomalies += compare_with_reference(log.statistics, reference, spec.labels, checks)
    if requests is not None:
        inputs = feature_columns(spec.served)
        others = [name for name in columns_of(log.statistics) if name not in inputs]
        anomalies += compare_with_reference(log.statistics, Reference("skew", requests, REQUESTS), others, checks)
    return Findings(_once(anomalies), tuple(warnings))


def _once(anomalies: list[Anomaly]) -> tuple[Anomaly, ...]:
    """Returns one anomaly for each column and check, and no drift of a column of which something else is known."""
    by_check = {(one.column, one.check): one for one in reversed(anomalies)}
    explained = {column for column, check in by_check if check not in _DRIFTS}
    kept = [one for one in anomalies if by_check[one.column, one.check] is one]
    return tuple(one for one in kept if one.check not in _DRIFTS or one.column not in explained)


def _check_rejected(log: LogSummary, accepted: LogSummary | None, checks: DataChecks) -> Iterator[Anomaly]:
    share, read = log.rejected_share, log.report.read
    bounds = []
    if checks.max_rejected is not None:
        error = share_error(checks.max_rejected, read)
        bounds.append(("max_rejected", checks.max_rejected + checks.standard_errors * error, ""))
    if checks.max_rejected_rise is not None and accepted is not None:
        before = accepted.rejected_share
        error = math.hypot(share_error(before, read), share_error(before, accepted.report.read))
        bound = before + checks.max_rejected_rise + checks.standard_errors * error
        bounds.append(("max_rejected_rise", bound, f", by {before:.1%} in {LAST_ACCEPTED}"))
    for check, bound, source in bounds:
        if share > bound:
            reason = max(log.report.rejected, key=lambda one: log.report.rejected[one])
            received = (
                f"{share:.1%} of {read:,}, {log.report.rejected[reason]:,} as {reason}: {REASONS.get(reason, '')}"
            )
            advice = "Look at the rejected rows."
            yield Anomaly(ROWS, check, f"at most {min(bound, 1):.1%} rejected{source}", received, advice)
            return


def _check_alone(log: LogSummary, spec: DatasetSpec, checks: DataChecks) -> Iterator[Anomaly]:
    """Yields what is unusual in a log with which nothing can be compared."""
    for name, column in columns_of(log.statistics).items():
        if name in checks.ignore:
            continue
        if not column.filled and checks.max_missing_change is not None:
            advice = "Correct the log, or remove the column from the spec."
            yield Anomaly(name, "max_missing_change", "a value in some rows", "no value in any row", advice)
        elif name in spec.labels and column.type == INT and checks.max_label_odds is not None:
            is_rate = column.proto.num_stats.max <= 1
            if not column.mean:
                yield Anomaly(name, "max_label_odds", "a positive row", "none", "Look at what writes the label.")
            elif is_rate and column.mean > _HIGH_RATE:
                expected = f"a mean of at most {_HIGH_RATE}"
                yield Anomaly(name, "max_label_odds", expected, f"{column.mean:.3f}", "Look at what writes the label.")
