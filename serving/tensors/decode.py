"""Arrays read from serialized `TensorProto`s, whose header is validated before anything is allocated."""

import numpy as np
from google.protobuf.message import DecodeError, Message

from serving import protos
from serving.protos import wire
from serving.protos.schema import MESSAGES
from serving.tensors.dtypes import FIELDS, MAX_BYTES, PARTS, STRING, numpy_dtype
from serving.tensors.shapes import decode_shape
from serving.tensors.strings import STRING_TAG, TensorTooLarge, decode_string_field, split_strings
from serving.tensors.varints import count_varints, decode_varints

_FEW_BYTES = 128  # strings that are read faster one by one
_FEW_VARINTS = 4096  # bytes of varints that protobuf reads faster
_ELEMENT_BYTES = 32  # a pointer in the array and a `tstring` of TensorFlow
_ALIGNMENT = 64
LARGE_BYTES = 4 * 2**20
"""Size of a message from which it is worth some time to save its memory."""
STRING_BYTES = 96
"""Memory of a string without its characters: that of an element, a bytes object and its entry in the message."""

# Bytes of an element, 0 for strings. The first types are those that no array holds: quantized ones and those below
# 16 bits, which may be named in a request nevertheless.
_ITEM_SIZES = {11: 1, 12: 1, 13: 4, 15: 2, 16: 2, 24: 1, 25: 1, 29: 1, 30: 1} | {
    enum: 0 if numpy_dtype(enum).hasobject else numpy_dtype(enum).itemsize for enum in FIELDS
}

_FIXED_WIDTH = ("float_val", "double_val", "scomplex_val", "dcomplex_val")
_DTYPE = wire.tag(1, wire.VARINT)
_SHAPE = wire.tag(2, wire.BYTES)
_CONTENT = wire.tag(4, wire.BYTES)
_NUMBERS = {name: MESSAGES["tensorflow.TensorProto"][name][0] for name in set(FIELDS.values()) - {"string_val"}}
_PACKED = {wire.tag(number, wire.BYTES): name for name, number in _NUMBERS.items()}
_UNPACKED = {
    wire.tag(number, kind) for number in _NUMBERS.values() for kind in (wire.VARINT, wire.FIXED32, wire.FIXED64)
}


