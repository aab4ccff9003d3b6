"""Text cells to typed values: numbers, labels, and lists of tokens; whole columns at a time."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_NAN = r"^[+-]?(?i:nan)$"
_COUNT = r"^\d{1,18}(\.0*)?$"
_LARGEST = float(np.finfo(np.float32).max)
_BINARY = pa.array(["0", "1", "0.0", "1.0"])  # The value is the index modulo 2.


def parse_numbers(cells: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Numbers in decimal or scientific notation.

    Args:
        cells: text; empty, null and nan (in any case) are missing values.

    Returns:
        The numbers, float64, NaN where there is none, and which cells are neither missing nor a number within float32.
    """
    written = pc.match_substring_regex(cells, _NUMBER)
    missing = pc.or_(pc.equal(cells, ""), pc.match_substring_regex(cells, _NAN))
    plain = pc.utf8_ltrim(pc.if_else(written, cells, None), characters="+")  # Which older versions of Arrow refuse.
    values = plain.cast(pa.float64()).to_numpy(zero_copy_only=False)
    with np.errstate(invalid="ignore"):
        bad = as_mask(pc.invert(pc.or_(written, missing))) | (np.abs(values) > _LARGEST)
    return np.where(bad, np.nan, values), bad


def parse_binary(cells: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Labels that are written 0, 1, 0.0 or 1.0: values, int64, 0 where there is none, and which cells are none."""
    index = pc.index_in(cells, value_set=_BINARY)
    return pc.fill_null(index, 0).to_numpy(zero_copy_only=False).astype(np.int64) % 2, as_mask(index.is_null())


def parse_counts(cells: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers from 0 on (3 or 3.0): values, int64, 0 where there is none, and which cells are none."""
    written = pc.fill_null(pc.match_substring_regex(cells, _COUNT), False)
    digits = pc.replace_substring_regex(pc.if_else(written, cells, "0"), pattern=r"\..*", replacement="")
    return digits.cast(pa.int64()).to_numpy(zero_copy_only=False), as_mask(pc.invert(written))


def split_tokens(cells: pa.Array, separator: str) -> tuple[pa.Array, np.ndarray]:
    """All tokens of all cells, one after another, and the row of each, int64. A null cell has none."""
    lists = pc.split_pattern(cells, separator)
    return pc.list_flatten(lists), pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)


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
