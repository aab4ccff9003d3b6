"""TFDV schema of a log: inference from statistics, storage as text, and update of the columns that have changed."""

import math
import pathlib
import re
from collections.abc import Collection, Mapping
from typing import Any

import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from pipelines.data_checks.column_statistics import BYTES, FLOAT, ColumnStatistics, columns_of, share_error
from pipelines.data_checks.options import DataChecks
from tfmtl.config import ConfigError

MAX_DOMAIN = 100
"""Largest number of values in the domain of a column; a column with more values has none."""
_MAX_UNSEEN = 0.05
"""Largest estimated share of unseen values of a column with a domain."""
_RANGE_FACTOR = 10
_MEAN = re.compile(r"mean ([-+.\deE]+) of (\d+) rows, deviation ([-+.\deE]+)")
_MIN_NUMBERS = 50
"""Number of numbers from which their range is known."""
_HEADER = """\
# Schema of a log (TensorFlow Data Validation), written by `tfmtl schema` for review and version control. `tfmtl run`
# compares the log with it. presence.min_fraction: smallest share of rows with a value. min_domain_mass: smallest share
# of values in the domain. float_domain: range of the numbers. Tag `mean`: mean of a label.
"""


def infer_schema(statistics: Any, labels: Collection[str], checks: DataChecks) -> Any:
    """Infers a schema from statistics.

    It has the type of each column; the smallest share of rows with a value; a domain for columns with at most
    `MAX_DOMAIN` values; a range for numbers, ten times as wide as that of the log; and, as a tag, the mean of each
    label.

    Args:
        statistics: `DatasetFeatureStatisticsList` of the log.
        labels: Names of the label columns.
        checks: Bounds, which the shares of the schema include.

    Returns:
        A `schema_pb2.Schema`.
    """
    schema = tfdv.infer_schema(statistics, infer_feature_shape=False, max_string_domain_size=0)
    columns = columns_of(statistics)
    del schema.string_domain[:]
    for feature in schema.feature:
        column = columns[feature.name]
        for field in ("value_count", *filter(None, [feature.WhichOneof("domain_info")])):
            feature.ClearField(field)  # The spec checks lengths and labels, and tokens such as "7" are no integers.
        _set_presence(feature, column, checks)
        if column.type == BYTES:
            _set_domain(schema, feature, column, checks)
        elif column.type == FLOAT and column.filled >= _MIN_NUMBERS:
            number = column.proto.num_stats
            feature.float_domain.min = _widened(number.min, downward=True)
            feature.float_domain.max = _widened(number.max, downward=False)
        if feature.name in labels:
            feature.annotation.tag.append(f"mean {column.mean:.6g} of {column.rows} rows, deviation {column.std:.6g}")
    return schema


def label_mean(feature: Any) -> tuple[float, int, float] | None:
    """Returns mean, number of rows and standard deviation of a label in a schema; None for another column.

    Raises:
        ConfigError: If the column's tag has another form.
    """
    tags = [tag for tag in feature.annotation.tag if tag.startswith("mean")]
    if not tags:
        return None
    found = _MEAN.fullmatch(tags[0])
    if found is None:
        raise ConfigError(
            f"schema: {feature.name}: tag should be 'mean X of N rows, deviation S'. Received: {tags[0]!r}"
        )
    return float(found[1]), int(found[2]), float(found[3])


def update_schema(schema: Any, inferred: Any, names: Collection[str]) -> Any:
    """Returns a schema in which some columns are replaced by those of an inferred one.

    Args:
        schema: Schema, which is not changed.
        inferred: Schema that `infer_schema` returned.
        names: Names of the columns to replace, to add, or, if the inferred schema lacks them, to remove.
    """
    features = {feature.name: feature for feature in schema.feature}
    domains = {domain.name: domain for domain in schema.string_domain}
    new_features = {feature.name: feature for feature in inferred.feature}
    new_domains = {domain.name: domain for domain in inferred.string_domain}
    for name in names:
        features.pop(name, None)
        domains.pop(name, None)
        if name in new_features:
            features[name] = new_features[name]
        if name in new_domains:
            domains[name] = new_domains[name]
    updated = schema_pb2.Schema()
    updated.CopyFrom(schema)
    del updated.feature[:]
    del updated.string_domain[:]
    updated.feature.extend(_in_order(features, [feature.name for feature in schema.feature]))
    updated.string_domain.extend(_in_order(domains, [domain.name for domain in schema.string_domain]))
    return updated


def format_schema(schema: Any) -> str:
    """Returns a schema as the text of its file."""
    return _HEADER + str(text_format.MessageToString(schema))


def parse_schema(text: str, source: str = "schema") -> Any:
    """Builds a schema from the text of its file.

    Args:
        text: Text of a `schema_pb2.Schema`.
        source: Name of the file in errors.

    Raises:
        ConfigError: If the text is not a schema; the message names the line.
    """
    try:
        return text_format.Parse(text, schema_pb2.Schema())
    except text_format.ParseError as error:
        raise ConfigError(
            f"{source}: should be a TFDV schema as text. Received: {error}. Infer it again: tfmtl schema --overwrite"
        ) from error


def schema_path(settings_path: str | pathlib.Path) -> pathlib.Path:
    """Returns the path of the schema of a settings file: `shop.schema.pbtxt` beside `shop.yaml`."""
    path = pathlib.Path(settings_path)
    return path.with_name(f"{path.stem}.schema.pbtxt")


def _set_presence(feature: Any, column: ColumnStatistics, checks: DataChecks) -> None:
    feature.presence.Clear()
    if checks.max_missing_change is not None:
        share = column.filled_share
        slack = checks.max_missing_change + checks.standard_errors * share_error(share, column.rows)
        feature.presence.min_fraction = round(max(0.0, share - slack), 4)


def _set_domain(schema: Any, feature: Any, column: ColumnStatistics, checks: DataChecks) -> None:
    """Adds the values and their smallest share, unless there are too many or too many that are not seen yet."""
    is_small = 0 < column.distinct <= MAX_DOMAIN and column.unseen_share <= _MAX_UNSEEN
    if not is_small or checks.max_unknown is None:
        return
    schema.string_domain.add(name=feature.name, value=sorted(column.counts))
    feature.domain = feature.name
    slack = column.unseen_share + checks.standard_errors * share_error(column.unseen_share, column.values)
    feature.distribution_constraints.min_domain_mass = round(max(0.0, 1 - checks.max_unknown - slack), 4)


def _widened(bound: float, downward: bool) -> float:
    """Returns the bound of a range that is ten times as wide, rounded to two digits outward."""
    factor = 1 / _RANGE_FACTOR if downward == (bound > 0) else _RANGE_FACTOR
    value = bound * factor
    if not value or not math.isfinite(value):
        return value
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    return float(f"{(math.floor if downward else math.ceil)(value / unit) * unit:.6g}")


def _in_order(items: Mapping[str, Any], names: Collection[str]) -> list[Any]:
    """Returns the items in the order of the names, then the others."""
    known = [name for name in names if name in items]
    return [items[name] for name in (*known, *(name for name in items if name not in known))]