class EncodedTensor:
    """Serialized `TensorProto` that is valid, and whose elements are decoded when they are needed.

    It accepts the tensors that `tensorflow::Tensor::FromProto` accepts. The last value of a short repeated field is
    repeated, an empty field means zeros, a long one is truncated, and raw bytes must have exactly the size of the
    tensor.

    Args:
        data: Bytes that hold the message. Arrays of numbers may refer to them.
        position: Index of its first byte.
        end: Index behind its last byte.
        max_bytes: Maximum memory of the strings.

    Attributes:
        dtype: `DataType` of the elements.
        shape: Dimensions.
        elements: Number of elements.
        memory_bytes: Memory that the decoded elements take in an array and in TensorFlow.
        sent_bytes: Size of the message.

    Raises:
        ValueError: If the type or the shape is unknown, or the raw bytes have another size.
        TensorTooLarge: If there are more strings than `max_bytes` allows.
        WireError: If the bytes are not a message.
        UnusualEncoding: If a field is in several parts, or is not packed.
    """

    __slots__ = ("_content", "_data", "_packed", "_strings", "dtype", "elements", "memory_bytes", "sent_bytes", "shape")

    def __init__(self, data: bytes, position: int = 0, end: int | None = None, max_bytes: int = MAX_BYTES):
        end = len(data) if end is None else end
        self._data = data
        self.sent_bytes = end - position
        self.dtype = 0
        self._content = (0, 0)
        self._packed: dict[str, tuple[int, int, int]] = {}
        self._strings: list[bytes] = []
        shape = None
        skipped = False
        previous = position
        for tag, start, stop in wire.fields(data, position, end):
            if tag == _DTYPE:
                if self._strings or skipped:
                    raise wire.UnusualEncoding("dtype behind string_val")
                self.dtype = start
            elif tag == _SHAPE:
                if shape is not None:
                    raise wire.UnusualEncoding("tensor_shape in several parts")
                shape = start, stop
            elif tag == _CONTENT:
                self._content = start, stop
            elif tag == STRING_TAG and self.dtype != STRING:
                skipped = True
            elif tag == STRING_TAG and end - previous > _FEW_BYTES:
                self._strings += decode_string_field(data, previous, end, max_bytes // STRING_BYTES)
                break  # other repeated fields behind it have no meaning
            elif tag == STRING_TAG:
                self._strings.append(data[start:stop])
            elif tag in _PACKED:
                if _PACKED[tag] in self._packed:
                    raise wire.UnusualEncoding("a repeated field in several parts")
                self._packed[_PACKED[tag]] = previous, start, stop
            elif tag in _UNPACKED:
                raise wire.UnusualEncoding("a repeated field that is not packed")
            previous = stop
        item_size = _item_size(self.dtype)
        self.shape, self.elements = decode_shape(data[shape[0] : shape[1]]) if shape else ((), 1)
        if self.elements and self._content[1] > self._content[0]:
            self._validate_content(item_size)
        self.memory_bytes = self.elements * item_size if item_size else self._strings_memory()

    @property
    def strings_bytes(self) -> int:
        """Memory that the strings of the message take already."""
        return len(self._strings) * STRING_BYTES

    @property
    def repeats(self) -> bool:
        """True if the last value has to be repeated, since the field has fewer values than the tensor elements."""
        start, stop = self._content
        if not self.elements or stop > start:
            return False
        field = FIELDS.get(self.dtype, "")
        if field == "string_val":
            return len(self._strings) < self.elements
        _, start, stop = self._packed.get(field, (0, 0, 0))
        if field in _FIXED_WIDTH:
            return (stop - start) // numpy_dtype(self.dtype).itemsize < self.elements
        return stop - start < self.elements or count_varints(memoryview(self._data)[start:stop]) < self.elements

    def decode(self) -> np.ndarray:
        """Returns the tensor as an array, which may be read-only; strings become an object array of bytes.

        The array refers to the bytes of the message only if these are few, so that a large message can be freed.

        Raises:
            ValueError: If NumPy has no such array, or a value is not encoded correctly.
        """
        dtype = numpy_dtype(self.dtype)
        if not self.elements:
            return np.empty(self.shape, dtype)
        if dtype.hasobject:
            values = np.array(self._strings, object)
        elif self._content[1] > self._content[0]:
            values = np.frombuffer(self._data, dtype, self.elements, self._content[0])
        else:
            values = self._values(dtype)
        if len(values) != self.elements:
            values = _fill(values, dtype, self.elements)
        if len(self._data) >= LARGE_BYTES and not values.flags.owndata:
            values = _aligned_copy(values)
        return values if len(self.shape) == 1 else values.reshape(self.shape)

    def _strings_memory(self) -> int:
        repeated = len(self._strings[-1]) * max(self.elements - len(self._strings), 0) if self._strings else 0
        return max(self.elements * _ELEMENT_BYTES, self.strings_bytes) + repeated + self.sent_bytes

    def _validate_content(self, item_size: int) -> None:
        start, stop = self._content
        if not item_size:
            self._strings = split_strings(self._data[start:stop], self.elements)
        elif stop - start != self.elements * item_size:
            expected = self.elements * item_size
            raise ValueError(f"tensor_content should hold {expected} bytes. Received: {stop - start}")

    def _values(self, dtype: np.dtype) -> np.ndarray:
        field = FIELDS[self.dtype]
        tagged, start, stop = self._packed.get(field, (0, 0, 0))
        parts = np.dtype(PARTS.get(field, dtype))
        if field in _FIXED_WIDTH:
            if (stop - start) % parts.itemsize:
                raise wire.WireError(f"{field} should hold values of {parts.itemsize} bytes")
            return np.frombuffer(self._data, dtype, (stop - start) // dtype.itemsize, start)
        if stop - start <= _FEW_VARINTS and not self._data[start:stop].isascii():
            # As in C++, a value out of range wraps around; a varint other than 0 is true.
            return _values_of_message(self._data[tagged:stop], field).astype(parts).view(dtype)
        return decode_varints(memoryview(self._data)[start:stop], parts).view(dtype)


def _values_of_message(data: bytes, field: str) -> np.ndarray:
    try:
        values = getattr(protos.TensorProto.FromString(data), field)
    except DecodeError as error:
        raise wire.WireError(f"{field} is malformed") from error
    return np.fromiter(values, np.uint64 if field == "uint64_val" else np.int64, len(values))


def decode(proto: Message) -> np.ndarray:
    """Returns a `TensorProto` as an array; strings become an object array of bytes.

    Args:
        proto: Tensor in either encoding.

    Returns:
        A new array with the shape and type of `proto`.

    Raises:
        ValueError: If the type or the shape is unknown, the raw bytes have another size, or there are more than
            2**31 - 1 bytes.
    """
    tensor = EncodedTensor(proto.SerializeToString())
    if tensor.memory_bytes > MAX_BYTES:
        raise TensorTooLarge(f"tensor should hold at most {MAX_BYTES} bytes. Received: shape {list(tensor.shape)}")
    array = tensor.decode()
    return array if array.flags.writeable else array.copy()


def _item_size(enum: int) -> int:
    """Returns the bytes of an element; 0 for strings. Raises `ValueError` if the type is unknown."""
    size = _ITEM_SIZES.get(enum)
    if size is None:
        numpy_dtype(enum)  # raises the error
        raise ValueError(f"dtype should be known. Received: {enum}")
    return size


def _aligned_copy(values: np.ndarray) -> np.ndarray:
    """Returns a copy whose memory TensorFlow uses as it is."""
    memory = np.empty(values.nbytes + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    copy: np.ndarray = memory[start : start + values.nbytes].view(values.dtype)
    copy[:] = values
    return copy


def _fill(values: np.ndarray, dtype: np.dtype, elements: int) -> np.ndarray:
    """Returns exactly `elements` values: the last one is repeated, or those behind are dropped."""
    if len(values) >= elements:
        return values[:elements]
    filled = np.empty(elements, dtype)
    filled[: len(values)] = values
    filled[len(values) :] = values[-1] if len(values) else (b"" if dtype.hasobject else 0)
    return filled
