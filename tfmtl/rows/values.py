"""Conversion of columns of single values to tokens and numbers."""

import datetime
import decimal
import math
import re
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

Column: TypeAlias = Sequence[Any] | np.ndarray
"""Values of a column, one for each row."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NAN = re.compile(r"[+-]?nan", re.IGNORECASE | re.ASCII)
_MAX_FLOAT32 = float(np.finfo(np.float32).max)
_MAX_WHOLE = 2.0**53
_PANDAS_MISSING = ("NAType", "NaTType")
_PLAIN_NUMBERS: set[type] = {float, int, bool}
_FIRST_CONTROL = "\x00"


def to_tokens(column: Column) -> tuple[list[bytes], list[int]]:
    """Converts values to tokens.

    A string is its UTF-8 bytes. A whole number, of type int or float, is written in decimal, a boolean as true or
    false, a date or time by ISO 8601; times with a zone are converted to UTC and end in Z.

    Args:
        column: Values, one for each row. None, NaN, NA and NaT are missing.

    Returns:
        The tokens, b"" where the value is missing, and the indices of the values that are no tokens.

    Example:
        >>> to_tokens(["a", 12, 12.0, None, 1.5])
        ([b'a', b'12', b'12', b'', b''], [4])
    """
    values = _plain(column)
    try:
        joined = _FIRST_CONTROL.join(values).encode()
    except (TypeError, UnicodeEncodeError):  # Not all of them are strings.
        pass
    else:
        tokens = joined.split(b"\x00")
        if len(tokens) == len(values):
            return tokens, []
    tokens, invalid = [], []
    for index, value in enumerate(values):
        token = _token(value)
        tokens.append(token or b"")
        if token is None:
            invalid.append(index)
    return tokens, invalid


def to_numbers(column: Column) -> tuple[np.ndarray, list[int]]:
    """Converts values to numbers.

    Strings hold a number in decimal or scientific notation, with or without spaces around it. None, NaN, NA, blank
    strings and the string nan are missing.

    Args:
        column: Numbers, booleans or strings, one for each row.

    Returns:
        The numbers, float32, NaN where a value is missing, and the indices of the values that are not a number within
        the range of float32.

    Example:
        >>> to_numbers(["12.5", 3, None, "1,000"])
        (array([12.5,  3. ,  nan,  nan], dtype=float32), [3])
    """
    invalid: list[int] = []
    if isinstance(column, np.ndarray) and column.dtype.kind in "fiub":
        numbers = column.astype(np.float64)
    else:
        values = column.tolist() if isinstance(column, np.ndarray) else column
        if set(map(type, values)) <= _PLAIN_NUMBERS:
            numbers = _plain_numbers(list(values))
        else:
            found = [_number(value) for value in values]
            invalid = [index for index, number in enumerate(found) if number is None]
            numbers = np.array([math.nan if number is None else number for number in found], np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        outside = np.abs(numbers) > _MAX_FLOAT32
        if outside.any():
            invalid = sorted({*invalid, *np.flatnonzero(outside).tolist()})
            numbers = np.where(outside, math.nan, numbers)
        return numbers.astype(np.float32), invalid


def format_time(value: datetime.date | np.datetime64) -> str:
    """Formats a date or time by ISO 8601, as a log's columns of dates and times are read.

    Args:
        value: Date or time. A time with a zone is converted to UTC and ends in Z.

    Example:
        >>> format_time(np.datetime64("2026-11-18T10:00:00.500"))
        '2026-11-18T10:00:00.5'
    """
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value.isoformat()
    zone = ""
    if isinstance(value, datetime.datetime):
        if value.tzinfo is not None:
            zone, value = "Z", value.astimezone(datetime.UTC)
        nanoseconds = getattr(value, "nanosecond", 0)  # Only a time of pandas has some.
        value = np.datetime64(value.replace(tzinfo=None, **({"nanosecond": 0} if nanoseconds else {})), "ns")
        value += np.timedelta64(nanoseconds, "ns")
    text = str(value if np.datetime_data(value.dtype)[0] == "D" else value.astype("datetime64[ns]"))
    return (text.rstrip("0").rstrip(".") if "." in text else text) + zone


def is_missing(value: Any) -> bool:
    """Returns whether a value stands for a missing one: None, NaN, or NA and NaT of pandas."""
    if isinstance(value, float | np.floating):
        return math.isnan(value)
    if value is None or type(value).__name__ in _PANDAS_MISSING:
        return True
    return isinstance(value, np.datetime64) and bool(np.isnat(value))


def is_list(value: Any) -> bool:
    """Returns whether a value is a list: a list, a tuple, or an array of pandas or NumPy."""
    if isinstance(value, list | tuple):
        return True
    return hasattr(value, "tolist") and not isinstance(value, np.generic) and getattr(value, "ndim", 1) > 0


def as_list(value: Any) -> list[Any]:
    """Returns the items of a value for which `is_list` is true."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "M":
        return list(value)
    items: list[Any] = value.tolist() if hasattr(value, "tolist") else list(value)
    return items


def _plain(column: Column) -> list[Any]:
    """Returns a column as a list, in which whole numbers of an array are strings."""
    if not isinstance(column, np.ndarray):
        return list(column)
    kind = column.dtype.kind
    if kind == "f":
        missing = np.isnan(column)
        whole = np.where(missing, 0.0, column)
        if np.all((np.abs(whole) <= _MAX_WHOLE) & (np.floor(whole) == whole)):
            texts = list(map(str, whole.astype(np.int64).tolist()))
            for index in np.flatnonzero(missing).tolist():
                texts[index] = ""
            return texts
    if kind in "iu":
        return list(map(str, column.tolist()))
    values: list[Any] = list(column) if kind == "M" else column.tolist()  # `tolist` makes integers of nanoseconds.
    return values


def _plain_numbers(values: Sequence[Any]) -> np.ndarray:
    try:
        return np.array(values, np.float64)
    except OverflowError:
        return np.array([math.inf if abs(value) > _MAX_FLOAT32 else value for value in values], np.float64)


def _token(value: Any) -> bytes | None:
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError:
            return None
    if isinstance(value, bytes):
        return value
    if isinstance(value, bool | np.bool_):
        return b"true" if value else b"false"
    if isinstance(value, int | np.integer):
        return b"%d" % int(value)
    if is_missing(value):
        return b""
    if isinstance(value, float | np.floating):
        number = float(value)
        return b"%d" % int(number) if abs(number) <= _MAX_WHOLE and number.is_integer() else None
    if isinstance(value, datetime.date | np.datetime64):
        return format_time(value).encode()
    if is_list(value):
        items = as_list(value)
        return b"" if not items else _token(items[0]) if len(items) == 1 and not is_list(items[0]) else None
    return None


def _number(value: Any) -> float | None:
    """Returns a number, NaN for a missing value, and None for anything else."""
    if isinstance(value, float | int | np.number | np.bool_ | decimal.Decimal):
        try:
            return float(value)
        except (OverflowError, TypeError, ValueError):
            return None
    if isinstance(value, str | bytes):
        try:
            text = (value.decode() if isinstance(value, bytes) else value).strip()
        except UnicodeDecodeError:
            return None
        if not text or _NAN.fullmatch(text):
            return math.nan
        return float(text) if _NUMBER.fullmatch(text) else None
    if is_missing(value):
        return math.nan
    if is_list(value):
        items = as_list(value)
        return math.nan if not items else _number(items[0]) if len(items) == 1 and not is_list(items[0]) else None
    return None
