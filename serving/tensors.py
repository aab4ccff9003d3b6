"""Conversion of `TensorProto`s from and to NumPy arrays, faster than `make_tensor_proto` and `make_ndarray`.

A `TensorProto` holds its elements as raw little-endian bytes (`tensor_content`) or in a repeated field of its type
(`float_val`, `string_val`, ...). TensorFlow Serving answers with repeated fields; clients may send either. Decoding
follows `tensorflow::Tensor::FromProto`: the last value of a short repeated field is repeated, an empty field means
zeros, a long one is truncated, and raw bytes must have exactly the size of the tensor.
"""

import math
from collections.abc import Sequence

import numpy as np
from google.protobuf.message import Message

from serving.protos.schema import ENUMS

try:
    import ml_dtypes
except ImportError:  # It comes with TensorFlow and JAX; only bfloat16 needs it.
    ml_dtypes = None  # type: ignore[assignment]

# The limit of gRPC and protobuf messages. A larger shape can only come with fewer values than it has elements.
MAX_BYTES = 2**31 - 1

_STRING = ENUMS["tensorflow.DataType"]["DT_STRING"]
_BFLOAT16 = ENUMS["tensorflow.DataType"]["DT_BFLOAT16"]

# NumPy type of the elements and repeated field of each data type.
_TYPES: dict[str, tuple[type, str]] = {
    "DT_FLOAT": (np.float32, "float_val"),
    "DT_DOUBLE": (np.float64, "double_val"),
    "DT_INT8": (np.int8, "int_val"),
    "DT_INT16": (np.int16, "int_val"),
    "DT_INT32": (np.int32, "int_val"),
    "DT_UINT8": (np.uint8, "int_val"),
    "DT_UINT16": (np.uint16, "int_val"),
    "DT_INT64": (np.int64, "int64_val"),
    "DT_UINT32": (np.uint32, "uint32_val"),
    "DT_UINT64": (np.uint64, "uint64_val"),
    "DT_BOOL": (np.bool_, "bool_val"),
    "DT_HALF": (np.float16, "half_val"),
    "DT_COMPLEX64": (np.complex64, "scomplex_val"),
    "DT_COMPLEX128": (np.complex128, "dcomplex_val"),
    "DT_STRING": (np.object_, "string_val"),
}
if ml_dtypes is not None:
    _TYPES["DT_BFLOAT16"] = (ml_dtypes.bfloat16, "half_val")

_DTYPES: dict[int, np.dtype] = {
    ENUMS["tensorflow.DataType"][name]: np.dtype(dtype) for name, (dtype, _) in _TYPES.items()
}
_FIELDS = {ENUMS["tensorflow.DataType"][name]: field for name, (_, field) in _TYPES.items()}
_ENUMS = {dtype: enum for enum, dtype in _DTYPES.items()}

# Type of the values in the repeated field: the bits of half floats, the two parts of complex numbers.
_PARTS: dict[str, type[np.generic]] = {
    "half_val": np.uint16,
    "scomplex_val": np.float32,
    "dcomplex_val": np.float64,
}


def numpy_dtype(enum: int) -> np.dtype:
    """Returns the NumPy type of a `DataType`: `object`, holding bytes, for strings.

    Raises:
        ValueError: If the type is not a number, bool or string, or is bfloat16 and `ml_dtypes` is not installed.
    """
    if enum == _BFLOAT16 and ml_dtypes is None:
        raise ValueError(f"bfloat16 needs the package ml-dtypes. Received: a tensor of dtype {enum}")
    if enum not in _DTYPES:
        raise ValueError(f"dtype should be a number, bool or string type. Received: {enum}")
    return _DTYPES[enum]


def decode(proto: Message) -> np.ndarray:
    """Returns a `TensorProto` as an array; strings become an object array of bytes.

    Args:
        proto: Tensor in either encoding.

    Returns:
        A new array with the shape and type of `proto`.

    Raises:
        ValueError: If the type or the shape is unknown, or the raw bytes have another size.
    """
    dtype = numpy_dtype(proto.dtype)
    shape = [dim.size for dim in proto.tensor_shape.dim]
    size = math.prod(shape)
    if proto.tensor_shape.unknown_rank or min(shape, default=0) < 0:
        raise ValueError(f"tensor_shape should be known. Received: {proto.tensor_shape}")
    if size * dtype.itemsize > MAX_BYTES:
        raise ValueError(f"tensor should hold at most {MAX_BYTES} bytes. Received: shape {shape}")
    if not size:
        return np.empty(shape, dtype)
    content = proto.tensor_content
    if not content:
        return _decode_field(proto, dtype, size).reshape(shape)
    if dtype.hasobject:
        return _split_strings(content, size).reshape(shape)
    if len(content) != size * dtype.itemsize:
        raise ValueError(f"tensor_content should hold {size * dtype.itemsize} bytes. Received: {len(content)}")
    return np.frombuffer(content, dtype).reshape(shape).copy()


def _decode_field(proto: Message, dtype: np.dtype, size: int) -> np.ndarray:
    field = _FIELDS[proto.dtype]
    values = getattr(proto, field)
    parts = np.dtype(_PARTS.get(field, dtype))
    if dtype.kind == "c":
        values = values[: len(values) // 2 * 2]
    # int32 values hold the smaller types too; as in C++, a value out of range wraps around.
    wire = np.dtype(np.int32) if field in ("int_val", "half_val") else parts
    array: np.ndarray = np.fromiter(values, wire, len(values)).astype(parts, copy=False).view(dtype)
    if len(array) == size:
        return array
    if not len(array):
        array = np.array([b"" if dtype.hasobject else 0], dtype)
    repeated: np.ndarray = array[np.minimum(np.arange(size), len(array) - 1)]
    return repeated


def _split_strings(content: bytes, size: int) -> np.ndarray:
    """Returns the strings of `tensor_content`: all lengths as varints, then all bytes.

    The format is that of `tensorflow::port::DecodeStringList`.
    """
    lengths: list[int] = []
    position = 0
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
    strings = np.empty(size, object)
    for index, length in enumerate(lengths):
        strings[index] = content[position : position + length]
        position += length
    return strings


def write(proto: Message, array: np.ndarray, content: bool = False) -> None:
    """Fills an empty `TensorProto` with an array.

    Args:
        proto: Tensor to fill. Filling `request.inputs[name]` in place saves a copy.
        array: Numbers, bools, or objects of type bytes.
        content: If True, writes numbers as raw bytes instead of in the repeated field of their type.

    Raises:
        ValueError: If a `TensorProto` cannot hold the type of `array`.
    """
    if array.dtype not in _ENUMS:
        raise ValueError(f"array should hold numbers, bools or bytes objects. Received: {array.dtype}")
    enum = _ENUMS[array.dtype]
    if enum == _STRING:
        write_strings(proto, array.ravel().tolist(), array.shape)
        return
    _write_header(proto, enum, array.shape)
    if content:
        proto.tensor_content = array.tobytes()
    else:
        flat = np.ascontiguousarray(array).ravel()
        getattr(proto, _FIELDS[enum]).extend(flat.view(_PARTS.get(_FIELDS[enum], array.dtype)).tolist())


def write_strings(proto: Message, values: Sequence[bytes], shape: Sequence[int]) -> None:
    """Fills an empty `TensorProto` of the given shape with strings in row-major order."""
    _write_header(proto, _STRING, shape)
    proto.string_val.extend(values)


def _write_header(proto: Message, enum: int, shape: Sequence[int]) -> None:
    proto.dtype = enum
    dims = proto.tensor_shape
    dims.SetInParent()
    for size in shape:
        dims.dim.add().size = size
