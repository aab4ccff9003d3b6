"""Conversion of columns of lists to their values and lengths."""

import dataclasses
from typing import Any

import numpy as np

from tfmtl.rows.values import Column, as_list, is_list, is_missing


@dataclasses.dataclass(frozen=True)
class Lists:
    """Lists of all rows, one after the other.

    Attributes:
        values: Tokens of type bytes, shape `(values,)` object, or numbers, float32.
        lengths: Number of values of each row, int64, shape `(rows,)`.

    Example:
        >>> lists = Lists(np.float32([1, 2, 3]), np.array([2, 0, 1]))
        >>> lists.to_matrix(0, 3, 2, padding=0).tolist()
        [[1.0, 2.0], [0.0, 0.0], [3.0, 0.0]]
    """

    values: np.ndarray
    lengths: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """Index of the row of each value, int64, shape `(values,)`."""
        rows: np.ndarray = np.repeat(np.arange(len(self.lengths)), self.lengths)
        return rows

    def select(self, mask: np.ndarray) -> "Lists":
        """Returns the lists with the values in `mask`, bool, shape `(values,)`, only."""
        if mask.all():
            return self
        return Lists(self.values[mask], np.bincount(self.rows[mask], minlength=len(self.lengths)))

    def first(self, count: int) -> "Lists":
        """Returns the lists with at most their first `count` values."""
        return self.select(self._positions() < count) if self._is_longer(count) else self

    def last(self, count: int) -> "Lists":
        """Returns the lists with at most their last `count` values."""
        if not self._is_longer(count):
            return self
        return self.select(np.repeat(self.lengths, self.lengths) - self._positions() <= count)

    def to_matrix(self, start: int, stop: int, width: int, padding: Any, right: bool = False) -> np.ndarray:
        """Returns the lists of some rows as a matrix.

        Args:
            start: First row.
            stop: Row after the last one.
            width: Number of columns, at least the length of each list.
            padding: Value of the other cells.
            right: Whether the lists end in the last column, instead of beginning in the first one.
        """
        lengths = self.lengths[start:stop, None]
        positions = np.arange(width)
        mask = positions >= width - lengths if right else positions < lengths
        first = int(self.lengths[:start].sum())
        matrix = np.full((stop - start, width), padding, self.values.dtype)
        matrix[mask] = self.values[first : first + int(lengths.sum())]
        return matrix

    def to_list(self, row: int) -> list[Any]:
        """Returns the values of one row."""
        first = int(self.lengths[:row].sum())
        values: list[Any] = self.values[first : first + int(self.lengths[row])].tolist()
        return values

    def _is_longer(self, count: int) -> bool:
        return bool(len(self.lengths)) and bool(self.lengths.max() > count)

    def _positions(self) -> np.ndarray:
        starts = np.cumsum(self.lengths) - self.lengths
        positions: np.ndarray = np.arange(len(self.values)) - np.repeat(starts, self.lengths)
        return positions


def split_lists(column: Column, separator: str) -> tuple[list[Any], np.ndarray]:
    """Flattens the values of all rows into one list.

    Args:
        column: Lists, whose values are taken unchanged; strings, which are split at the separator; or single values.
            A missing row, or an empty string, has no values.
        separator: Separator of strings.

    Returns:
        The values of all rows, and the number of values of each row, int64.

    Example:
        >>> values, lengths = split_lists(["a|b", ["c|d"], None, 7], "|")
        >>> values, lengths.tolist()
        (['a', 'b', 'c|d', 7], [2, 1, 0, 1])
    """
    if isinstance(column, np.ndarray) and column.ndim > 1:
        column = list(column)
    flat: list[Any] = []
    lengths = np.zeros(len(column), np.int64)
    for row, value in enumerate(column):
        if isinstance(value, bytes):
            value = value.decode(errors="surrogateescape")
        if isinstance(value, str):
            items = value.split(separator) if value else []
        elif type(value) is list:
            items = value
        elif is_list(value):
            items = as_list(value)
        else:
            items = [] if is_missing(value) else [value]
        flat += items
        lengths[row] = len(items)
    return flat, lengths
