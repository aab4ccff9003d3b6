"""Requests whose input are `tf.Example`s, parsed without making objects of the examples."""

import dataclasses
from typing import Any

from serving import protos
from serving.errors import resource_exhausted
from serving.protos import wire
from serving.requests.limits import Limits
from serving.requests.parsing import parse, parse_model_spec, parse_objects
from serving.tensors import STRING_BYTES

MAX_TASKS = 1000
"""Maximum number of tasks of a `MultiInferenceRequest`."""

_FIRST = wire.tag(1, wire.BYTES)
_INPUT = wire.tag(2, wire.BYTES)
_EXAMPLE_LIST = wire.tag(1, wire.BYTES)
_EXAMPLE_LIST_WITH_CONTEXT = wire.tag(2, wire.BYTES)
_EXAMPLE = wire.tag(1, wire.BYTES)
_CONTEXT = wire.tag(2, wire.BYTES)


@dataclasses.dataclass(frozen=True)
class ExamplesRequest:
    """Request to run a signature on examples.

    Attributes:
        model_spec: Model, version and signature; None if it is missing.
        examples: Serialized `tf.Example`s, with the context in front of each if the request has one.
    """

    model_spec: Any
    examples: list[bytes]


@dataclasses.dataclass(frozen=True)
class MultiInferenceRequest:
    """Request to run several signatures on the same examples.

    Attributes:
        tasks: `InferenceTask`s, each with a model_spec and the method of its signature.
        examples: Serialized `tf.Example`s.
    """

    tasks: list[Any]
    examples: list[bytes]


def parse_examples_request(message_type: Any, data: bytes, limits: Limits) -> ExamplesRequest:
    """Parses a serialized `ClassificationRequest` or `RegressionRequest`. Raises `StatusError` if it is invalid."""

    def read(canonical: bytes) -> ExamplesRequest:
        parts, examples = _read(canonical, limits)
        return ExamplesRequest(parse_model_spec(protos.ModelSpec, parts), examples)

    return parse(read, message_type, data, opaque=True)


def parse_multi_inference_request(data: bytes, limits: Limits) -> MultiInferenceRequest:
    """Parses a serialized `MultiInferenceRequest`. Raises `StatusError` if it is invalid."""

    def read(canonical: bytes) -> MultiInferenceRequest:
        parts, examples = _read(canonical, limits)
        return MultiInferenceRequest([parse_objects(protos.InferenceTask, part) for part in parts], examples)

    return parse(read, protos.MultiInferenceRequest, data, opaque=True)


def _read(data: bytes, limits: Limits) -> tuple[list[bytes], list[bytes]]:
    """Returns the values of the first field of a request, and its examples."""
    first: list[bytes] = []
    input_range = None
    for tag, start, stop in wire.fields(data, 0, len(data)):
        if tag == _FIRST:
            first.append(data[start:stop])
            if len(first) > MAX_TASKS:
                raise resource_exhausted(f"request has more than {MAX_TASKS} tasks")
        elif tag == _INPUT:
            if input_range is not None:
                raise wire.UnusualEncoding("input in several parts")
            input_range = start, stop
    return first, _read_input(data, *input_range, limits) if input_range else []


def _read_input(data: bytes, start: int, stop: int, limits: Limits) -> list[bytes]:
    kinds = [
        field for field in wire.fields(data, start, stop) if field[0] in (_EXAMPLE_LIST, _EXAMPLE_LIST_WITH_CONTEXT)
    ]
    if len(kinds) > 1:
        raise wire.UnusualEncoding("examples in several parts")
    context = None
    examples: list[bytes] = []
    most = max(limits.max_decoded_bytes // STRING_BYTES, wire.MAX_FIELDS)
    for kind, position, end in kinds:
        for tag, first, last in wire.fields(data, position, end, most):
            if tag == _EXAMPLE:
                examples.append(data[first:last])
            elif tag == _CONTEXT and kind == _EXAMPLE_LIST_WITH_CONTEXT:
                if context is not None:
                    raise wire.UnusualEncoding("context in several parts")
                context = data[first:last]
    if not context:
        return examples
    if (len(context) + STRING_BYTES) * len(examples) > limits.max_decoded_bytes:
        raise resource_exhausted(f"context of {len(context)} bytes is too large for {len(examples)} examples")
    return [context + example for example in examples]
