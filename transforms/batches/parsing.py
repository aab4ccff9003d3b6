"""Cells, of text or typed already, to typed values: numbers, labels, and lists; whole columns at a time."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.batches.cells import as_text

_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_NAN = r"^[+-]?(?i:nan)$"
_COUNT = r"^\d{1,18}(\.0*)?$"
_TOO_MANY = 10**18
_LARGEST = float(np.finfo(np.float32).max)
_BINARY = pa.array(["0", "1", "0.0", "1.0"])  # The value is the index modulo 2.


def parse_numbers(cells: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Numbers, of any Arrow type or as text in decimal or scientific notation.

    Args:
        cells: null and nan are missing values; so are empty and nan (in any case) among texts.

    Returns:
        The numbers, float64, NaN where there is none, and which cells are neither missing nor a number within float32.
    """
    if pa.types.is_string(cells.type):
        values, bad = _parse_texts(cells)
    else:
        values = cells.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        bad = np.zeros(len(values), bool)
    with np.errstate(invalid="ignore"):
        bad |= np.abs(values) > _LARGEST
    return np.where(bad, np.nan, values), bad


def parse_binary(cells: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Labels that are 0 or 1: values, int64, 0 where there is none, and which cells are none.

    As text they are written 0, 1, 0.0 or 1.0; else they are numbers or booleans.
    """
    if not pa.types.is_string(cells.type):
        values, _ = parse_numbers(cells)
        return (values == 1).astype(np.int64), ~np.isin(values, (0, 1))
    index = pc.index_in(cells, value_set=_BINARY)
    return pc.fill_null(index, 0).to_numpy(zero_copy_only=False).astype(np.int64) % 2, as_mask(index.is_null())


def parse_counts(cells: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers (3 or 3.0) from 0 to below 1e18: values, int64, 0 where there is none, and which cells are none."""
    if pa.types.is_string(cells.type):
        written = pc.fill_null(pc.match_substring_regex(cells, _COUNT), False)
        digits = pc.replace_substring_regex(pc.if_else(written, cells, "0"), pattern=r"\..*", replacement="")
        return digits.cast(pa.int64()).to_numpy(zero_copy_only=False), as_mask(pc.invert(written))
    if pa.types.is_integer(cells.type):
        numbers, there = pc.fill_null(cells, 0).to_numpy(zero_copy_only=False), as_mask(cells.is_valid())
    else:
        numbers = parse_numbers(cells)[0]
        there = ~np.isnan(numbers)
    counts = there & (numbers >= 0) & (numbers < _TOO_MANY) & (numbers % 1 == 0)
    return np.where(counts, numbers, 0).astype(np.int64), ~counts


def split_lists(cells: pa.Array, separator: str) -> tuple[pa.Array, np.ndarray]:
    """All values of all cells, one after another, and the row of each, int64. A null cell has none.

    Args:
        cells: lists, whose values are taken as they are; texts, which are cut at the separator; or single values.
        separator: of texts.
    """
    if pa.types.is_string(cells.type):
        cells = pc.split_pattern(cells, separator)
    if not pa.types.is_list(cells.type):
        return cells.drop_null(), np.flatnonzero(as_mask(cells.is_valid()))
    return pc.list_flatten(cells), pc.list_parent_indices(cells).to_numpy(zero_copy_only=False)


def split_tokens(cells: pa.Array, separator: str) -> tuple[pa.Array, np.ndarray]:
    """The values of `split_lists` as text, "" for a null in a list, and the row of each."""
    values, row = split_lists(cells, separator)
    tokens = as_text(values)
    return (pc.fill_null(tokens, "") if tokens.null_count else tokens), row


def as_lists(values: pa.Array, row: np.ndarray, rows: int) -> pa.ListArray:
    """A list a row, null where it is empty.

    Args:
        values: of all rows, one after another.
        row: of each value, ascending.
        rows: how many there are.
    """
    count = np.bincount(row, minlength=rows)
    offsets = np.concatenate([[0], np.cumsum(count)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets, mask=np.append(count == 0, False)), values)


def as_single(values: pa.Array) -> pa.ListArray:
    """A list of one value a row, null where the value is."""
    return as_lists(values.drop_null(), np.flatnonzero(as_mask(values.is_valid())), len(values))


def as_mask(condition: pa.Array) -> np.ndarray:
    """A boolean column as numpy's; null is false."""
    return pc.fill_null(condition, False).to_numpy(zero_copy_only=False)


def _parse_texts(cells: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    written = pc.match_substring_regex(cells, _NUMBER)
    missing = pc.or_(pc.equal(cells, ""), pc.match_substring_regex(cells, _NAN))
    plain = pc.utf8_ltrim(pc.if_else(written, cells, None), characters="+")  # Which older versions of Arrow refuse.
    values = plain.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return values, as_mask(pc.invert(pc.or_(written, missing)))
