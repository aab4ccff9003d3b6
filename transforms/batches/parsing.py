"""Parsing of whole columns, of strings or of other Arrow types, into numbers, labels and lists."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.batches.column_types import format_values

_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_NAN = r"^[+-]?(?i:nan)$"
_COUNT = r"^\d{1,18}(\.0*)?$"
_COUNT_LIMIT = 10**18
_MAX_FLOAT32 = float(np.finfo(np.float32).max)


def parse_numbers(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Parses numbers.

    Args:
        column: Numbers of any Arrow type, or strings in decimal or scientific notation, with or without spaces around
            them. Null and NaN are missing values; so are blank strings and the string nan in any case.

    Returns:
        The numbers, float64, NaN where there is none, and the mask of the values that are neither missing nor a number
        within the range of float32, bool; both of shape `(rows,)`.
    """
    if pa.types.is_string(column.type):
        numbers, invalid = _parse_strings(column)
    else:
        numbers = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        invalid = np.zeros(len(numbers), bool)
    with np.errstate(invalid="ignore"):
        invalid |= np.abs(numbers) > _MAX_FLOAT32
    return np.where(invalid, np.nan, numbers), invalid


def parse_counts(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Parses counts: integers from 0 to below 1e18, which may be written with a fraction of zeros (3.0).

    Args:
        column: Numbers, booleans or strings.

    Returns:
        The counts, int64, 0 where there is none, and the mask of the values that are not a count, bool; both of shape
        `(rows,)`.
    """
    if pa.types.is_string(column.type):
        column = pc.utf8_trim_whitespace(column)
        valid = pc.fill_null(pc.match_substring_regex(column, _COUNT), False)
        digits = pc.replace_substring_regex(pc.if_else(valid, column, "0"), pattern=r"\..*", replacement="")
        return digits.cast(pa.int64()).to_numpy(zero_copy_only=False), boolean_mask(pc.invert(valid))
    if pa.types.is_integer(column.type):
        numbers = pc.fill_null(column, 0).to_numpy(zero_copy_only=False)
        present = boolean_mask(column.is_valid())
    else:
        numbers = parse_numbers(column)[0]
        present = ~np.isnan(numbers)
    is_count = present & (numbers >= 0) & (numbers < _COUNT_LIMIT) & (numbers % 1 == 0)
    return np.where(is_count, numbers, 0).astype(np.int64), ~is_count


def parse_amounts(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Parses amounts: numbers of at least 0.

    Args:
        column: Numbers or strings, as `parse_numbers` takes them.

    Returns:
        The amounts, float32, 0 where there is none, and the mask of the values that are not an amount, bool; both of
        shape `(rows,)`.
    """
    numbers, _ = parse_numbers(column)
    is_amount = numbers >= 0  # False for NaN.
    return np.where(is_amount, numbers, 0.0).astype(np.float32), ~is_amount


def split_lists(column: pa.Array, separator: str) -> tuple[pa.Array, np.ndarray]:
    """Flattens the values of all rows into one array.

    Args:
        column: Lists, whose values are taken unchanged; strings, which are split at the separator; or single values.
            A null row has no values.
        separator: Separator of strings.

    Returns:
        The values, shape `(values,)`, and the index of each value's row, int64, shape `(values,)`.
    """
    if pa.types.is_string(column.type):
        column = pc.split_pattern(column, separator)
    if not pa.types.is_list(column.type):
        return column.drop_null(), np.flatnonzero(boolean_mask(column.is_valid()))
    return pc.list_flatten(column), pc.list_parent_indices(column).to_numpy(zero_copy_only=False)


def split_tokens(column: pa.Array, separator: str) -> tuple[pa.Array, np.ndarray]:
    """Flattens the tokens of all rows into one array of strings.

    Args:
        column: Lists, strings or single values, as in `split_lists`.
        separator: Separator of strings.

    Returns:
        The tokens, an empty string for a null in a list, shape `(tokens,)`, and the index of each token's row, int64,
        shape `(tokens,)`.
    """
    values, row = split_lists(column, separator)
    tokens = format_values(values)
    return (pc.fill_null(tokens, "") if tokens.null_count else tokens), row


def build_lists(values: pa.Array, row: np.ndarray, rows: int) -> pa.ListArray:
    """Groups values into one list per row, null for a row without values; the inverse of `split_lists`.

    Args:
        values: Values of all rows, shape `(values,)`.
        row: Index of each value's row, ascending, shape `(values,)`.
        rows: Number of rows.
    """
    count = np.bincount(row, minlength=rows)
    offsets = np.concatenate([[0], np.cumsum(count)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets, mask=np.append(count == 0, False)), values)


def build_single_lists(values: pa.Array) -> pa.ListArray:
    """Wraps each value into a list of one, null where the value is null."""
    return build_lists(values.drop_null(), np.flatnonzero(boolean_mask(values.is_valid())), len(values))


def boolean_mask(condition: pa.Array) -> np.ndarray:
    """Converts a boolean column to NumPy; null becomes false."""
    mask: np.ndarray = pc.fill_null(condition, False).to_numpy(zero_copy_only=False)
    return mask


def _parse_strings(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Returns the numbers, NaN where there is none, and the mask of strings that are neither missing nor numbers."""
    is_number = pc.match_substring_regex(column, _NUMBER)
    if not pc.all(is_number, skip_nulls=True).as_py():
        column = pc.utf8_trim_whitespace(column)
        is_number = pc.match_substring_regex(column, _NUMBER)
    missing = pc.or_(pc.equal(column, ""), pc.match_substring_regex(column, _NAN))
    # Older versions of Arrow refuse a leading plus.
    unsigned = pc.utf8_ltrim(pc.if_else(is_number, column, None), characters="+")
    numbers = unsigned.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return numbers, boolean_mask(pc.invert(pc.or_(is_number, missing)))


def parse_number(text: str) -> float | None:
    """Parses one number as `parse_numbers` does; None for other text and missing values.

    Args:
        text: Text of the number.
    """
    number = float(parse_numbers(pa.array([text]))[0][0])
    return None if np.isnan(number) else number
