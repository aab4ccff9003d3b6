"""Data types of `TensorProto`s: the NumPy type of their elements and the repeated field that holds them."""

import numpy as np

from serving.protos.schema import ENUMS

try:
    import ml_dtypes
except ImportError:  # It comes with TensorFlow and JAX; only bfloat16 needs it.
    ml_dtypes = None  # type: ignore[assignment]

MAX_BYTES = 2**31 - 1
"""Limit of gRPC and protobuf messages."""

_ENUM = ENUMS["tensorflow.DataType"]
STRING = _ENUM["DT_STRING"]
_BFLOAT16 = _ENUM["DT_BFLOAT16"]

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

FIELDS: dict[int, str] = {_ENUM[name]: field for name, (_, field) in _TYPES.items()}
"""Repeated field of each `DataType`."""

PARTS: dict[str, type[np.generic]] = {
    "half_val": np.uint16,
    "scomplex_val": np.float32,
    "dcomplex_val": np.float64,
}
"""Type of the values in a repeated field that are not elements: bits of halves, parts of complex numbers."""

FIXED_WIDTH = ("float_val", "double_val", "scomplex_val", "bool_val", "dcomplex_val")
"""Repeated fields whose packed values have the bytes of the array."""

_DTYPES: dict[int, np.dtype] = {_ENUM[name]: np.dtype(dtype) for name, (dtype, _) in _TYPES.items()}
_ENUMS = {dtype: enum for enum, dtype in _DTYPES.items()}


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


def data_type(dtype: np.dtype) -> int:
    """Returns the `DataType` of a NumPy type. Raises `ValueError` if a `TensorProto` cannot hold it."""
    if dtype not in _ENUMS:
        raise ValueError(f"array should hold numbers, bools or bytes objects. Received: {dtype}")
    return _ENUMS[dtype]
