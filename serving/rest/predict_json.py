"""Conversion of the JSON of `:predict` to a `PredictRequest`, and of its outputs to JSON."""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
from google.protobuf.message import Message

from serving import tensors
from serving.errors import StatusError, invalid_argument
from serving.rest.elements import STRING, element, elements
from serving.rest.json_values import format_error, is_base64, to_json, to_text

Form: TypeAlias = Literal["row", "column"]
"""Form of a request: `instances`, a list with an element for each row, or `inputs`, the tensors themselves."""

SIGNATURE_NAME, INSTANCES, INPUTS = "signature_name", "instances", "inputs"
_BYTES_SUFFIX = "_bytes"


def signature_name(document: Mapping[str, Any]) -> str:
    """Returns the name of the signature that a request asks; empty if it names none.

    Args:
        document: JSON object of the request.

    Raises:
        StatusError: If the name is not a string.
    """
    name = document.get(SIGNATURE_NAME, "")
    if not isinstance(name, str):
        raise format_error(document, "not formatted correctly. 'signature_name' key must be a string value.")
    return name


def fill_inputs(document: Mapping[str, Any], inputs: Mapping[str, Message], request: Message) -> Form:
    """Fills the inputs of a `PredictRequest`.

    Args:
        document: JSON object of the request.
        inputs: `TensorInfo` of each input of the signature by name.
        request: Request to fill.

    Returns:
        The form of the request, in which the answer is written.

    Raises:
        StatusError: If the JSON does not fit the signature, with the text of TensorFlow Serving.
    """
    if INSTANCES in document and INPUTS in document:
        text = "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist "
        raise format_error(document, text)
    if INSTANCES in document:
        instances = document[INSTANCES]
        if not isinstance(instances, list):
            raise format_error(document, "Excepting 'instances' to be an list/array")
        if not instances:
            raise format_error(document, "No values in 'instances' array")
        _fill_rows(instances, inputs, request)
        return "row"
    if INPUTS not in document:
        raise invalid_argument("Missing 'inputs' or 'instances' key")
    _fill_columns(document[INPUTS], inputs, request)
    return "column"


