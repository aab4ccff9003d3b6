"""Conversion of the JSON of `:classify` and `:regress` to tf.Examples, and of their results to JSON."""

import math
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from google.protobuf.message import Message

from serving.errors import invalid_argument
from serving.rest.elements import FLOAT, element
from serving.rest.json_values import decode_base64, format_error, is_base64, json_type, shortest_float

CONTEXT, EXAMPLES = "context", "examples"
_KINDS = {"bytes_list": "bytes", "float_list": "float", "int64_list": "int64"}


def fill_examples(document: Mapping[str, Any], request: Message) -> None:
    """Fills the input of a `ClassificationRequest` or `RegressionRequest`.

    Args:
        document: JSON object of the request.
        request: Request to fill.

    Raises:
        StatusError: If the JSON has no examples, or a value that a tf.Example cannot hold.
    """
    has_context = CONTEXT in document
    if has_context:
        target = request.input.example_list_with_context
        target.context.MergeFromString(_example(document[CONTEXT]))
    else:
        target = request.input.example_list
    if EXAMPLES not in document:
        raise format_error(document, "When method is classify, key 'examples' is expected and was not found")
    examples = document[EXAMPLES]
    if not isinstance(examples, list):
        raise format_error(document, "Expecting 'examples' value to be an list/array")
    if not examples:
        raise format_error(document, "'examples' value is an empty array")
    for example in examples:
        target.examples.add().MergeFromString(_example(example))


def classifications(response: Message) -> dict[str, Any]:
    """Returns the result of a `ClassificationResponse` as a JSON object.

    Args:
        response: The response.

    Raises:
        StatusError: If it has no result.
    """
    if not response.result.classifications:
        raise invalid_argument("Cannot convert empty ClassificationResults to JSON")
    return {
        "results": [
            [[one.label, shortest_float(one.score)] for one in classes.classes]
            for classes in response.result.classifications
        ]
    }


def regressions(response: Message) -> dict[str, Any]:
    """Returns the result of a `RegressionResponse` as a JSON object.

    Args:
        response: The response.

    Raises:
        StatusError: If it has no result.
    """
    if not response.result.regressions:
        raise invalid_argument("Cannot convert empty RegressionResults to JSON")
    return {"results": [shortest_float(one.value) for one in response.result.regressions]}


def _example(value: Any) -> bytes:
    if not isinstance(value, dict):
        raise invalid_argument(f"Example must be JSON object but got JSON {json_type(value)}")
    example: Any = tf.train.Example()
    for name, content in value.items():
        feature = example.features.feature[name]
        for item in content if isinstance(content, list) else [content]:
            _add(feature, name, item)
    serialized: bytes = example.SerializeToString()
    return serialized


def _add(feature: Any, name: str, value: Any) -> None:
    if value is None or isinstance(value, list) or (isinstance(value, dict) and not is_base64(value)):
        raise invalid_argument(f"Feature: {name} has element with unexpected JSON type: {json_type(value)}")
    if isinstance(value, str | dict):
        _values(feature, name, "bytes_list").append(decode_base64(value) if isinstance(value, dict) else _encode(value))
    elif isinstance(value, float):
        _values(feature, name, "float_list").append(_checked(value))
    elif isinstance(value, bool) or -(2**63) <= value < 2**63:
        _values(feature, name, "int64_list").append(int(value))
    elif 0 <= value < 2**64:
        raise invalid_argument(f"Feature: {name} has uint64 element. Only int64 is supported.")
    else:  # JSON parsers of C++ read such a number as floating-point.
        _values(feature, name, "float_list").append(_checked(float(value)))


def _values(feature: Any, name: str, kind: str) -> Any:
    """Returns the list of values of a feature, which has one kind only."""
    found = feature.WhichOneof("kind")
    if found not in (None, kind):
        raise invalid_argument(f"Unexpected element type in feature: {name} expecting type: {_KINDS[found]}")
    return getattr(feature, kind).value


def _checked(value: float) -> float:
    checked: float = element(value, FLOAT) if math.isfinite(value) else value
    return checked


def _encode(value: str) -> bytes:
    return value.encode(errors="surrogatepass")
