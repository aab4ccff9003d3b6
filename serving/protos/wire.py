"""Fields of serialized protobuf messages, read one after another without making objects of them.

Parsing a message allocates memory for each element of its repeated fields, which may be tens of times its size. The
server reads requests field by field instead, so that it can validate a size before it allocates anything.

Source: https://protobuf.dev/programming-guides/encoding/
"""

import functools
from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

MAX_FIELDS = 10_000
"""Maximum number of fields of a message, unless the caller expects more."""

_VARINT_BYTES = 10


class WireError(ValueError):
    """Bytes that are not a serialized message."""


class UnusualEncoding(Exception):
    """Valid encoding that no serializer writes, such as a message in two parts, or one with too many fields."""


def tag(number: int, wire_type: int) -> int:
    """Returns the tag before a field with this number and wire type."""
    return number << 3 | wire_type


@functools.lru_cache(1024)
def header(number: int, length: int) -> bytes:
    """Returns what precedes the bytes of a field of wire type `BYTES`: its tag and their number."""
    return _encoded(tag(number, BYTES)) + _encoded(length)


def varint_field(number: int, value: int) -> bytes:
    """Returns a field of wire type `VARINT` that holds an integer of at least 0."""
    return _encoded(tag(number, VARINT)) + _encoded(value)


def fields(data: bytes, position: int, end: int, most: int = MAX_FIELDS) -> Iterator[tuple[int, int, int]]:
    """Yields the fields of the message in `data[position:end]`.

    Args:
        data: Bytes that hold the message.
        position: Index of its first byte.
        end: Index behind its last byte.
        most: Maximum number of fields, which bounds the time.

    Yields:
        Tag, start and stop of each field. `data[start:stop]` is the value; of a varint, start is its value.

    Raises:
        WireError: If the bytes are not a message.
        UnusualEncoding: If there are more than `most` fields, or a group, which proto3 does not have.
    """
    while position < end:
        most -= 1
        if most < 0:
            raise UnusualEncoding("too many fields")
        current = data[position]
        position += 1
        if current >= 0x80:
            current, position = varint(data, position - 1, end)
        kind = current & 7
        if kind == BYTES:
            if position < end and data[position] < 0x80:  # most lengths have one byte
                start = position + 1
                position = start + data[position]
            else:
                length, start = varint(data, position, end)
                position = start + length
            if position > end:
                raise WireError("a field ends behind its message")
            yield current, start, position
        elif kind == VARINT:
            value, position = varint(data, position, end)
            yield current, value, position
        elif kind in (FIXED32, FIXED64):
            start, position = position, position + (4 if kind == FIXED32 else 8)
            if position > end:
                raise WireError("a field of fixed width ends behind its message")
            yield current, start, position
        else:
            raise UnusualEncoding(f"wire type {kind}")


def varint(data: bytes, position: int, end: int) -> tuple[int, int]:
    """Returns the unsigned integer encoded at `position`, and the index behind it. Raises `WireError`."""
    if position < end and data[position] < 0x80:
        return data[position], position + 1
    value = shift = 0
    for index in range(position, min(end, position + _VARINT_BYTES)):
        byte = data[index]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, index + 1
        shift += 7
    raise WireError("a varint has no end")


def signed(value: int) -> int:
    """Returns the int64 or int32 that a varint encodes in two's complement."""
    return value - (1 << 64) if value >> 63 else value


def _encoded(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
