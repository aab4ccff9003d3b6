"""Strings of serialized `TensorProto`s."""

from google.protobuf.message import DecodeError

from serving import protos
from serving.protos import wire

STRING_TAG = wire.tag(8, wire.BYTES)
"""Tag of `TensorProto.string_val`."""


class TensorTooLarge(ValueError):
    """Tensor that takes more memory than it may."""


def decode_string_field(data: bytes, position: int, end: int, max_strings: int) -> list[bytes]:
    """Decodes the field `string_val`, behind which there is no field but repeated ones.

    Args:
        data: Bytes that hold the strings.
        position: Index of the tag of the first string.
        end: Index behind the last string.
        max_strings: Maximum number of strings.

    Returns:
        The strings.

    Raises:
        TensorTooLarge: If there are more than `max_strings`.
        WireError: If the bytes are not a message.
        UnusualEncoding: If a field of the header follows.
    """
    # Each string has a tag, so that most fields need not be counted string by string.
    if data.count(STRING_TAG, position, end) > max_strings:
        try:
            for _ in wire.fields(data, position, end, max_strings):
                pass
        except wire.UnusualEncoding as error:
            raise TensorTooLarge(f"tensors should hold at most {max_strings} strings. Received: more") from error
    try:
        message = protos.TensorProto.FromString(data[position:end])
    except DecodeError as error:
        raise wire.WireError("string_val is not a list of strings") from error
    if message.dtype or message.tensor_content or message.HasField("tensor_shape"):
        raise wire.UnusualEncoding("fields of a header behind string_val")
    strings: list[bytes] = message.string_val[:]
    return strings


def split_strings(content: bytes, size: int) -> list[bytes]:
    """Splits the strings of `tensor_content`: all lengths as varints, then all bytes.

    The format is that of `tensorflow::port::DecodeStringList`.

    Args:
        content: Raw bytes of the tensor.
        size: Number of its strings.

    Returns:
        The strings.

    Raises:
        ValueError: If the lengths do not fit the bytes.
    """
    lengths: list[int] = []
    position = 0
    if size > len(content):
        raise ValueError(f"tensor_content should hold the lengths of {size} strings. Received: {len(content)} bytes")
    for _ in range(size):
        length = shift = 0
        while True:
            if position == len(content) or shift > 28:
                raise ValueError(f"tensor_content should hold the lengths of {size} strings. Received: {len(lengths)}")
            byte = content[position]
            length |= (byte & 0x7F) << shift
            position, shift = position + 1, shift + 7
            if byte < 0x80:
                break
        lengths.append(length)
    if position + sum(lengths) != len(content):
        raise ValueError(f"tensor_content should hold {position + sum(lengths)} bytes. Received: {len(content)}")
    strings = []
    for length in lengths:
        strings.append(content[position : position + length])
        position += length
    return strings
