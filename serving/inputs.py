"""Inputs of a signature: conversion of their columns, and tensors."""

import dataclasses
import math
import reprlib
from collections.abc import Callable
from typing import Any

import numpy as np
from google.protobuf.message import Message

from serving import tensors
from serving.errors import RowError
from tfmtl.rows.lists import Lists
from tfmtl.rows.values import Column, as_list, is_list, is_missing

_INTEGERS = (int, np.integer)
_NUMBERS = (float, np.floating, *_INTEGERS)


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

    def convert(self, column: Column | Lists) -> list[bytes] | np.ndarray | Lists:
        """Converts a column to the input's type.

        Args:
            column: Values of that type, or missing values, one for each row; or `Lists`, which are kept.

        Returns:
            A list of bytes, an array of the input's type, or `Lists`.

        Raises:
            RowError: If a value has another type.
        """
        if isinstance(column, Lists):
            return column
        if self.multivalent:
            return self._lists(column)
        if self.dtype.kind == "O":
            return [self._string(row, value) for row, value in enumerate(column)]
        if isinstance(column, np.ndarray) and column.dtype.kind == "f" and self.dtype.kind == "f":
            return self._array(column)
        return self._array([self._number(row, value) for row, value in enumerate(column)])

    def write(self, proto: Message, values: Any, start: int, stop: int, width: int) -> None:
        """Fills a `TensorProto` with some rows.

        Args:
            proto: Empty tensor.
            values: Rows, as `convert` returns them.
            start: First row.
            stop: Row after the last one.
            width: Width to which lists are padded, unless the signature fixes it.
        """
        if isinstance(values, Lists):
            right = self.width is not None
            values = values if self.width is None else values.last(self.width)
            values = values.to_matrix(start, stop, self.width or width, self.padding, right)
        else:
            values = values[start:stop]
        if self.dtype.kind != "O":
            tensors.write(proto, values, content=True)
        elif isinstance(values, np.ndarray):
            tensors.write_strings(proto, values.ravel().tolist(), values.shape)
        else:
            tensors.write_strings(proto, values, [len(values)])

    def _lists(self, column: Column) -> Lists:
        element = self._string if self.dtype.kind == "O" else self._number
        flat: list[Any] = []
        lengths = np.zeros(len(column), np.int64)
        for row, value in enumerate(column):
            items = self._items(row, value, element)
            flat += items
            lengths[row] = len(items)
        return Lists(self._array(flat), lengths)

    def _items(self, row: int, value: Any, element: Callable[[int, Any], Any]) -> list[Any]:
        if is_missing(value):
            return []
        if not is_list(value):
            raise self._error(row, f"a list of {self.kind}s", value)
        items = as_list(value)
        if self.width is not None and len(items) > self.width:
            raise self._error(row, f"a list of at most {self.width} {self.kind}s", value)
        return [self.padding if is_missing(item) else element(row, item) for item in items]

    def _array(self, values: Any) -> np.ndarray:
        with np.errstate(over="ignore"):  # A number beyond float32 becomes infinite.
            if self.dtype.kind != "O":
                return np.array(values, self.dtype)
        array = np.empty(len(values), object)
        array[:] = values
        return array

    def _string(self, row: int, value: Any) -> bytes:
        if isinstance(value, bytes):
            return value
        if isinstance(value, str):
            return value.encode()
        if is_missing(value):
            return b""
        raise self._error(row, "a string", value)

    def _number(self, row: int, value: Any) -> Any:
        is_bool = isinstance(value, bool | np.bool_)
        if self.dtype.kind != "f":
            bounds = np.iinfo(self.dtype)
            if isinstance(value, _INTEGERS) and not is_bool and bounds.min <= value <= bounds.max:
                return value
            raise self._error(row, f"an integer from {bounds.min} to {bounds.max}", value)
        if isinstance(value, _NUMBERS) and not is_bool:
            try:
                return float(value)
            except OverflowError:
                raise self._error(row, "a number in the range of float", value) from None
        if is_missing(value):
            return math.nan
        raise self._error(row, "a number", value)

    def _error(self, row: int, expected: str, value: Any) -> RowError:
        text = f"row {row}, feature {self.name!r} should be {expected}. Received: {reprlib.repr(value)}"
        return RowError(text, row, self.name)


def features_of(signature: Any, raw: bool = True) -> dict[str, Feature]:
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
