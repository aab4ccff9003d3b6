"""Conversion of rows (dicts, columns, DataFrames) to the named tensors of a signature, validated before sending.

A missing value is sent as "" (strings) or NaN (numbers). A list of variable length (tokens, weights) is padded on the
right with missing values; all lists of a request have one width, since tokens and their weights must have equal shapes.
A list whose width the signature fixes (a sequence) is padded on the left, since its last position is the most recent
one; of a longer one the last positions are sent. A wrong name, type or length raises a `ValueError` that names row and
feature.
"""

import dataclasses
import difflib
import math
import reprlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from google.protobuf.message import Message

from serving import tensors

_INTEGERS = (int, np.integer)
_FLOATS = (float, np.floating)
_NUMBERS = (*_FLOATS, *_INTEGERS)
_PANDAS_MISSING = ("NAType", "NaTType")


@dataclasses.dataclass(frozen=True)
class Feature:
    """One input of a signature.

    Attributes:
        name: Name of the input.
        dtype: NumPy type of its elements; `object` for strings.
        multivalent: True if a row holds a list: shape `(batch, width)` instead of `(batch,)`.
        width: Width of the lists if the signature fixes it.
        raw: True if the model recognizes missing values. Transformed ids and weights are padded with 0 instead.
    """

    name: str
    dtype: np.dtype
    multivalent: bool = False
    width: int | None = None
    raw: bool = True

    @property
    def kind(self) -> str:
        """Expected type of one element, for error messages."""
        return {"O": "string", "f": "number"}.get(self.dtype.kind, "integer")

    @property
    def padding(self) -> Any:
        """Value that pads a list to its width: a missing value, or 0."""
        return {"O": b"", "f": math.nan if self.raw else 0.0}.get(self.dtype.kind, 0)

    def write(self, proto: Message, values: list, width: int) -> None:
        """Fills `proto` with the rows' values; lists are padded to `width` unless the signature fixes it."""
        shape = [len(values)]
        if self.multivalent:
            shape.append(self.width or width)
            values = [item for row in values for item in self._pad(row, shape[1])]
        if self.dtype.kind == "O":
            tensors.write_strings(proto, values, shape)
        else:
            with np.errstate(over="ignore"):  # A number beyond float32 becomes infinite.
                array = np.array(values, self.dtype)
            tensors.write(proto, array.reshape(shape), content=True)

    def _pad(self, values: list, width: int) -> list:
        padding = [self.padding] * (width - len(values))
        return values + padding if self.width is None else padding + values


def features_of(signature: Message, raw: bool = True) -> dict[str, Feature]:
    """Returns the inputs of a signature by name.

    Args:
        signature: Signature of a model.
        raw: True if the signature takes raw features. Another signature pads lists of fixed width with 0.

    Raises:
        ValueError: If an input is not a string or number of shape `(batch,)` or `(batch, width)`.
    """
    features = {}
    for name, info in signature.inputs.items():
        dims = [dim.size for dim in info.tensor_shape.dim]
        dtype = tensors.numpy_dtype(info.dtype)
        if len(dims) not in (1, 2) or dtype.kind not in "Ofiu":
            expected = "strings or numbers of shape [batch] or [batch, width]"
            raise ValueError(f"input {name} should be {expected}. Received: {dtype} of rank {len(dims)}")
        width = dims[1] if len(dims) == 2 and dims[1] > 0 else None
        features[name] = Feature(name, dtype, multivalent=len(dims) == 2, width=width, raw=raw or width is None)
    return features


class Batch:
    """Rows that were validated against a signature.

    Args:
        rows: List of dicts, dict of columns, or DataFrame.
        features: All inputs of the signature by name.

    Raises:
        ValueError: If a row is invalid; the message names the row and the feature.
    """

    def __init__(self, rows: Any, features: Mapping[str, Feature]):
        self._features = features
        columns, self._size = _to_columns(rows, features)
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


def _to_columns(rows: Any, features: Mapping[str, Feature]) -> tuple[dict[str, list], int]:
    if hasattr(rows, "columns"):
        names = list(rows.columns)
        if len(set(names)) != len(names):
            raise ValueError(f"columns should have different names. Received: {names}")
        _check_names("columns", names, features)
        return {name: rows[name].tolist() for name in names}, len(rows)
    if isinstance(rows, Mapping):
        _check_names("columns", rows, features)
        columns = {name: _to_list(name, values) for name, values in rows.items()}
        sizes = {name: len(values) for name, values in columns.items()}
        if len(set(sizes.values())) > 1:
            raise ValueError(f"columns should have the same length. Received: {sizes}")
        return columns, max(sizes.values(), default=0)
    if isinstance(rows, str | bytes) or not isinstance(rows, Iterable):
        expected = "a list of dicts, a dict of columns or a DataFrame"
        raise ValueError(f"rows should be {expected}. Received: {reprlib.repr(rows)}")
    rows = list(rows)
    used: set[str] = set()
    for index, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise ValueError(f"row {index} should be a dict. Received: {reprlib.repr(row)}")
        if not row.keys() <= used:
            _check_names(f"row {index}", row, features)
            used |= row.keys()
    return {name: [row.get(name) for row in rows] for name in used}, len(rows)


def _to_list(name: str, values: Any) -> list:
    if hasattr(values, "tolist"):
        values = values.tolist()
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Sequence):
        raise ValueError(f"column {name!r} should be a list, a value for each row. Received: {reprlib.repr(values)}")
    return list(values)


def _check_names(where: str, names: Iterable[Any], features: Mapping[str, Feature]) -> None:
    for name in names:
        if name not in features:
            closest = difflib.get_close_matches(str(name), features, n=1, cutoff=0.0)
            hint = f", the closest is {closest[0]!r}" if closest else ""
            raise ValueError(f"{where}: a feature should be one of the model's{hint}. Received: {name!r}")


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
    if not isinstance(value, list | tuple):
        raise _error(feature, row, f"a list of {feature.kind}s", value)
    if feature.width is not None and feature.raw:
        value = value[-feature.width :]  # The most recent positions, as the transform of a log does.
    if feature.width is not None and len(value) > feature.width:
        raise _error(feature, row, f"a list of at most {feature.width} {feature.kind}s", value)
    return [feature.padding if _missing(item) else element(feature, row, item) for item in value]


def _string(feature: Feature, row: int, value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes):
        return value
    if _missing(value):
        return b""
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
