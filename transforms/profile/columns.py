"""Profiles of columns: missing, distinct and most frequent values, and whether values are numbers, times or lists."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.batches.column_types import format_values, is_missing
from transforms.batches.parsing import boolean_mask, parse_numbers
from transforms.batches.times import parse_times

NULL_TOKENS = ("NULL", "null", "\\N", "NaN", "nan", "NA", "N/A", "n/a", "None", "none", "?", "(null)", "<null>", "#N/A")
"""Texts by which programs write a missing value."""
_SEPARATORS = ("|", ";", ",", " ")
_UNREADABLE = {
    "decimal comma": r"^ *[+-]?\d{1,3}(\.?\d{3})*,\d+ *$",
    "ambiguous date": r"^ *\d{1,2}([/.-])\d{1,2}[/.-]\d{4}( .*)?$",
}
"""Pattern of texts that a person reads as a number or a date and this library does not, by their kind."""
_TOP = 3
_MIN_MOMENT, _MAX_MOMENT = (int(np.datetime64(day, "us").astype(np.int64)) for day in ("1980-01-01", "2100-01-01"))


@dataclasses.dataclass(frozen=True)
class ColumnProfile:
    """Profile of one column of a sample.

    Attributes:
        name: Name of the column.
        kind: Kind of the values: `number`, `integer`, `time`, `list`, `text` or `empty`; `decimal comma` for numbers
            such as 5,53, and `ambiguous date` for dates such as 11/08/2026, neither of which can be read.
        rows: Number of rows.
        missing: Number of rows without a value.
        distinct: Number of distinct values; of a list, of its tokens.
        top: Most frequent values, each with its number of rows.
        null_tokens: Values that usually mean a missing value, with their numbers of rows; they are not in `missing`.
        separator: Separator of a list in a text; empty for a list of its own type.
        lengths: Median, 99 % quantile and maximum of a list's length; zeros otherwise.
        numbers: Values as numbers, NaN where there is none, for `number` and `integer`.
        moments: Values as microseconds since 1970, for `time`; other columns have none.
        is_float_list: Whether all tokens of a list are numbers, of which some have a fraction.
        vector_length: Length of all lists that have values, if these are numbers with a fraction of which some are
            negative, as those of an embedding; 0 otherwise.
    """

    name: str
    kind: str
    rows: int
    missing: int
    distinct: int
    top: tuple[tuple[str, int], ...]
    null_tokens: tuple[tuple[str, int], ...] = ()
    separator: str = ""
    lengths: tuple[int, int, int] = (0, 0, 0)
    numbers: np.ndarray | None = None
    moments: np.ndarray | None = None
    is_float_list: bool = False
    vector_length: int = 0


def profile_column(name: str, column: pa.Array) -> ColumnProfile:
    """Profiles one column.

    Args:
        name: Name of the column.
        column: Values as a reader returns them.
    """
    if pa.types.is_list(column.type):
        return _profile_list(name, column, "")
    column = _without_blank(column)
    missing = is_missing(column)
    if missing.all():
        return ColumnProfile(name, "empty", len(column), int(missing.sum()), 0, ())
    texts = format_values(column)
    counts = _counts(texts)
    nulls = tuple((value, count) for value, count in counts if value in NULL_TOKENS)
    if pa.types.is_string(column.type) and nulls:
        tokens = pa.array([value for value, _ in nulls])
        kept = pc.if_else(pc.is_in(column, value_set=tokens), None, column)
    else:
        kept = column
    common = (name, len(column), int(missing.sum()), len(counts), tuple(counts[:_TOP]), nulls)
    if is_missing(kept).all():
        return _build("text", *common)
    if (moments := _moments(name, kept)) is not None:
        return _build("time", *common, moments=moments)
    if not _is_temporal(kept):
        numbers, invalid = parse_numbers(kept)
        if not invalid.any():
            is_integer = bool(np.all(numbers[~np.isnan(numbers)] % 1 == 0))
            return _build("integer" if is_integer else "number", *common, numbers=numbers)
    for kind, pattern in _UNREADABLE.items():
        if pa.types.is_string(kept.type) and _all_match(kept, pattern):
            return _build(kind, *common)
    if pa.types.is_string(kept.type) and (separator := _find_separator(kept)):
        return _profile_list(name, pc.split_pattern(kept, separator), separator, nulls)
    return _build("text", *common)


def _build(
    kind: str,
    name: str,
    rows: int,
    missing: int,
    distinct: int,
    top: tuple[tuple[str, int], ...],
    nulls: tuple[tuple[str, int], ...],
    numbers: np.ndarray | None = None,
    moments: np.ndarray | None = None,
) -> ColumnProfile:
    return ColumnProfile(name, kind, rows, missing, distinct, top, nulls, numbers=numbers, moments=moments)


def _without_blank(column: pa.Array) -> pa.Array:
    if not pa.types.is_string(column.type):
        return column
    return pc.if_else(pc.match_substring_regex(column, r"^[ \t]*$"), None, column)


def _counts(texts: pa.Array) -> list[tuple[str, int]]:
    """Returns the distinct values with their numbers of rows, the most frequent first."""
    counted = pc.value_counts(texts.drop_null())
    values, counts = counted.field("values").to_pylist(), counted.field("counts").to_pylist()
    return sorted(zip(values, counts, strict=True), key=lambda pair: -pair[1])


def _moments(name: str, column: pa.Array) -> np.ndarray | None:
    """Returns the moments of a column of times, or None if it holds other values.

    Numbers are times if all of them are in a plausible range of years and the column's name speaks of a time, or if
    they have the digits of milliseconds or more.
    """
    present = column.drop_null()
    if pa.types.is_boolean(column.type) or (pa.types.is_floating(column.type) and not len(present)):
        return None
    if parse_times(present.slice(0, 1000))[1].any():
        return None
    is_number = not _is_temporal(column) and not parse_numbers(present.slice(0, 1000))[1].any()
    moments, invalid = parse_times(column)
    valid = moments[~invalid]
    if len(valid) < len(present) or valid.min() < _MIN_MOMENT or valid.max() > _MAX_MOMENT:
        return None
    if is_number and not any(word in name.lower() for word in ("time", "date", "day", "ts", "stamp", "_at", "dt")):
        return None
    return moments


def _all_match(column: pa.Array, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(column, pattern)).as_py())


def _find_separator(column: pa.Array) -> str:
    """Returns the separator of the lists that the texts of a column are; empty if they are not lists."""
    distinct = column.drop_null().unique()
    for separator in _SEPARATORS:
        contains = boolean_mask(pc.match_substring(column.drop_null(), separator))
        if contains.mean() < 0.2:
            continue
        tokens = pc.list_flatten(pc.split_pattern(distinct, separator))
        vocabulary = tokens.unique()
        if separator in ", " and not _are_plain(vocabulary, separator):
            continue
        if len(vocabulary) <= 0.8 * len(tokens) and len(vocabulary) < 3 * len(distinct):
            return separator
    return ""


def _are_plain(tokens: pa.Array, separator: str) -> bool:
    """Returns whether tokens are ids rather than words of a sentence."""
    pattern = r"^\d+$" if separator == " " else r"^[A-Za-z0-9_.:-]*$"
    return _all_match(tokens, pattern)


def _profile_list(name: str, column: pa.Array, separator: str, nulls: Sequence[tuple[str, int]] = ()) -> ColumnProfile:
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    values = pc.list_flatten(column)
    counts = _counts(format_values(values))
    numbers, invalid = (np.zeros(0), np.ones(1, bool)) if _is_temporal(values) else parse_numbers(values)
    is_float = len(numbers) > 0 and not invalid.any() and bool(np.any(numbers[~np.isnan(numbers)] % 1 != 0))
    if separator == "" and len(column) and lengths.max(initial=0) <= 1:  # A single value in a list, as in TFRecords.
        index = np.where(lengths == 1, np.cumsum(lengths) - 1, 0)
        return profile_column(name, values.take(pa.array(index, mask=lengths == 0)))
    present = np.append(lengths[lengths > 0], 0) if not lengths.any() else lengths[lengths > 0]
    median, most, longest = (int(np.quantile(present, share, method="higher")) for share in (0.5, 0.99, 1.0))
    missing = int((lengths == 0).sum())
    return ColumnProfile(
        name,
        "list",
        rows=len(column),
        missing=missing,
        distinct=len(counts),
        top=tuple(counts[:_TOP]),
        null_tokens=tuple(nulls),
        separator=separator,
        lengths=(median, most, longest),
        is_float_list=is_float,
        vector_length=longest if is_float and present.min() == longest and bool(np.any(numbers < 0)) else 0,
    )


def _is_temporal(column: pa.Array) -> bool:
    return bool(pa.types.is_date(column.type) or pa.types.is_timestamp(column.type))
