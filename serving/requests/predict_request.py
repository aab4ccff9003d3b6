"""`PredictRequest`s, parsed without expanding their tensors."""

import dataclasses
from typing import Any

from serving import protos
from serving.protos import wire
from serving.requests.limits import Limits
from serving.requests.parsing import parse, parse_model_spec, text
from serving.tensors import EncodedTensor

_MODEL_SPEC = wire.tag(1, wire.BYTES)
_INPUT = wire.tag(2, wire.BYTES)
_OUTPUT_FILTER = wire.tag(3, wire.BYTES)
_KEY = wire.tag(1, wire.BYTES)
_VALUE = wire.tag(2, wire.BYTES)

Input = EncodedTensor | ValueError
"""Tensor, or the reason for which it is invalid."""


@dataclasses.dataclass(frozen=True)
class PredictRequest:
    """Request to run a signature.

    Attributes:
        model_spec: Model, version and signature; None if it is missing.
        inputs: Tensor of each input by alias.
        output_filter: Aliases of the outputs to compute.
    """

    model_spec: Any
    inputs: dict[str, Input]
    output_filter: list[str]


def parse_predict_request(data: bytes, limits: Limits) -> PredictRequest:
    """Parses a serialized `PredictRequest`.

    Args:
        data: Serialized request.
        limits: Limits of the memory of strings.

    Returns:
        The request. Its tensors refer to `data`.

    Raises:
        StatusError: If it is not a request, or has too many fields.
    """
    return parse(lambda canonical: _read(canonical, limits), protos.PredictRequest, data)


def _read(data: bytes, limits: Limits) -> PredictRequest:
    model_spec: list[bytes] = []
    inputs: dict[str, Input] = {}
    output_filter: list[str] = []
    available = limits.max_decoded_bytes
    for tag, start, stop in wire.fields(data, 0, len(data)):
        if tag == _INPUT:
            alias, position, end = _entry(data, start, stop)
            try:
                tensor = inputs[alias] = EncodedTensor(data, position, end, available)
                available -= tensor.strings_bytes
            except wire.WireError:
                raise
            except ValueError as error:
                inputs[alias] = error
        elif tag == _MODEL_SPEC:
            model_spec.append(data[start:stop])
        elif tag == _OUTPUT_FILTER:
            output_filter.append(text(data[start:stop]))
    return PredictRequest(parse_model_spec(protos.ModelSpec, model_spec), inputs, output_filter)


def _entry(data: bytes, start: int, stop: int) -> tuple[str, int, int]:
    """Returns key and value of an entry of the map."""
    key, value = "", None
    for tag, position, end in wire.fields(data, start, stop):
        if tag == _KEY:
            key = text(data[position:end])
        elif tag == _VALUE:
            if value is not None:
                raise wire.UnusualEncoding("a tensor in several parts")
            value = position, end
    return key, *(value or (stop, stop))
