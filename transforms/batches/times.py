"""Columns of times of any type, as microseconds since 1970-01-01T00:00:00Z."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfmtl.times import COMPACT_DIGITS, DIGITS_PATTERN, NANOSECOND_DIGITS, TIME_PATTERN, UNITS, zone_seconds

EXPECTED = "a time, such as 2026-11-18, 2026-11-18 10:00:00+01:00 or seconds since 1970"
"""Description of a valid time for messages."""
_PARTS = ("year", "month", "day", "hour", "minute", "second")
_DAY = 86_400
_SECOND = 1_000_000


def parse_times(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Parses times as `tfmtl.times.parse_time` does.

    Args:
        column: Dates, timestamps, numbers, or strings. Timestamps without a time zone are in UTC.

    Returns:
        Microseconds since 1970, int64, 0 where there is none, and the mask of the values that are not a time, null
        included, bool; both of shape `(rows,)`.
    """
    types, column_type = pa.types, column.type
    if types.is_date(column_type) or types.is_timestamp(column_type):
        unit = None if types.is_date(column_type) else column_type.unit
        naive = column if unit is None else column.cast(pa.timestamp(unit))
        moments = naive.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
        return pc.fill_null(moments, 0).to_numpy(zero_copy_only=False), _mask(column.is_null())
    if types.is_floating(column_type):
        values = column.to_numpy(zero_copy_only=False)
        text = [None if np.isnan(value) else f"{value:.6f}".rstrip("0").rstrip(".") for value in values]
        column = pa.array(text, pa.string())
    elif not types.is_string(column_type):
        column = column.cast(pa.string())
    return _parse_strings(pc.utf8_trim_whitespace(column))


def _parse_strings(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    is_digits = _mask(pc.match_substring_regex(column, DIGITS_PATTERN))
    length = pc.fill_null(pc.find_substring(column, "."), -1).to_numpy(zero_copy_only=False)
    total = pc.fill_null(pc.binary_length(column), 0).to_numpy(zero_copy_only=False)
    length = np.where(length >= 0, length, total)
    is_compact = is_digits & np.isin(length, COMPACT_DIGITS) & (total == length)
    spaced = pc.utf8_trim_whitespace(
        pc.binary_join_element_wise(pc.utf8_slice_codeunits(column, 0, 8), pc.utf8_slice_codeunits(column, 8, 20), " ")
    )
    moments, invalid = _parse_parts(pc.if_else(pa.array(is_compact), spaced, column))
    is_epoch = is_digits & ~np.isin(length, COMPACT_DIGITS)
    if is_epoch.any():
        moments[is_epoch], invalid[is_epoch] = _parse_epochs(column.filter(pa.array(is_epoch)), length[is_epoch])
    invalid |= is_digits & np.isin(length, COMPACT_DIGITS) & ~is_compact
    return np.where(invalid, 0, moments), invalid


def _parse_epochs(column: pa.Array, digits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Parses numbers of seconds, milliseconds, microseconds or nanoseconds."""
    parts = pc.extract_regex(column, r"^(?P<whole>\d+)(?:\.(?P<fraction>\d+))?$")
    whole = parts.field("whole").cast(pa.int64()).to_numpy(zero_copy_only=False)
    fraction = _microseconds(parts.field("fraction"))
    moments, invalid = whole // 1000, digits != NANOSECOND_DIGITS
    for count, unit in UNITS.items():
        has_unit = digits == count
        moments = np.where(has_unit, whole * unit + fraction * unit // _SECOND, moments)
        invalid &= ~has_unit
    return moments, invalid


def _parse_parts(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Parses dates and dates with times of day."""
    parts = pc.extract_regex(column, TIME_PATTERN)
    invalid = _mask(parts.is_null())
    year, month, day, hour, minute, second = (_integers(parts.field(name)) for name in _PARTS)
    month, day = month + _integers(parts.field("month2")), day + _integers(parts.field("day2"))
    invalid |= (year < 1) | (month < 1) | (month > 12) | (hour > 23) | (minute > 59) | (second > 59)
    months = (np.where(invalid, 1970, year) - 1970) * 12 + np.where(invalid, 1, month) - 1
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    following = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    invalid |= (day < 1) | (day > following - first)
    seconds = (first + day - 1) * _DAY + hour * 3600 + minute * 60 + second - _zones(parts.field("zone"))
    return seconds * _SECOND + _microseconds(parts.field("fraction")), invalid


def _integers(texts: pa.Array) -> np.ndarray:
    numbers = pc.if_else(pc.equal(pc.fill_null(texts, ""), ""), "0", texts).cast(pa.int64())
    result: np.ndarray = numbers.to_numpy(zero_copy_only=False)
    return result


def _microseconds(fraction: pa.Array) -> np.ndarray:
    """Converts the digits of a fraction to microseconds; further digits are omitted."""
    padded = pc.utf8_rpad(pc.fill_null(fraction, ""), 6, "0")
    return _integers(pc.utf8_slice_codeunits(padded, 0, 6))


def _zones(zone: pa.Array) -> np.ndarray:
    """Returns the offsets from UTC in seconds."""
    encoded = pc.fill_null(zone, "").dictionary_encode()
    offsets = np.array([zone_seconds(text) for text in encoded.dictionary.to_pylist()] or [0], np.int64)
    result: np.ndarray = offsets[encoded.indices.to_numpy(zero_copy_only=False)]
    return result


def _mask(condition: pa.Array) -> np.ndarray:
    mask: np.ndarray = pc.fill_null(condition, False).to_numpy(zero_copy_only=False)
    return mask
