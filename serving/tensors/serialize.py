"""Arrays written as serialized `TensorProto`s, without a message whose fields would hold a copy of them."""

import functools

import numpy as np

from serving import protos
from serving.protos import wire
from serving.protos.schema import MESSAGES
from serving.tensors.dtypes import FIELDS, FIXED_WIDTH, PARTS, STRING, data_type

Part = bytes | memoryview
"""Part of a serialized message, which may refer to the memory of an array."""

_FIELDS = MESSAGES["tensorflow.TensorProto"]
_NUMBERS = {field: number for field, (number, *_) in _FIELDS.items()}
_DTYPE, _SHAPE, _STRING = _NUMBERS["dtype"], _NUMBERS["tensor_shape"], _NUMBERS["string_val"]
_DIM, _SIZE = 2, 1
_CHUNK = 1 << 16
_string_header = functools.lru_cache(1024)(functools.partial(wire.header, _STRING))


def serialize(array: np.ndarray) -> list[Part]:
    """Returns a serialized `TensorProto` in parts, which joined are the bytes of the message that `write` fills.

    Args:
        array: Numbers, bools, or objects of type bytes. It should not change until the parts are joined.

    Raises:
        ValueError: If a `TensorProto` cannot hold the type of `array`.
    """
    enum = data_type(array.dtype)
    head = _head(enum, array.shape)
    if not array.size:
        return [head]
    if enum == STRING:
        parts: list[Part] = [head]
        for value in array.ravel().tolist():
            parts += (_string_header(len(value)), value)
        return parts
    field = FIELDS[enum]
    flat = np.ascontiguousarray(array).reshape(-1)
    if field in FIXED_WIDTH:
        packed: list[Part] = [flat.view(np.uint8).data]
    else:
        packed = _varints(field, flat.view(PARTS.get(field, flat.dtype)))
    return [head + wire.header(_NUMBERS[field], sum(map(len, packed))), *packed]


@functools.lru_cache(1024)
def _head(enum: int, shape: tuple[int, ...]) -> bytes:
    """Returns the fields of the type and of the shape."""
    dims: list[bytes] = []
    for size in shape:
        dim = wire.varint_field(_SIZE, size) if size else b""
        dims += (wire.header(_DIM, len(dim)), dim)
    shape_bytes = b"".join(dims)
    return wire.varint_field(_DTYPE, enum) + wire.header(_SHAPE, len(shape_bytes)) + shape_bytes


def _varints(field: str, values: np.ndarray) -> list[Part]:
    """Returns packed varints; protobuf encodes some of them at a time, since its messages are larger than the array."""
    parts: list[Part] = []
    for start in range(0, len(values), _CHUNK):
        chunk = protos.TensorProto(**{field: values[start : start + _CHUNK].tolist()}).SerializeToString()
        ((_, begin, end),) = wire.fields(chunk, 0, len(chunk))
        parts.append(memoryview(chunk)[begin:end])
    return parts