def predictions(form: Form, outputs: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Returns the outputs of a signature as a JSON object.

    Args:
        form: Form of the request.
        outputs: Array of each output by name.

    Raises:
        StatusError: If an output of the row form has no rows, or the outputs differ in their number.
    """
    arrays = {name: outputs[name] for name in sorted(outputs)}
    if not arrays:
        raise invalid_argument("Cannot convert empty tensor map to JSON")
    as_bytes = {name: name.endswith(_BYTES_SUFFIX) for name in arrays}
    values = {}
    if form == "column":
        values = {name: to_json(array, as_bytes[name]) for name, array in arrays.items()}
        return {"outputs": values if len(values) > 1 else next(iter(values.values()))}
    rows = _number_of_rows(arrays)
    values = {name: to_json(array, as_bytes[name]) for name, array in arrays.items()}
    if len(values) == 1:
        return {"predictions": next(iter(values.values()))}
    return {"predictions": [{name: column[row] for name, column in values.items()} for row in range(rows)]}


def _number_of_rows(arrays: Mapping[str, np.ndarray]) -> int:
    rows = 0
    for name, array in arrays.items():
        if not array.ndim:
            raise invalid_argument(f"Tensor name: {name} has no shape information ")
        if len(array) < 1:
            raise invalid_argument(f"Tensor name: {name} has invalid batch size: {len(array)}")
        if rows and len(array) != rows:
            text = f"Tensor name: {name} has inconsistent batch size: {len(array)} expecting: {rows}"
            raise invalid_argument(text)
        rows = len(array)
    return rows


def _fill_rows(instances: list[Any], inputs: Mapping[str, Message], request: Message) -> None:
    named = isinstance(instances[0], dict) and not is_base64(instances[0])
    if not isinstance(instances[0], dict) and len(inputs) > 1:
        raise invalid_argument(
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
            "tensorinfo_map"
        )
    if named and _fill_scalars(instances, inputs, request):
        return
    columns: dict[str, _Column] = {}
    for i, instance in enumerate(instances):
        if (isinstance(instance, dict) and not is_base64(instance)) != named:
            found = "object but got list" if named else "value/list but got object"
            raise invalid_argument(f"Expecting {found} at item {i} of input list")
        for name, item in (instance if named else {next(iter(sorted(inputs))): instance}).items():
            try:
                _add_item(columns, inputs, name, item)
            except StatusError as error:
                key = f" key: {name}" if named else ""
                text = f"Failed to process element: {i}{key} of 'instances' list. Error: "
                raise invalid_argument(f"{text}INVALID_ARGUMENT: {error.details}") from error
        if named and set(instance) != set(inputs):
            raise invalid_argument(
                f"Failed to process element: {i} of 'instances' list. JSON object: {to_text(instance)} must only have "
                f"keys: {','.join(sorted(inputs))}"
            )
    for name, column in columns.items():
        _write(request.inputs[name], inputs[name].dtype, [len(instances), *column.shape], column.values)


def _fill_scalars(instances: list[Any], inputs: Mapping[str, Message], request: Message) -> bool:
    """Fills the inputs if each row has a valid scalar for each of them, which is checked column by column."""
    names = set(inputs)
    if not all(isinstance(instance, dict) and instance.keys() == names for instance in instances):
        return False
    columns: dict[str, list[Any]] = {}
    for name in inputs:
        column = elements([instance[name] for instance in instances], inputs[name].dtype)
        if column is None:
            return False
        columns[name] = column
    for name, values in columns.items():
        _write(request.inputs[name], inputs[name].dtype, [len(instances)], values)
    return True


class _Column:
    """Values of one input, row after row."""

    def __init__(self, shape: list[int]):
        self.shape = shape
        self.values: list[Any] = []


def _add_item(columns: dict[str, _Column], inputs: Mapping[str, Message], name: str, item: Any) -> None:
    if name not in inputs:
        raise invalid_argument(f"JSON object: does not have named input: {name}")
    shape = _shape(item)
    values: list[Any] = []
    _flatten(item, shape, 0, inputs[name].dtype, values)
    column = columns.setdefault(name, _Column(shape))
    expected = int(np.prod(column.shape, dtype=object))
    if len(values) != expected:
        raise invalid_argument(f"Expecting tensor size: {expected} but got: {len(values)}")
    if shape != column.shape:
        raise invalid_argument(f"Expecting shape {_text(column.shape)} but got: {_text(shape)}")
    column.values += values


def _fill_columns(value: Any, inputs: Mapping[str, Message], request: Message) -> None:
    if not isinstance(value, dict) or is_base64(value):
        if len(inputs) > 1:
            raise invalid_argument(
                "inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
                "tensorinfo_map"
            )
        value = {next(iter(inputs)): value}
    for name in sorted(inputs):
        if name not in value:
            raise invalid_argument(f"Missing named input: {name} in 'inputs' object.")
        shape = _shape(value[name])
        values: list[Any] = []
        _flatten(value[name], shape, 0, inputs[name].dtype, values)
        _write(request.inputs[name], inputs[name].dtype, shape, values)


def _shape(value: Any) -> list[int]:
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return shape


def _flatten(value: Any, shape: list[int], level: int, dtype: int, values: list[Any]) -> None:
    """Appends the values of nested lists, which should have the given shape."""
    if level == len(shape) - 1 and isinstance(value, list) and len(value) == shape[level]:
        converted = elements(value, dtype)
        if converted is not None:
            values.extend(converted)
            return
    if not isinstance(value, list):
        if level != len(shape):
            where = f"found at incorrect level: {level + 1} in the JSON DOM. Expected at level: {len(shape)}"
            raise format_error(value, where)
        values.append(element(value, dtype))
        return
    if level >= len(shape):
        raise invalid_argument(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    if len(value) != shape[level]:
        text = f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}"
        raise invalid_argument(text)
    for item in value:
        _flatten(item, shape, level + 1, dtype, values)


def _write(proto: Message, dtype: int, shape: list[int], values: list[Any]) -> None:
    if dtype == STRING:
        tensors.write_strings(proto, values, shape)
    else:
        tensors.write(proto, np.array(values, tensors.numpy_dtype(dtype)).reshape(shape), content=True)


def _text(shape: list[int]) -> str:
    return f"[{','.join(map(str, shape))}]"
