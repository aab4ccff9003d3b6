"""Comparison of two statistics by TFDV's comparators, whose thresholds depend on the numbers of rows."""

import dataclasses
import math
from collections.abc import Collection, Iterator
from typing import Any, Literal

import tensorflow_data_validation as tfdv

from pipelines.data_checks.anomalies import Anomaly
from pipelines.data_checks.column_statistics import BYTES, INT, ColumnStatistics, columns_of, share_error
from pipelines.data_checks.labels import compare_labels
from pipelines.data_checks.options import DataChecks
from pipelines.data_checks.schema import MAX_DOMAIN

_FREQUENT, _FREQUENT_SHARE = 5, 0.003
"""Number and share of occurrences from which a value of the reference counts as frequent.

Above 1,000 values, TFDV counts by a sketch whose error is about a thousandth of the rows.
"""
_MIN_FREQUENT_SHARE = 0.05
_BUCKETS = 20
"""Number of buckets of two quantile histograms of ten buckets each."""


@dataclasses.dataclass(frozen=True)
class Reference:
    """Statistics with which a log is compared.

    Attributes:
        kind: `drift` for an earlier log, `skew` for requests.
        statistics: `DatasetFeatureStatisticsList` of the reference.
        name: Name of the reference in anomalies.
    """

    kind: Literal["drift", "skew"]
    statistics: Any
    name: str


def compare_with_reference(
    statistics: Any, reference: Reference, labels: Collection[str], checks: DataChecks
) -> list[Anomaly]:
    """Compares statistics with those of an earlier log, or of requests.

    Args:
        statistics: `DatasetFeatureStatisticsList` of the log.
        reference: Statistics to compare with; requests have no labels.
        labels: Names of the label columns.
        checks: Bounds.

    Returns:
        The anomalies, by column.
    """
    ours, theirs = columns_of(statistics), columns_of(reference.statistics)
    names = [name for name in ours if name not in checks.ignore and (name in theirs or name not in labels)]
    anomalies: list[Anomaly] = []
    distances = _distances(statistics, reference, {name: ours[name] for name in names}, theirs, checks)
    for name in names:
        column, other = ours[name], theirs.get(name)
        found = list(_missing(column, other, reference, checks))
        if other is not None and column.filled and other.filled:
            if name in labels:
                found += compare_labels(column, other.mean, other.rows, other.std, reference.name, checks)
            found += _known(column, other, reference, checks)
            if not found and name in distances:
                found.append(distances[name])
        anomalies += found
    return anomalies


def _missing(
    column: ColumnStatistics, other: ColumnStatistics | None, reference: Reference, checks: DataChecks
) -> Iterator[Anomaly]:
    if checks.max_missing_change is None:
        return
    share, expected = column.filled_share, other.filled_share if other is not None else 0.0
    rows = other.rows if other is not None else math.inf
    error = math.hypot(share_error(share, column.rows), share_error(expected, rows))
    bound = checks.max_missing_change + checks.standard_errors * error
    if abs(share - expected) > bound:
        low, high = max(0.0, expected - bound), min(1.0, expected + bound)
        text = f"a value in {low:.1%} to {high:.1%} of rows, by {expected:.1%} in {reference.name}"
        yield Anomaly(column.name, "max_missing_change", text, f"in {share:.1%}", "Look at what writes the column.")


def _known(
    column: ColumnStatistics, other: ColumnStatistics, reference: Reference, checks: DataChecks
) -> Iterator[Anomaly]:
    """Compares the share of the reference's frequent values in both; for columns of many values, such as ids."""
    if column.type != BYTES or other.distinct <= MAX_DOMAIN or checks.min_known is None:
        return
    enough = max(_FREQUENT, _FREQUENT_SHARE * other.values)
    frequent = {value: count for value, count in other.counts.items() if count >= enough}
    expected = sum(frequent.values()) / other.values
    if expected < _MIN_FREQUENT_SHARE:
        return
    share = sum(count for value, count in column.counts.items() if value in frequent) / column.values
    bound = checks.min_known * expected - checks.standard_errors * share_error(
        checks.min_known * expected, column.filled
    )
    if share < bound:
        text = f"values that are frequent in {reference.name} in at least {bound:.1%} of rows"
        advice = "Are the ids written in another form? If they are right, run again with --accept."
        yield Anomaly(column.name, "min_known", text, f"in {share:.1%}", advice)


