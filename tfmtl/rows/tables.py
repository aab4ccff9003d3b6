"""Columns of rows in any form: dicts, columns, DataFrames and Arrow tables. Imports neither pandas nor Arrow."""

import reprlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tfmtl.rows.values import Column, format_time

_FORMS = "a list of dicts, a dict of columns, a DataFrame or an Arrow table"


class RowsError(ValueError):
    """Error of rows whose form is none of those that can be read.

    Attributes:
        row: Index of the row; None if the error concerns all of them.
    """

    def __init__(self, message: str, row: int | None = None):
        super().__init__(message, row)
        self.row = row

    def __str__(self) -> str:
        return str(self.args[0])


def to_columns(rows: Any) -> tuple[dict[str, Column], int]:
    """Returns the columns of rows by name, and the number of rows.

    Args:
        rows: List of dicts, dict of columns, DataFrame (pandas, Polars), or Arrow table or record batch. A name that a
            dict does not have is missing in its row.

    Raises:
        RowsError: If the rows have another form.

    Example:
        >>> to_columns([{"user": "u1"}, {"price": 2.5}])
        ({'user': ['u1', None], 'price': [None, 2.5]}, 2)
    """
    if hasattr(rows, "schema") and hasattr(rows, "num_rows"):
        names = list(rows.schema.names)
        _require_distinct(names)
        return {name: _from_arrow(rows.column(index)) for index, name in enumerate(names)}, rows.num_rows
    if hasattr(rows, "columns"):
        names = list(rows.columns)
        _require_distinct(names)
        return {name: _from_frame(rows[name]) for name in names}, len(rows)
    if isinstance(rows, Mapping):
        columns = {name: _from_values(name, values) for name, values in rows.items()}
        sizes = {name: len(values) for name, values in columns.items()}
        if len(set(sizes.values())) > 1:
            raise RowsError(f"columns should have the same length. Received: {sizes}")
        return columns, max(sizes.values(), default=0)
    if isinstance(rows, str | bytes) or not isinstance(rows, Iterable):
        raise RowsError(f"rows should be {_FORMS}. Received: {reprlib.repr(rows)}")
    rows = list(rows)
    names_seen: dict[str, None] = {}
    for index, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise RowsError(f"row {index} should be a dict. Received: {reprlib.repr(row)}", index)
        if not row.keys() <= names_seen.keys():
            names_seen.update(dict.fromkeys(row))
    return {name: [row.get(name) for row in rows] for name in names_seen}, len(rows)


def _require_distinct(names: Sequence[Any]) -> None:
    if len(set(names)) != len(names):
        raise RowsError(f"columns should have different names. Received: {names}")


def _from_values(name: Any, values: Any) -> Column:
    if isinstance(values, np.ndarray) and values.ndim == 1:
        return values
    if hasattr(values, "type") and hasattr(values, "to_pylist"):
        return _from_arrow(values)
    if hasattr(values, "to_numpy"):
        return _from_frame(values)
    if hasattr(values, "tolist"):
        values = values.tolist()
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Sequence):
        raise RowsError(f"column {name!r} should be a list, a value for each row. Received: {reprlib.repr(values)}")
    return values


def _from_frame(series: Any) -> Column:
    zone = getattr(series.dtype, "tz", None)
    if zone is not None or not hasattr(series, "tolist"):  # Times with a zone; Polars, whose types NumPy lacks.
        values: list[Any] = series.tolist() if hasattr(series, "tolist") else series.to_list()
        return values
    array: np.ndarray = series.to_numpy()
    return array


def _from_arrow(column: Any) -> Column:
    kind = str(column.type)
    is_time = kind.startswith("timestamp")
    if is_time or (column.null_count == 0 and kind in ("double", "float", "int64", "int32")):
        array: np.ndarray = column.to_numpy() if hasattr(column, "chunks") else column.to_numpy(zero_copy_only=False)
        return [None if np.isnat(time) else f"{format_time(time)}Z" for time in array] if "tz=" in kind else array
    values: list[Any] = column.to_pylist()
    return values
