"""Inputs of a Predict request, validated against the signature and the limits before they are decoded.

The order of the checks is that of TensorFlow Serving: number and names of the inputs, their tensors, the filter of the
outputs, the types. Its session would then allocate whatever the shapes ask for; here the limits come in between.
"""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import numpy as np
from google.protobuf.message import Message
from tensorflow.core.framework import types_pb2

from serving.errors import StatusError, invalid_argument, resource_exhausted
from serving.protos.wire import WireError
from serving.requests.limits import Limits
from serving.requests.shapes import validate_shapes
from serving.requests.signature import Signature
from serving.tensors import EncodedTensor, TensorTooLarge

Input: TypeAlias = EncodedTensor | ValueError | Message
"""Tensor, or the reason for which it is invalid."""


def match_inputs(signature: Signature, inputs: Mapping[str, Input]) -> dict[str, EncodedTensor]:
    """Returns the tensor of each input of a signature, of which the request may omit those with a default.

    Args:
        signature: Signature to run.
        inputs: Tensors of the request by alias.

    Returns:
        The tensors by alias.

    Raises:
        StatusError: If an input is missing, unknown or not a valid tensor.
    """
    sent, expected = sorted(inputs), list(signature.inputs)
    if len(sent) > len(expected) or (len(sent) < len(expected) and not signature.defaults):
        extra, missing = sorted(set(sent) - set(expected)), sorted(set(expected) - set(sent))
        raise invalid_argument(
            f"input size does not match signature: {len(sent)}!={len(expected)} len({{{','.join(sent)}}}) != "
            f"len({{{','.join(expected)}}}). Sent extra: {{{','.join(extra)}}}. "
            f"Missing but required: {{{','.join(missing)}}}."
        )
    tensors = {}
    for alias in expected:
        if alias not in inputs and alias not in signature.defaults:
            raise invalid_argument(
                f"Signature input alias: {alias}(feed name: {signature.inputs[alias].name}) not found in request and "
                f"no default value provided. Inputs expected to be in the request {{{','.join(sent)}}}, or default "
                f"input alias set: {','.join(sorted(signature.defaults))}"
            )
        tensors[alias] = _tensor(alias, inputs[alias] if alias in inputs else signature.defaults[alias])
    used = [alias for alias in sent if alias in tensors]
    if len(used) != len(sent):
        raise invalid_argument(
            f"Inputs contains invalid name. Used request inputs: {','.join(used)}, request input: {','.join(sent)}"
        )
    return tensors


def match_outputs(signature: Signature, output_filter: Iterable[str]) -> list[str]:
    """Returns the aliases of the outputs to compute, sorted. Raises `StatusError` if the filter is invalid."""
    outputs: set[str] = set()
    for alias in output_filter:
        if alias not in signature.outputs:
            raise invalid_argument(
                f"output tensor alias not found in signature: {alias} Outputs expected to be in the set "
                f"{{{','.join(sorted(signature.outputs))}}}."
            )
        if alias in outputs:
            raise invalid_argument(f"duplicate output tensor alias: {alias}")
        outputs.add(alias)
    return sorted(outputs) or list(signature.outputs)


def validate_types(signature: Signature, provided: Mapping[str, EncodedTensor]) -> None:
    """Raises `StatusError` if the `DataType` of an input is not that of the signature."""
    for index, alias in enumerate(signature.order):
        expect_type(index, signature.inputs[alias].dtype, provided[alias].dtype)


def expect_type(index: int, expected: int, provided: int) -> None:
    """Raises `StatusError` if the `DataType` of the tensor that is fed as argument `index` is another."""
    if expected != provided:
        # The text of a callable differs from that of `Session::Run` in the C++ server.
        names = _type_name(expected), _type_name(provided)
        raise invalid_argument(f"Expects arg[{index}] to be {names[0]} but {names[1]} is provided")


def validate_limits(signature: Signature, tensors: Mapping[str, EncodedTensor], limits: Limits) -> None:
    """Raises `StatusError` if tensors have too many rows, or take too much memory in themselves or in the graph."""
    total = 0
    least = limits.max_repeated_bytes(0)
    for alias, tensor in tensors.items():
        if tensor.shape:
            validate_rows(tensor.shape[0], limits)
        memory = tensor.memory_bytes
        if memory > least and memory > limits.max_repeated_bytes(tensor.sent_bytes) and tensor.repeats:
            what = f"input {alias} of shape {list(tensor.shape)} with a repeated value"
            raise _too_large(what, memory, limits.max_repeated_bytes(tensor.sent_bytes))
        total += memory
    if total > limits.max_decoded_bytes:
        raise _too_large("inputs", total, limits.max_decoded_bytes)
    validate_shapes(signature, tensors, limits)


def validate_rows(rows: int, limits: Limits) -> None:
    """Raises `StatusError` if a request has more rows than the limit."""
    if limits.max_batch is not None and rows > limits.max_batch:
        raise resource_exhausted(f"request has {rows} rows, more than the limit of {limits.max_batch}")


def decode_inputs(tensors: Mapping[str, EncodedTensor]) -> dict[str, np.ndarray]:
    """Decodes validated tensors. Raises `StatusError` if a value is malformed, or NumPy has no array of the rank."""
    arrays = {}
    for alias, tensor in tensors.items():
        try:
            arrays[alias] = tensor.decode()
        except WireError as error:
            raise invalid_argument(f"tensor parsing error: {alias}") from error
        except ValueError as error:
            raise invalid_argument(f"input {alias} of rank {len(tensor.shape)}: {error}") from error
    return arrays


def _tensor(alias: str, tensor: Input) -> EncodedTensor:
    if isinstance(tensor, Message):
        try:
            tensor = EncodedTensor(tensor.SerializeToString())
        except ValueError as error:
            tensor = error
    if isinstance(tensor, EncodedTensor):
        return tensor
    if isinstance(tensor, TensorTooLarge):
        raise resource_exhausted(f"input {alias}: {tensor}") from tensor
    raise invalid_argument(f"tensor parsing error: {alias}") from tensor


def _too_large(what: str, received: int, most: int) -> StatusError:
    return resource_exhausted(f"{what} should take at most {most} bytes of memory. Received: {received}")


def _type_name(enum: int) -> str:
    return str(types_pb2.DataType.Name(enum)).removeprefix("DT_").lower()
