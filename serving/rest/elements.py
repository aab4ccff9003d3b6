"""Conversion of JSON values to elements of a tensor."""

import math
from typing import Any

import grpc

from serving.errors import StatusError, invalid_argument
from serving.protos.schema import ENUMS
from serving.rest.json_values import decode_base64, json_type, to_text, type_name

_DTYPES = ENUMS["tensorflow.DataType"]
STRING, FLOAT = _DTYPES["DT_STRING"], _DTYPES["DT_FLOAT"]
_BOOL = _DTYPES["DT_BOOL"]
_INT32, _INT64 = (-(2**31), 2**31 - 1), (-(2**63), 2**63 - 1)
_INTEGERS: dict[int, tuple[int, int]] = {
    **dict.fromkeys((_DTYPES[name] for name in ("DT_INT32", "DT_INT16", "DT_INT8", "DT_UINT8")), _INT32),
    _DTYPES["DT_INT64"]: _INT64,
    _DTYPES["DT_UINT32"]: (0, 2**32 - 1),
    _DTYPES["DT_UINT64"]: (0, 2**64 - 1),
}
# Digits of the significand, and the largest number.
_FLOATS: dict[int, tuple[int, float]] = {
    FLOAT: (24, (2 - 2**-23) * 2.0**127),
    _DTYPES["DT_DOUBLE"]: (53, (2 - 2**-52) * 2.0**1023),
}


def element(value: Any, dtype: int) -> Any:
    """Returns a JSON value as an element of a tensor: bytes, a number or a bool.

    Args:
        value: Parsed JSON value that is not a list.
        dtype: Number of the tensor's `tensorflow.DataType`.

    Raises:
        StatusError: If the value is of another type, or loses precision; UNIMPLEMENTED if JSON has no such type.
    """
    if dtype == STRING:
        if isinstance(value, str):
            return value.encode(errors="surrogatepass")
        if isinstance(value, dict):
            return decode_base64(value)
        raise _type_error(value, dtype)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if dtype in _FLOATS:
        if not is_number:
            raise _type_error(value, dtype)
        return _checked_float(value, dtype)
    if dtype in _INTEGERS:
        lowest, highest = _INTEGERS[dtype]
        if not is_number or not isinstance(value, int) or not lowest <= value <= highest:
            raise _type_error(value, dtype)
        return value
    if dtype == _BOOL:
        if not isinstance(value, bool):
            raise _type_error(value, dtype)
        return value
    text = f"Conversion of JSON Value: {to_text(value)} to type: {type_name(dtype)}"
    raise StatusError(grpc.StatusCode.UNIMPLEMENTED, text)


def elements(values: list[Any], dtype: int) -> list[Any] | None:
    """Returns JSON values as elements of a tensor, all at once; None if one of them needs a closer look.

    Args:
        values: Parsed JSON values.
        dtype: Number of the tensor's `tensorflow.DataType`.
    """
    kinds = set(map(type, values))
    if dtype == STRING and kinds <= {str}:
        return [value.encode(errors="surrogatepass") for value in values]
    if dtype in _FLOATS and kinds <= {float, int}:
        digits, largest = _FLOATS[dtype]
        bound = largest if kinds == {float} else min(largest, 2.0**digits - 1)
        return values if all(-bound <= value <= bound for value in values) else None
    if dtype in _INTEGERS and kinds <= {int}:
        lowest, highest = _INTEGERS[dtype]
        return values if all(lowest <= value <= highest for value in values) else None
    return None


def _checked_float(value: float, dtype: int) -> float:
    digits, largest = _FLOATS[dtype]
    is_exact = abs(value) < 2**digits if isinstance(value, int) else not math.isfinite(value) or abs(value) <= largest
    if not is_exact:
        text = f"Cannot convert JSON value: {to_text(value)} to {type_name(dtype)} without loss of precision."
        raise invalid_argument(text)
    return value


def _type_error(value: Any, dtype: int) -> StatusError:
    text = f"JSON Value: {to_text(value)} Type: {json_type(value)} is not of expected type: {type_name(dtype)}"
    return invalid_argument(text)
