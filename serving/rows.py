"""Conversion of rows (dicts, columns, DataFrames) to the named tensors of a signature, validated before sending.

A missing value is sent as "" (strings) or NaN (numbers). A list of variable length (tokens, weights) is padded on the
right with missing values; all lists of a request have one width, since tokens and their weights must have equal shapes.
A list whose width the signature fixes (a sequence) is padded on the left, since its last position is the most recent
one; of a longer one the last positions are sent. A wrong name, type or length raises a `ValueError` that names row and
feature.
"""

import difflib
import math
import reprlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from serving.signature_features import Feature, features_of

_INTEGERS = (int, np.integer)
_FLOATS = (float, np.floating)
_NUMBERS = (*_FLOATS, *_INTEGERS)
_PANDAS_MISSING = ("NAType", "NaTType")

__all__ = ["Batch", "Feature", "features_of"]


class Batch:
    """Rows that were validated against a signature.

    Args:
        rows: List of dicts, dict of columns, DataFrame or Arrow table.
        features: All inputs of the signature by name.
        ignored: Names that are left out if they are no features; None for all. Another name is an error.

    Raises:
        ValueError: If a row is invalid; the message names the row and the feature.
    """

    def __init__(self, rows: Any, features: Mapping[str, Feature], ignored: Collection[str] | None = ()):
        self._features = features
        columns, self._size = _to_columns(rows, _Names(features, ignored))
        absent = [None] * self._size
        self._values = {name: _check(feature, columns.get(name, absent)) for name, feature in features.items()}

    def __len__(self) -> int:
        return self._size

    def write(self, inputs: Any, start: int, stop: int) -> None:
        """Writes the rows from `start` to before `stop` to the inputs of a PredictRequest."""
        part = {name: values[start:stop] for name, values in self._values.items()}
        lists = [
            part[name] for name, feature in self._features.items() if feature.multivalent and feature.width is None
        ]
        width = max((len(row) for values in lists for row in values), default=0) or 1
        for name, feature in self._features.items():
            feature.write(inputs[name], part[name], width)


class _Names:
    """Names of a model's features, and other names that rows may have."""

    def __init__(self, features: Mapping[str, Feature], ignored: Collection[str] | None):
        self._features, self._ignored = features, ignored

    def used(self, where: str, names: Iterable[Any]) -> list[str]:
        """Returns the names that are features. Raises `ValueError` if another name may not be ignored."""
        found = []
        for name in names:
            if name in self._features:
                found.append(name)
            elif self._ignored is not None and name not in self._ignored:
                closest = difflib.get_close_matches(str(name), self._features, n=1, cutoff=0.0)
                hint = f", the closest is {closest[0]!r}" if closest else ""
                raise ValueError(f"{where}: a feature should be one of the model's{hint}. Received: {name!r}")
        return found


def _to_columns(rows: Any, features: _Names) -> tuple[dict[str, list], int]:
    if hasattr(rows, "column_names") and hasattr(rows, "to_pylist"):  # An Arrow table.
        names = _different(list(rows.column_names))
        return {name: rows.column(name).to_pylist() for name in features.used("columns", names)}, rows.num_rows
    if hasattr(rows, "columns"):
        names = _different(list(rows.columns))
        return {name: rows[name].tolist() for name in features.used("columns", names)}, len(rows)
    if isinstance(rows, Mapping):
        columns = {name: _to_list(name, rows[name]) for name in features.used("columns", rows)}
        sizes = {name: len(values) for name, values in columns.items()}
        if len(set(sizes.values())) > 1:
            raise ValueError(f"columns should have the same length. Received: {sizes}")
        return columns, max(sizes.values(), default=0)
    if isinstance(rows, str | bytes) or not isinstance(rows, Iterable):
        expected = "a list of dicts, a dict of columns or a DataFrame"
        raise ValueError(f"rows should be {expected}. Received: {reprlib.repr(rows)}")
    rows = list(rows)
    seen: set[str] = set()
    used: dict[str, None] = {}
    for index, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise ValueError(f"row {index} should be a dict. Received: {reprlib.repr(row)}")
        if not row.keys() <= seen:
            used |= dict.fromkeys(features.used(f"row {index}", row))
            seen |= row.keys()
    return {name: [row.get(name) for row in rows] for name in used}, len(rows)


def _different(names: list[Any]) -> list[Any]:
    if len(set(names)) != len(names):
        raise ValueError(f"columns should have different names. Received: {names}")
    return names


def _to_list(name: str, values: Any) -> list:
    if hasattr(values, "tolist"):
        values = values.tolist()
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Sequence):
        raise ValueError(f"column {name!r} should be a list, a value for each row. Received: {reprlib.repr(values)}")
    return list(values)


def _check(feature: Feature, values: list) -> list:
    elements: dict[str, Callable[[Feature, int, Any], Any]] = {"O": _string, "f": _float}
    element = elements.get(feature.dtype.kind, _integer)
    if not feature.multivalent:
        return [element(feature, row, value) for row, value in enumerate(values)]
    return [_list(feature, row, value, element) for row, value in enumerate(values)]


def _list(feature: Feature, row: int, value: Any, element: Any) -> list:
    if _missing(value):
        return []
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, str) and feature.separator is not None:
        value = _split(feature, row, value)
    elif isinstance(value, _NUMBERS) and feature.separator is not None:
        value = [value]  # A file whose lists have one item each has a column of numbers.
    if not isinstance(value, list | tuple):
        raise _error(feature, row, f"a list of {feature.kind}s", value)
    if feature.width is not None and feature.raw:
        value = value[-feature.width :]  # The most recent positions, as the transform of a log does.
    if feature.width is not None and len(value) > feature.width:
        raise _error(feature, row, f"a list of at most {feature.width} {feature.kind}s", value)
    return [feature.padding if _missing(item) else element(feature, row, item) for item in value]


def _split(feature: Feature, row: int, text: str) -> list[Any]:
    """Returns the items of a list that is written as text, as the pipeline reads it from a file."""
    if not text:
        return []
    items: list[Any] = text.split(feature.separator)
    if feature.dtype.kind == "O":
        return items
    try:
        return [float(item) if item else None for item in items]
    except ValueError:
        raise _error(feature, row, f"a list of {feature.kind}s", text) from None


def _string(feature: Feature, row: int, value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes):
        return value
    if _missing(value):
        return b""
    is_number = isinstance(value, _NUMBERS) and not isinstance(value, bool) and math.isfinite(value)
    if feature.tokens and is_number and value == int(value):
        return b"%d" % int(value)  # A column of ids with missing values is one of floats in pandas.
    raise _error(feature, row, "a string", value)


def _float(feature: Feature, row: int, value: Any) -> float:
    if type(value) is float:
        return value
    if isinstance(value, _NUMBERS) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise _error(feature, row, "a number in the range of float", value) from None
    if _missing(value):
        return math.nan
    raise _error(feature, row, "a number", value)


def _integer(feature: Feature, row: int, value: Any) -> Any:
    bounds = np.iinfo(feature.dtype)
    if isinstance(value, _INTEGERS) and not isinstance(value, bool) and bounds.min <= value <= bounds.max:
        return value
    raise _error(feature, row, f"an integer from {bounds.min} to {bounds.max}", value)


def _missing(value: Any) -> bool:
    if isinstance(value, _FLOATS):
        return math.isnan(value)
    return value is None or type(value).__name__ in _PANDAS_MISSING


def _error(feature: Feature, row: int, expected: str, value: Any) -> ValueError:
    return ValueError(f"row {row}, feature {feature.name!r} should be {expected}. Received: {reprlib.repr(value)}")
