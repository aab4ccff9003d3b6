"""Times as people and programs write them, as microseconds since 1970-01-01T00:00:00Z."""

import datetime
import re

TIME_PATTERN = (
    r"^(?P<year>\d{4})(?:[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})|(?P<month2>\d{2})(?P<day2>\d{2}))"
    r"(?:[T ]+(?P<hour>\d{1,2}):?(?P<minute>\d{2})(?::?(?P<second>\d{2})(?:[.,](?P<fraction>\d+))?)?"
    r" ?(?P<zone>Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?)?$"
)
"""Regular expression of a date, or of a date with a time, in the syntax that Python and RE2 share."""

DIGITS_PATTERN = r"^\d{8,19}(?:\.\d+)?$"
"""Regular expression of a time as one number."""

UNITS = {9: 1_000_000, 10: 1_000_000, 11: 1_000_000, 13: 1_000, 16: 1}
"""Microseconds of a unit of a number, by the number's digits: seconds, milliseconds or microseconds since 1970."""

NANOSECOND_DIGITS = 19
"""Number of digits of a time in nanoseconds since 1970."""

COMPACT_DIGITS = (8, 12, 14)
"""Numbers of digits of YYYYMMDD, YYYYMMDDhhmm and YYYYMMDDhhmmss."""

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MICROSECOND = datetime.timedelta(microseconds=1)


def parse_time(value: str | float) -> int | None:
    """Parses a time.

    Accepted are a date (`2026-11-18`, `2026/11/8`, `20261118`), a date with a time of day (`2026-11-18 10:00`,
    `2026-11-18T10:00:00.25+01:00`, `20261118100000`), and the seconds, milliseconds, microseconds or nanoseconds since
    1970-01-01, which are distinguished by the number of digits. A time without a zone is in UTC. Dates that begin with
    the day or the month, such as 11/18/2026, are ambiguous and not accepted.

    Args:
        value: Text or number.

    Returns:
        Microseconds since 1970-01-01T00:00:00Z, or None if the value is not a time.

    Example:
        >>> from tfmtl.times import parse_time
        >>> parse_time("1970-01-01 01:00:00.5+01:00")
        500000
        >>> parse_time(1763459999) == parse_time("2025-11-18T09:59:59Z")
        True
        >>> parse_time("next week") is None
        True
    """
    text = (f"{value:.6f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)).strip()
    if re.match(DIGITS_PATTERN, text):
        return _parse_digits(text)
    match = re.match(TIME_PATTERN, text, re.ASCII)
    return _from_parts(match.groupdict()) if match else None


def _parse_digits(text: str) -> int | None:
    digits, _, fraction = text.partition(".")
    if len(digits) in COMPACT_DIGITS:
        match = None if fraction else re.match(TIME_PATTERN, f"{digits[:8]} {digits[8:]}".strip(), re.ASCII)
        return _from_parts(match.groupdict()) if match else None
    if len(digits) == NANOSECOND_DIGITS:
        return int(digits) // 1000
    unit = UNITS.get(len(digits))
    return None if unit is None else int(digits) * unit + int((fraction + "0" * 6)[:6]) * unit // 1_000_000


def _from_parts(parts: dict[str, str | None]) -> int | None:
    year, month, day = (int(parts[name] or parts.get(f"{name}2") or 0) for name in ("year", "month", "day"))
    hour, minute, second = (int(parts[name] or 0) for name in ("hour", "minute", "second"))
    microsecond = int(((parts["fraction"] or "") + "0" * 6)[:6])
    try:
        moment = datetime.datetime(year, month, day, hour, minute, second, microsecond, datetime.UTC)
    except ValueError:
        return None
    return (moment - _EPOCH) // _MICROSECOND - zone_seconds(parts["zone"] or "") * 1_000_000


def zone_seconds(zone: str) -> int:
    """Returns the offset of a zone from UTC in seconds.

    Args:
        zone: `Z`, `UTC`, `GMT`, an offset such as `+01:00`, `+0100` or `-05`, or nothing.

    Example:
        >>> from tfmtl.times import zone_seconds
        >>> zone_seconds("-05:30")
        -19800
    """
    if zone[:1] not in ("+", "-"):
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    return (1 if zone[0] == "+" else -1) * (int(digits[:2]) * 3600 + int(digits[2:]) * 60)
