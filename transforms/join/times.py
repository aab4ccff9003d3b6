"""Times of events in any unit and time zone, as microseconds since 1970-01-01T00:00:00Z."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfmtl.times import DIGITS_PATTERN
from transforms.batches.parsing import boolean_mask, parse_numbers
from transforms.batches.times import parse_times
from transforms.join.options import UNITS, EventLog

_UTC = "UTC"
_HAS_ZONE = r"(Z|UTC|GMT|[T ]+\d{1,2}:?\d{2}.*[+-]\d{2}(:?\d{2})?)$"


def event_times(column: pa.Array, log: EventLog) -> tuple[np.ndarray, np.ndarray]:
    """Parses the times of events.

    Args:
        column: Dates, timestamps, numbers, or strings.
        log: Log of the events, with the unit of numbers and the zone of times without one. Of a time that a clock shows
            twice, at the end of daylight saving time, the earlier one counts; one that it skips is the end of the gap.

    Returns:
        Microseconds since 1970, int64, and the mask of the values that are not a time, null included, bool; both of
        shape `(rows,)`.
    """
    if log.unit != "auto" and not (pa.types.is_date(column.type) or pa.types.is_timestamp(column.type)):
        return _numbers(column, UNITS[log.unit])
    times, invalid = parse_times(column)
    if log.zone == _UTC:
        return times, invalid
    times, local = times.copy(), _is_local(column) & ~invalid  # The values of a column cannot be written.
    moments = pa.array(times[local], pa.timestamp("us"))
    zoned = pc.assume_timezone(moments, log.zone, ambiguous="earliest", nonexistent="latest")
    times[local] = zoned.cast(pa.int64()).to_numpy(zero_copy_only=False)
    return times, invalid


def days(times: np.ndarray, zone: str) -> np.ndarray:
    """Returns the day of each time in a time zone, in days since 1970-01-01, int64.

    Args:
        times: Microseconds since 1970.
        zone: Name of the time zone.
    """
    if zone == _UTC:
        return times // 86_400_000_000
    moments = pa.array(times, pa.int64()).cast(pa.timestamp("us", zone))
    year, month, day = (part(moments).to_numpy(zero_copy_only=False) for part in (pc.year, pc.month, pc.day))
    first = ((year - 1970) * 12 + month - 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    numbers: np.ndarray = first + day - 1
    return numbers


def _numbers(column: pa.Array, unit: float) -> tuple[np.ndarray, np.ndarray]:
    if pa.types.is_integer(column.type):
        whole = pc.fill_null(column, 0).cast(pa.int64()).to_numpy(zero_copy_only=False)
        return _scaled(whole, unit), boolean_mask(column.is_null())
    numbers, invalid = parse_numbers(column)
    invalid = invalid | ~np.isfinite(numbers)
    if pa.types.is_string(column.type):  # Whole numbers of nanoseconds have more digits than a float.
        is_whole = boolean_mask(pc.match_substring_regex(column, r"^\d{1,19}$"))
        whole = np.zeros(len(numbers), np.int64)
        whole[is_whole] = column.filter(pa.array(is_whole)).cast(pa.int64()).to_numpy(zero_copy_only=False)
        return np.where(is_whole, _scaled(whole, unit), _scaled(np.where(invalid, 0, numbers), unit)), invalid
    return _scaled(np.where(invalid, 0, numbers), unit), invalid


def _scaled(numbers: np.ndarray, unit: float) -> np.ndarray:
    if numbers.dtype.kind == "f":
        rounded: np.ndarray = np.round(numbers * unit).astype(np.int64)
        return rounded
    return numbers // 1000 if unit < 1 else numbers * int(unit)


def _is_local(column: pa.Array) -> np.ndarray:
    """Returns the mask of the times that say no zone: dates and times of day without one, and naive timestamps."""
    if pa.types.is_timestamp(column.type):
        return np.full(len(column), column.type.tz is None)
    if pa.types.is_date(column.type):
        return np.ones(len(column), bool)
    if not pa.types.is_string(column.type):
        return np.zeros(len(column), bool)
    text = pc.utf8_trim_whitespace(column)
    digits = boolean_mask(pc.match_substring_regex(text, DIGITS_PATTERN))
    whole = pc.binary_length(text)
    is_compact = boolean_mask(pc.is_in(whole, pa.array([8, 12, 14], whole.type)))
    return np.where(digits, is_compact, ~boolean_mask(pc.match_substring_regex(text, _HAS_ZONE)))
