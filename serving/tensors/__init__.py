"""Conversion of `TensorProto`s from and to NumPy arrays, faster than `make_tensor_proto` and `make_ndarray`.

A `TensorProto` holds its elements as raw little-endian bytes (`tensor_content`) or in a repeated field of its type
(`float_val`, `string_val`, ...). TensorFlow Serving answers with repeated fields; clients may send either.
"""

from serving.tensors.decode import LARGE_BYTES, STRING_BYTES, EncodedTensor, decode
from serving.tensors.dtypes import MAX_BYTES, numpy_dtype
from serving.tensors.encode import write, write_strings
from serving.tensors.serialize import Part, serialize
from serving.tensors.strings import TensorTooLarge

__all__ = [
    "LARGE_BYTES",
    "MAX_BYTES",
    "STRING_BYTES",
    "EncodedTensor",
    "Part",
    "TensorTooLarge",
    "decode",
    "numpy_dtype",
    "serialize",
    "write",
    "write_strings",
]