def _distances(
    statistics: Any,
    reference: Reference,
    columns: dict[str, ColumnStatistics],
    others: dict[str, ColumnStatistics],
    checks: DataChecks,
) -> dict[str, Anomaly]:
    """Returns the anomalies of TFDV's comparators by column."""
    bounds = _bounds(reference, checks)
    schema = tfdv.infer_schema(statistics, infer_feature_shape=False, max_string_domain_size=0)
    for feature in schema.feature:
        column, other = columns.get(feature.name), others.get(feature.name)
        if column is None or other is None or not (column.filled and other.filled):
            continue
        bound = bounds[column.type == BYTES][1]
        if column.type == other.type and not _is_rate(column, other) and bound is not None:
            comparator = feature.drift_comparator if reference.kind == "drift" else feature.skew_comparator
            _set_threshold(comparator, column, other, bound, checks.standard_errors)
    argument = "previous_statistics" if reference.kind == "drift" else "serving_statistics"
    found = tfdv.validate_statistics(statistics, schema, **{argument: reference.statistics})
    anomalies = {}
    for info in found.drift_skew_info:
        name = info.path.step[0]
        check = bounds[columns[name].type == BYTES][0]
        for one in (*info.drift_measurements, *info.skew_measurements):
            if one.value > one.threshold:
                distance = "L-infinity distance" if columns[name].type == BYTES else "Jensen-Shannon divergence"
                expected = f"a {distance} to {reference.name} of at most {one.threshold:.3f}"
                received = f"{one.value:.3f}; {_change(columns[name], others[name])}"
                anomalies[name] = Anomaly(name, check, expected, received, _ADVICE[reference.kind])
    return anomalies


_ADVICE = {
    "drift": "If the change is right, run again with --accept.",
    "skew": "Is the feature computed in one way for the log and for requests?",
}


def _bounds(reference: Reference, checks: DataChecks) -> tuple[tuple[str, float | None], ...]:
    """Returns name and value of the bounds of numbers and of categories."""
    names = ("max_number_drift", "max_drift") if reference.kind == "drift" else ("max_number_skew", "max_skew")
    return tuple((name, getattr(checks, name)) for name in names)


def _is_rate(column: ColumnStatistics, other: ColumnStatistics) -> bool:
    """Returns True for a binary label: its distribution is its rate, which `compare_labels` compares."""
    return column.type == INT and max(column.proto.num_stats.max, other.proto.num_stats.max) <= 1


def _set_threshold(
    comparator: Any, column: ColumnStatistics, other: ColumnStatistics, bound: float, standard_errors: float
) -> None:
    """Sets the threshold of a distance: the bound, and what distance two samples of one distribution may have.

    The L-infinity norm has a standard error of at most that of the difference of the largest share `p`. The divergence
    of two histograms of `k` buckets over `n` and `m` rows is about `X (1 / n + 1 / m) / (8 log 2)`, where `X` has the
    chi-squared distribution of `k - 1` degrees of freedom.
    """
    rows = 1 / max(column.filled, 1) + 1 / max(other.filled, 1)
    if column.type == BYTES:
        share = min(0.5, max(column.largest_share, other.largest_share))
        comparator.infinity_norm.threshold = bound + standard_errors * math.sqrt(share * (1 - share) * rows)
        return
    deviations = _BUCKETS + standard_errors * math.sqrt(2 * _BUCKETS)
    divergence = comparator.jensen_shannon_divergence
    divergence.threshold = bound + deviations * rows / (8 * math.log(2))
    divergence.source.type = divergence.source.QUANTILES


def _change(column: ColumnStatistics, other: ColumnStatistics) -> str:
    """Describes the largest change: of the share of a value, or of the median."""
    if column.type != BYTES:
        return f"median {column.proto.num_stats.median:g} instead of {other.proto.num_stats.median:g}"
    changes = column.share_changes(other)
    value = max(changes, key=lambda one: changes[one])
    now, before = column.shares.get(value, 0.0), other.shares.get(value, 0.0)
    return f"{value}: {now:.1%} of values instead of {before:.1%}"
