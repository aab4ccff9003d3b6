"""Parsing of serialized requests field by field, with protobuf as the fallback for unusual encodings."""

from collections.abc import Callable
from typing import Any, TypeVar

import grpc
from google.protobuf.message import DecodeError

from serving.errors import StatusError, resource_exhausted
from serving.protos import wire

MAX_OBJECT_BYTES = 4 * 2**20
"""Maximum size of a message that protobuf parses as a whole, into objects that may be tens of times as large."""

_T = TypeVar("_T")


def parse(read: Callable[[bytes], _T], message_type: Any, data: bytes, opaque: bool = False) -> _T:
    """Parses a request.

    Args:
        read: Parser of messages in the encoding that serializers write.
        message_type: Class of the message, which reads all other encodings.
        data: Serialized request.
        opaque: If True, the message has parts whose fields are not declared, and which have to be kept.

    Returns:
        The request.

    Raises:
        StatusError: With code INTERNAL, as in gRPC, if the bytes are no such message; with RESOURCE_EXHAUSTED if they
            are a message of over 4 MiB in an encoding that no serializer writes.
    """
    try:
        return read(data)
    except (wire.UnusualEncoding, wire.WireError):
        message = parse_objects(message_type, data)
    if not opaque:
        message.DiscardUnknownFields()
    try:
        return read(message.SerializeToString())
    except wire.UnusualEncoding as error:
        raise resource_exhausted(f"{message_type.DESCRIPTOR.full_name} cannot be read: {error}") from error
    except wire.WireError as error:
        raise _malformed(message_type) from error


def parse_objects(message_type: Any, data: bytes) -> Any:
    """Parses a message with protobuf. Raises `StatusError` if it is invalid, or has over 4 MiB."""
    if len(data) > MAX_OBJECT_BYTES:
        name = message_type.DESCRIPTOR.full_name
        raise resource_exhausted(f"{name} of this kind has more than {MAX_OBJECT_BYTES} bytes. Received: {len(data)}")
    try:
        return message_type.FromString(data)
    except DecodeError as error:
        raise _malformed(message_type) from error


def parse_model_spec(message_type: Any, parts: list[bytes]) -> Any:
    """Returns the `ModelSpec` whose parts are merged; None if there is none. Raises `WireError`."""
    if not parts:
        return None
    try:
        return message_type.FromString(b"".join(parts))
    except DecodeError as error:
        raise wire.WireError("model_spec is malformed") from error


def text(data: bytes) -> str:
    """Returns a field of type string. Raises `WireError` if it is not UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise wire.WireError("a string is not UTF-8") from error


def _malformed(message_type: Any) -> StatusError:
    return StatusError(grpc.StatusCode.INTERNAL, f"request is not a valid {message_type.DESCRIPTOR.full_name}")
