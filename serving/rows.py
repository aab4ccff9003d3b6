"""Rows as people hold them (dicts, columns, DataFrames) -> the named tensors of a signature, checked before sending.

What is missing travels as "" (strings) or NaN (numbers). A bag (tokens, weights) is padded on the right with the same,
all bags of a request to one width, as those of tokens and of their weights should have one shape. A list whose width
the signature fixes (a sequence) is padded on the left: its last place is the most recent one. A wrong name, type or
length is a `ValueError` that names row and feature.
"""

import dataclasses
import difflib
import math
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from serving import tensors

_WHOLE_NUMBERS = (int, np.integer)
_FLOATS = (float, np.floating)
_NUMBERS = (*_FLOATS, *_WHOLE_NUMBERS)
_PANDAS_MISSING = ("NAType", "NaTType")


@dataclasses.dataclass(frozen=True)
class Feature:
    """One input of a signature.

    Attributes:
        name: of the input.
        dtype: of its elements; `object` for strings.
        bag: whether a row holds a list: shape [batch, width] instead of [batch].
        width: of the lists, where the signature fixes it.
        raw: whether the model itself knows what is missing; ids and weights that are transformed are 0 instead.
    """

    name: str
    dtype: np.dtype
    bag: bool = False
    width: int | None = None
    raw: bool = True

    @property
    def kind(self) -> str:
        """What one element should be, in words."""
        return {"O": "string", "f": "number"}.get(self.dtype.kind, "whole number")

    @property
    def padding(self) -> Any:
        """What fills a bag up to its width: what is missing, or 0."""
        return {"O": b"", "f": math.nan if self.raw else 0.0}.get(self.dtype.kind, 0)

    def write(self, proto: tensor_pb2.TensorProto, values: list, width: int) -> None:
        """Fills `proto` with checked values, one a row; bags are padded to `width` unless the signature fixes it."""
        shape = [len(values)]
        if self.bag:
            shape.append(self.width or width)
            values = [item for bag in values for item in self._pad(bag, shape[1])]
        if self.dtype.kind == "O":
            tensors.write_strings(proto, values, shape)
        else:
            with np.errstate(over="ignore"):  # A number that float32 does not hold is an infinite one.
                array = np.array(values, self.dtype)
            tensors.write(proto, array.reshape(shape), content=True)

    def _pad(self, bag: list, width: int) -> list:
        padding = [self.padding] * (width - len(bag))
        return bag + padding if self.width is None else padding + bag


def features_of(signature: meta_graph_pb2.SignatureDef, raw: bool = True) -> dict[str, Feature]:
    """The inputs of a signature by name.

    Args:
        signature: of a model.
        raw: whether it takes raw features; another one has no word for what is missing in a list of fixed width but 0.

    Raises:
        ValueError: if one is no string or number of shape [batch] or [batch, width].
    """
    features = {}
    for name, info in signature.inputs.items():
        dims = [dim.size for dim in info.tensor_shape.dim]
        dtype = tensors.numpy_dtype(info.dtype)
        if len(dims) not in (1, 2) or dtype.kind not in "Ofiu":
            expected = "strings or numbers of shape [batch] or [batch, width]"
            raise ValueError(f"input {name} should be {expected}. Received: {dtype} of rank {len(dims)}")
        width = dims[1] if len(dims) == 2 and dims[1] > 0 else None
        features[name] = Feature(name, dtype, bag=len(dims) == 2, width=width, raw=raw or width is None)
    return features


class Batch:
    """Checked rows.

    Args:
        rows: a list of dicts, a dict of columns, or a DataFrame.
        features: all inputs of the signature, by name.

    Raises:
        ValueError: naming the row and the feature that are wrong.
    """

    def __init__(self, rows: Any, features: Mapping[str, Feature]):
        self._features = features
        columns, self._size = _to_columns(rows, features)
        absent = [None] * self._size
        self._values = {name: _check(feature, columns.get(name, absent)) for name, feature in features.items()}

    def __len__(self) -> int:
        return self._size

    def write(self, inputs: Any, start: int, stop: int) -> None:
        """Writes the rows `start` to `stop` into the map of inputs of a PredictRequest."""
        part = {name: values[start:stop] for name, values in self._values.items()}
        bags = [part[name] for name, feature in self._features.items() if feature.bag and feature.width is None]
        width = max((len(bag) for values in bags for bag in values), default=0) or 1
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
    element = {"O": _string, "f": _float}.get(feature.dtype.kind, _integer)
    if not feature.bag:
        return [element(feature, row, value) for row, value in enumerate(values)]
    return [_bag(feature, row, value, element) for row, value in enumerate(values)]


def _bag(feature: Feature, row: int, value: Any, element: Any) -> list:
    if _missing(value):
        return []
    if hasattr(value, "tolist"):
        value = value.tolist()
    if not isinstance(value, list | tuple):
        raise _error(feature, row, f"a list of {feature.kind}s", value)
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
            raise _error(feature, row, "a number that a float holds", value) from None
    if _missing(value):
        return math.nan
    raise _error(feature, row, "a number", value)


def _integer(feature: Feature, row: int, value: Any) -> Any:
    bounds = np.iinfo(feature.dtype)
    if isinstance(value, _WHOLE_NUMBERS) and not isinstance(value, bool) and bounds.min <= value <= bounds.max:
        return value
    raise _error(feature, row, f"a whole number from {bounds.min} to {bounds.max}", value)


def _missing(value: Any) -> bool:
    if isinstance(value, _FLOATS):
        return math.isnan(value)
    return value is None or type(value).__name__ in _PANDAS_MISSING


def _error(feature: Feature, row: int, expected: str, value: Any) -> ValueError:
    return ValueError(f"row {row}, feature {feature.name!r} should be {expected}. Received: {reprlib.repr(value)}")
