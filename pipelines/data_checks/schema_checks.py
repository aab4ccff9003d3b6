"""Comparison of a log's statistics with a schema: types, shares of missing and unknown values, ranges and labels."""

from collections.abc import Iterator
from typing import Any

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from pipelines.data_checks.anomalies import Anomaly
from pipelines.data_checks.column_statistics import ColumnStatistics, columns_of, share_error
from pipelines.data_checks.labels import compare_labels
from pipelines.data_checks.options import DataChecks
from pipelines.data_checks.schema import label_mean

_UNKNOWN = "ENUM_TYPE_UNEXPECTED_STRING_VALUES"
_MISSING = ("FEATURE_TYPE_LOW_FRACTION_PRESENT", "FEATURE_TYPE_NOT_PRESENT", "FEATURE_TYPE_NO_VALUES")
_SHOWN_VALUES = 3
_RENAMED = "If the new values are right, run again with --accept"


def compare_with_schema(statistics: Any, schema: Any, checks: DataChecks) -> list[Anomaly]:
    """Compares statistics with a schema, by TFDV where it has the check.

    TFDV's bounds on shares are widened by the standard errors of a log of this size. TFDV refuses a log for one number
    out of range, so that the share of such numbers is bounded here instead.

    Args:
        statistics: `DatasetFeatureStatisticsList` of the log.
        schema: Schema, as `pipelines.data_checks.schema.infer_schema` returns it or as edited by its user.
        checks: Bounds.

    Returns:
        The anomalies, by column.
    """
    columns = columns_of(statistics)
    relaxed = _relax(schema, columns, checks)
    found = tfdv.validate_statistics(statistics, relaxed)
    anomalies = list(_tfdv_anomalies(found, relaxed, columns, checks))
    for feature in schema.feature:
        if feature.name in columns and feature.name not in checks.ignore:
            anomalies += _own_checks(feature, columns[feature.name], checks)
    return anomalies


def _relax(schema: Any, columns: dict[str, ColumnStatistics], checks: DataChecks) -> Any:
    """Returns the schema with bounds for a log of this size, and without ranges of numbers."""
    relaxed = schema_pb2.Schema()
    relaxed.CopyFrom(schema)
    for feature in relaxed.feature:
        if feature.HasField("float_domain"):
            feature.ClearField("float_domain")
        column = columns.get(feature.name)
        if column is None:
            continue
        share = feature.presence.min_fraction
        if share:
            low = share - checks.standard_errors * share_error(share, column.rows)
            feature.presence.min_fraction = max(0.0, low)
        constraints = feature.distribution_constraints
        if feature.HasField("distribution_constraints"):
            mass = constraints.min_domain_mass
            low = mass - checks.standard_errors * share_error(mass, column.values)
            constraints.min_domain_mass = max(0.0, low)
    return relaxed


def _tfdv_anomalies(
    found: Any, schema: Any, columns: dict[str, ColumnStatistics], checks: DataChecks
) -> Iterator[Anomaly]:
    features = {feature.name: feature for feature in schema.feature}
    domains = {domain.name: set(domain.value) for domain in schema.string_domain}
    for key, info in found.anomaly_info.items():
        name = info.path.step[0] if info.path.step else key
        if name in checks.ignore:
            continue
        for reason in info.reason:
            kind = anomalies_pb2.AnomalyInfo.Type.Name(reason.type)
            if kind == _UNKNOWN and name in columns:
                if checks.max_unknown is not None:
                    feature = features[name]
                    yield _unknown(columns[name], domains.get(feature.domain, set()), feature)
            elif kind in _MISSING:
                if checks.max_missing_change is not None:
                    yield _missing(name, columns.get(name), features[name])
            elif kind == "SCHEMA_NEW_COLUMN":
                yield Anomaly(name, "type", "no such column in the schema", "a column", f"{_RENAMED}.")
            elif kind == "SCHEMA_MISSING_COLUMN":
                advice = "If the spec no longer has it, run again with --accept."
                yield Anomaly(name, "type", "the column of the schema", "no such column", advice)
            else:
                advice = "If the spec has changed the column's kind, run again with --accept."
                expected = schema_pb2.FeatureType.Name(features[name].type) if name in features else "as in the schema"
                received = columns[name].type if name in columns else "no column"
                if expected == received:
                    expected, received = "as in the schema", reason.description or reason.short_description
                yield Anomaly(name, "type", expected, received, advice)


def _unknown(column: ColumnStatistics, domain: set[str], feature: Any) -> Anomaly:
    others = {value: count for value, count in column.counts.items() if value not in domain}
    share = sum(others.values()) / max(column.values, 1)
    most = sorted(others, key=lambda value: -others[value])[:_SHOWN_VALUES]
    bound = 1 - feature.distribution_constraints.min_domain_mass
    received = f"{share:.1%}: {', '.join(most)}{', ...' if len(others) > len(most) else ''}"
    expected = f"at most {bound:.1%} of values outside the domain"
    return Anomaly(column.name, "max_unknown", expected, received, f"{_RENAMED}.")


def _missing(name: str, column: ColumnStatistics | None, feature: Any) -> Anomaly:
    expected = f"a value in at least {feature.presence.min_fraction:.1%} of rows"
    received = f"in {column.filled_share:.1%}" if column is not None else "no value"
    return Anomaly(name, "max_missing_change", expected, received, "Look at what writes the column.")


def _own_checks(feature: Any, column: ColumnStatistics, checks: DataChecks) -> Iterator[Anomaly]:
    label = label_mean(feature)
    if label is not None:
        yield from compare_labels(column, *label, "the schema", checks)
    if feature.HasField("float_domain") and checks.max_out_of_range is not None and column.filled:
        domain = feature.float_domain
        low = domain.min if domain.HasField("min") else float("-inf")
        high = domain.max if domain.HasField("max") else float("inf")
        share = column.share_outside(low, high)
        bound = checks.max_out_of_range + checks.standard_errors * share_error(share, column.filled)
        if share > bound:
            expected = f"{low:g} to {high:g} in all but {bound:.1%} of rows"
            number = column.proto.num_stats
            received = f"{share:.1%} outside; {number.min:g} to {number.max:g}, median {number.median:g}"
            yield Anomaly(column.name, "max_out_of_range", expected, received, "Has its unit changed?")
