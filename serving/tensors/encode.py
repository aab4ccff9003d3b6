"""Arrays written to `TensorProto`s."""

from collections.abc import Sequence

import numpy as np
from google.protobuf.message import Message

from serving.protos import wire
from serving.protos.schema import MESSAGES
from serving.tensors.dtypes import FIELDS, FIXED_WIDTH, PARTS, STRING, data_type

_CHUNK = 1 << 16


def write(proto: Message, array: np.ndarray, content: bool = False) -> None:
    """Fills an empty `TensorProto` with an array.

    Args:
        proto: Tensor to fill. Filling `request.inputs[name]` in place saves a copy.
        array: Numbers, bools, or objects of type bytes.
        content: If True, writes numbers as raw bytes instead of in the repeated field of their type.

    Raises:
        ValueError: If a `TensorProto` cannot hold the type of `array`.
    """
    enum = data_type(array.dtype)
    if enum == STRING:
        write_strings(proto, array.ravel().tolist(), array.shape)
        return
    _write_header(proto, enum, array.shape)
    field = FIELDS[enum]
    if content:
        proto.tensor_content = array.tobytes()
    elif field in FIXED_WIDTH:
        _merge_packed(proto, field, np.ascontiguousarray(array))
    else:
        values = getattr(proto, field)
        flat = np.ascontiguousarray(array).ravel().view(PARTS.get(field, array.dtype))
        for start in range(0, len(flat), _CHUNK):
            values.extend(flat[start : start + _CHUNK].tolist())


def write_strings(proto: Message, values: Sequence[bytes], shape: Sequence[int]) -> None:
    """Fills an empty `TensorProto` of the given shape with strings in row-major order."""
    _write_header(proto, STRING, shape)
    proto.string_val.extend(values)


def _write_header(proto: Message, enum: int, shape: Sequence[int]) -> None:
    proto.dtype = enum
    dims = proto.tensor_shape
    dims.SetInParent()
    for size in shape:
        dims.dim.add().size = size


def _merge_packed(proto: Message, field: str, values: np.ndarray) -> None:
    """Appends packed values to a repeated field, which is several times faster than one Python number each."""
    if values.size:
        number = MESSAGES["tensorflow.TensorProto"][field][0]
        proto.MergeFromString(b"".join((wire.header(number, values.nbytes), values.data)))
