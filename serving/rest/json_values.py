"""Texts and values of JSON in requests and errors, as TensorFlow Serving reads and writes them."""

import base64
import binascii
import json
import re
from typing import Any

import numpy as np

from serving.errors import StatusError, invalid_argument
from serving.protos.schema import ENUMS

_TYPE_NAMES = {number: name.removeprefix("DT_").lower() for name, number in ENUMS["tensorflow.DataType"].items()}
_ERRORS = {
    "Expecting value": "Invalid value.",
    "Expecting property name enclosed in double quotes": "Missing a name for object member.",
    "Expecting ':' delimiter": "Missing a colon after a name of object member.",
    "Extra data": "The document root must not be followed by other values.",
    "Unterminated string starting at": "Missing a closing quotation mark in string.",
    "Invalid control character at": "Invalid encoding in string.",
    "Illegal trailing comma before end of object": "Missing a name for object member.",
    "Illegal trailing comma before end of array": "Invalid value.",
}

_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]')


def parse_object(body: bytes) -> dict[str, Any]:
    """Returns the JSON object of a request; NaN, Infinity and -Infinity are numbers.

    Args:
        body: Body of the request, in UTF-8.

    Raises:
        StatusError: If the body is not a JSON object.
    """
    if not body:
        raise invalid_argument("JSON Parse error: The document is empty")
    try:
        document = json.loads(body.decode())
    except UnicodeDecodeError as error:
        raise invalid_argument(f"JSON Parse error: Invalid encoding in string. at offset: {error.start}") from error
    except json.JSONDecodeError as error:
        raise invalid_argument(f"JSON Parse error: {_error_text(error)} at offset: {error.pos}") from error
    except (RecursionError, ValueError) as error:  # Nested too deeply, or a number with too many digits.
        raise invalid_argument("JSON Parse error: Terminate parsing due to Handler error. at offset: 0") from error
    if not isinstance(document, dict):
        raise format_error(document, "Is not object")
    return document


def type_name(dtype: int) -> str:
    """Returns the name of a data type in error texts, such as `float`.

    Args:
        dtype: Number of a `tensorflow.DataType`.
    """
    return _TYPE_NAMES.get(dtype, "unknown dtype enum")


def to_text(value: Any) -> str:
    """Returns a JSON value as text for an error.

    Args:
        value: Parsed JSON value.
    """
    return json.dumps(value, indent=4, ensure_ascii=False)


def json_type(value: Any) -> str:
    """Returns the name of the type of a JSON value.

    Args:
        value: Parsed JSON value.
    """
    if value is None or isinstance(value, bool):
        return {None: "Null", True: "True", False: "False"}[value]
    names: dict[type, str] = {dict: "Object", list: "Array", str: "String"}
    return names.get(type(value), "Number")


def format_error(value: Any, text: str) -> StatusError:
    """Returns the error of a JSON value that has a wrong form.

    Args:
        value: Parsed JSON value.
        text: Text behind the value.
    """
    return invalid_argument(f"JSON Value: {to_text(value)} {text}")


def is_base64(value: Any) -> bool:
    """Returns whether a JSON value is an object whose only key is `b64`, with a string.

    Args:
        value: Parsed JSON value.
    """
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def decode_base64(value: Any) -> bytes:
    """Returns the bytes of an object `{"b64": ...}`. Raises `StatusError` if it is none.

    Args:
        value: Parsed JSON value.
    """
    if not is_base64(value):
        raise format_error(value, "not formatted correctly for base64 data")
    text = value["b64"].rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid_argument("Unable to base64 decode") from error


def shortest_float(value: float) -> float:
    """Returns the number whose JSON text has as few digits as identify a float32.

    Args:
        value: A float32.
    """
    return float(str(np.float32(value)))


def to_json(array: np.ndarray, as_bytes: bool) -> Any:
    """Returns an array as nested lists of JSON values; a float32 has as few digits as identify it.

    Args:
        array: Numbers, bools, or objects of type bytes.
        as_bytes: Whether strings are written as `{"b64": ...}`.
    """
    if array.dtype.hasobject:
        values: list[Any] = [_string(one, as_bytes) for one in array.ravel().tolist()]
        flat = np.empty(len(values), object)
        flat[:] = values
        return flat.reshape(array.shape).tolist()
    if array.dtype == np.float32:
        return array.astype("U").astype(np.float64).tolist()
    return array.tolist()


def _string(value: bytes, as_bytes: bool) -> Any:
    return {"b64": base64.b64encode(value).decode()} if as_bytes else value.decode(errors="replace")


def _error_text(error: json.JSONDecodeError) -> str:
    if error.msg == "Expecting ',' delimiter":
        opened = _innermost(error.doc[: error.pos])
        return f"Missing a comma or {opened} after an {'object member' if opened == '}' else 'array element'}."
    if error.msg.startswith("Invalid \\"):
        return "Invalid escape character in string."
    return _ERRORS.get(error.msg, "Invalid value.")


def _innermost(text: str) -> str:
    """Returns the character that closes the innermost open object or array of a JSON text."""
    stack: list[str] = []
    for token in _TOKENS.findall(text):  # Braces within strings are no braces.
        if token in "{[":
            stack.append("}" if token == "{" else "]")
        elif token in "}]" and stack:
            stack.pop()
    return stack[-1] if stack else "}"
