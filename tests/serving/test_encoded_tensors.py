"""Serialized tensors are read as `tensorflow::Tensor::FromProto` reads them, without expanding them."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto

from serving import tensors
from serving.protos import wire
from serving.tensors.varints import count_varints, decode_varints

VALUES = {
    "float32": ("float_val", [1.5, -2.0, 3.0]), "float64": ("double_val", [1.5, -2.0]),
    "int8": ("int_val", [1, -1, 300]), "uint16": ("int_val", [70_000, -1]), "int32": ("int_val", [5, -(2**31)]),
    "int64": ("int64_val", [3, -(2**63), 2**63 - 1]), "uint32": ("uint32_val", [3, 2**32 - 1]),
    "uint64": ("uint64_val", [2**64 - 1, 1]), "bool": ("bool_val", [True, False]),
    "float16": ("half_val", [15_360, -1]), "bfloat16": ("half_val", [16_256]),
    "complex64": ("scomplex_val", [1.0, 2.0, 3.0]),
    "complex128": ("dcomplex_val", [1.0, 2.0, 3.0, 4.0]), "string": ("string_val", [b"a", b"", b"\xff" * 200]),
}  # fmt: skip
SHAPES = [(), (0,), (1,), (3,), (2, 2), (5, 0, 2), (2**40, 0), (1,) * 30]
REFUSED = [(-1,), (2**62, 4), (2**62, 4, 0), (1,) * 255]


def encoded(dtype: str, shape, values) -> TensorProto:
    proto = TensorProto(dtype=tf.as_dtype(dtype).as_datatype_enum, **{VALUES[dtype][0]: values})
    proto.tensor_shape.SetInParent()
    for size in shape:
        proto.tensor_shape.dim.add().size = size
    return proto


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", [0, 1, 2, 3])
@pytest.mark.parametrize("dtype", VALUES)
def test_elements_are_those_of_the_runtime(dtype, count, shape):
    data = encoded(dtype, shape, VALUES[dtype][1][:count]).SerializeToString()
    expected = tf.io.parse_tensor(data, tf.as_dtype(dtype)).numpy()
    tensor = tensors.EncodedTensor(data)
    array = np.asarray(tensor.decode())
    assert (tensor.shape, tensor.elements) == (shape, array.size)
    np.testing.assert_array_equal(array, np.asarray(expected, array.dtype))


@pytest.mark.parametrize("shape", REFUSED)
@pytest.mark.parametrize("dtype", VALUES)
def test_shapes_that_the_runtime_refuses(dtype, shape):
    data = encoded(dtype, shape, VALUES[dtype][1][:1]).SerializeToString()
    with pytest.raises(tf.errors.InvalidArgumentError):
        tf.io.parse_tensor(data, tf.as_dtype(dtype))
    with pytest.raises(ValueError, match="tensor_shape should"):
        tensors.EncodedTensor(data)


@pytest.mark.parametrize("shape", [(0, 2**62, 2**62), (1,) * 200])
def test_arrays_that_numpy_does_not_have(shape):
    tensor = tensors.EncodedTensor(encoded("float32", shape, [1.0]).SerializeToString())
    assert tensor.shape == shape
    with pytest.raises(ValueError, match=r"array is too big|maximum (supported )?dimension"):
        tensor.decode()


def test_unknown_rank_is_ignored_as_in_the_runtime():
    proto = encoded("float32", (1,), [4.0])
    proto.tensor_shape.unknown_rank = True
    data = proto.SerializeToString()
    assert tf.io.parse_tensor(data, tf.float32).numpy().tolist() == [4.0]
    assert tensors.EncodedTensor(data).decode().tolist() == [4.0]


@pytest.mark.parametrize("size", [1, 100, 70_000])
@pytest.mark.parametrize("field", ["int64_val", "uint64_val", "int_val", "bool_val"])
def test_varints_of_any_length(field, size):
    random = np.random.default_rng(size)
    bits = random.integers(0, 64, size)
    values = (random.integers(0, 2**63, size).astype(np.uint64) >> bits.astype(np.uint64)).astype(np.int64)
    values = np.where(random.random(size) < 0.2, -values, values)
    if field == "int_val":
        values = values.astype(np.int32)
    if field in ("uint64_val", "bool_val"):
        values = np.abs(values)
    dtype = {"int64_val": tf.int64, "uint64_val": tf.uint64, "int_val": tf.int32, "bool_val": tf.bool}[field]
    values = values.astype(dtype.as_numpy_dtype)
    proto = TensorProto(dtype=dtype.as_datatype_enum, **{field: values.tolist()})
    proto.tensor_shape.dim.add().size = size
    tensor = tensors.EncodedTensor(proto.SerializeToString())
    np.testing.assert_array_equal(tensor.decode(), values)
    assert not tensor.repeats
    proto.tensor_shape.dim[0].size = size + 1
    assert tensors.EncodedTensor(proto.SerializeToString()).repeats


@pytest.mark.parametrize("size", [tensors.LARGE_BYTES // 4 - 1000, tensors.LARGE_BYTES // 4])
@pytest.mark.parametrize("content", [False, True])
def test_arrays_of_large_messages_do_not_refer_to_them(size, content):
    proto = TensorProto()
    tensors.write(proto, np.arange(size, dtype=np.float32), content)
    data = proto.SerializeToString()
    array = tensors.EncodedTensor(data).decode()
    np.testing.assert_array_equal(array, np.arange(size))
    refers = np.shares_memory(array, np.frombuffer(data, np.uint8))
    assert refers == (len(data) < tensors.LARGE_BYTES)
    assert refers or array.ctypes.data % 64 == 0  # TensorFlow copies an array at any other address.


def test_malformed_varints():
    for packed in (b"\x80", b"\x01\xff", b"\xff" * 10 + b"\x01" * 20):
        with pytest.raises(wire.WireError):
            decode_varints(packed)
    assert decode_varints(b"").tolist() == []
    assert count_varints(b"\x01\xff\x01\x02") == 3


def test_encodings_that_no_serializer_writes_are_noticed():
    shape = b"\x12\x04\x12\x02\x08\x02"
    for data in (
        b"\x08\x01" + shape + shape,  # tensor_shape in two parts
        b"\x08\x01" + shape + b"\x2d\0\0\0\0\x2d\0\0\0\0",  # floats that are not packed
        b"\x08\x01" + shape + b"\x2a\x04\0\0\0\0" * 2,  # floats in two parts
        b"\x08\x01" + shape + b"\x1b\x1c",  # a group
        b"\x08\x01" + shape + b"\x18\x01" * 20_000,  # too many fields
        b"\x08\x07" + b"\x42\x01a" * 100 + shape,  # strings before another field
    ):
        with pytest.raises(wire.UnusualEncoding):
            tensors.EncodedTensor(data)
        assert TensorProto.FromString(data).dtype in (1, 7)


def test_memory_is_known_before_it_is_taken():
    proto = encoded("string", (1000,), [b"a" * 100])
    tensor = tensors.EncodedTensor(proto.SerializeToString())
    assert tensor.repeats
    assert tensor.memory_bytes > 1000 * (100 + 24)
    with pytest.raises(tensors.TensorTooLarge, match="at most 10 strings"):
        tensors.EncodedTensor(encoded("string", (50,), [b"B"] * 50).SerializeToString(), max_bytes=960)
    assert tensors.EncodedTensor(encoded("float32", (2**30,), []).SerializeToString()).memory_bytes == 2**32


@pytest.mark.parametrize(
    "data", [b"\x0a", b"\x0a\x05a", b"\x08", b"\x0d\0\0", b"\x09\0\0\0\0", b"\x80" * 11, b"\x0f\x01"]
)
def test_bytes_that_are_no_message(data):
    with pytest.raises((wire.WireError, wire.UnusualEncoding)):
        list(wire.fields(data, 0, len(data)))
    with pytest.raises(Exception, match="Error parsing message"):
        TensorProto.FromString(data)
