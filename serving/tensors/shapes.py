"""Shapes of serialized `TensorShapeProto`s."""

import functools

from serving.protos import wire

MAX_RANK = 254
"""Maximum number of dimensions of a tensor in TensorFlow."""

_MAX_SIZE = 2**63 - 1
_DIM = wire.tag(2, wire.BYTES)
_SIZE = wire.tag(1, wire.VARINT)


_CACHED_BYTES = 64


def decode_shape(data: bytes) -> tuple[tuple[int, ...], int]:
    """Decodes a serialized shape as `tensorflow::TensorShape::IsValid` validates it.

    Reading stops at the first dimension that is invalid, whatever the number of those behind it. As in TensorFlow,
    `unknown_rank` is ignored.

    Args:
        data: Serialized `TensorShapeProto`.

    Returns:
        Dimensions and number of elements.

    Raises:
        ValueError: If a dimension is negative, or there are more than 254 or 2**63 - 1 elements.
        WireError: If the bytes are not a message.
        UnusualEncoding: If there is a group.
    """
    return _cached(data) if len(data) <= _CACHED_BYTES else _decode(data)


def _decode(data: bytes) -> tuple[tuple[int, ...], int]:
    shape: list[int] = []
    elements = 1
    for tag, start, stop in wire.fields(data, 0, len(data)):
        if tag != _DIM:
            continue
        size = 0
        for inner, value, _ in wire.fields(data, start, stop):
            if inner == _SIZE:
                size = wire.signed(value)
        shape.append(size)
        elements *= size
        if size < 0 or elements > _MAX_SIZE:
            raise ValueError(f"tensor_shape should be known, with at most 2**63 - 1 elements. Received: {shape}")
        if len(shape) > MAX_RANK:
            raise ValueError(f"tensor_shape should have at most {MAX_RANK} dimensions. Received: more")
    return tuple(shape), elements


# The inputs of a request have few shapes.
_cached = functools.lru_cache(1024)(_decode)
