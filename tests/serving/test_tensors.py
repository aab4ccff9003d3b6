import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow.core.framework.tensor_pb2 import TensorProto

from serving import tensors

NUMBERS = [
    "float16", "bfloat16", "float32", "float64", "int8", "int16", "int32", "int64",
    "uint8", "uint16", "uint32", "uint64", "bool", "complex64", "complex128",
]  # fmt: skip
SHAPES = [(), (1,), (5,), (2, 3), (0,), (3, 0), (1, 1, 4)]


def sample(dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    kind = tf.as_dtype(dtype)
    random = np.random.default_rng(5)
    if kind == tf.string:
        return np.array([random.bytes(size) for size in random.integers(0, 300, shape).ravel()], object).reshape(shape)
    values = random.normal(0.0, 40.0, shape)
    if kind.is_complex:
        return (values + 1j * values[::-1] if values.ndim else values + 2j).astype(kind.as_numpy_dtype)
    if kind.is_unsigned or kind.is_bool:
        values = np.abs(values) // 20
    return np.asarray(values).astype(kind.as_numpy_dtype)


def assert_same(actual: np.ndarray, expected: np.ndarray) -> None:
    assert actual.dtype == expected.dtype
    assert actual.shape == expected.shape
    assert actual.tolist() == expected.tolist()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [*NUMBERS, "string"])
def test_decodes_protos_of_make_tensor_proto(dtype, shape):
    array = sample(dtype, shape)
    assert_same(tensors.decode(tf.make_tensor_proto(array, tf.as_dtype(dtype), shape)), array)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [*NUMBERS, "string"])
def test_decodes_protos_of_the_runtime(dtype, shape):
    array = sample(dtype, shape)
    proto = TensorProto.FromString(tf.io.serialize_tensor(tf.constant(array, dtype)).numpy())
    assert_same(tensors.decode(proto), array)


@pytest.mark.parametrize("content", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [*NUMBERS, "string"])
def test_tensorflow_decodes_written_protos(dtype, shape, content):
    array = sample(dtype, shape)
    proto = TensorProto()
    tensors.write(proto, array, content)
    assert bool(proto.tensor_content) == (content and dtype != "string" and array.size > 0)
    read = tf.io.parse_tensor(proto.SerializeToString(), tf.as_dtype(dtype))
    assert read.shape == shape
    assert read.numpy() == array if shape == () else read.numpy().tolist() == array.tolist()
    assert_same(tf.make_ndarray(proto), array)
    assert_same(tensors.decode(proto), array)


@pytest.mark.parametrize(("dtype", "field"), [("int8", "int_val"), ("uint16", "int_val"), ("float16", "half_val")])
def test_values_out_of_range_wrap_around_as_in_the_runtime(dtype, field):
    kind = tf.as_dtype(dtype)
    proto = TensorProto(dtype=kind.as_datatype_enum, **{field: [70_000, -1, 15_360, 300]})
    proto.tensor_shape.dim.add().size = 4
    np.testing.assert_array_equal(tensors.decode(proto), tf.io.parse_tensor(proto.SerializeToString(), kind).numpy())


def test_strings_in_tensor_content_have_varint_lengths():
    proto = TensorProto(dtype=types_pb2.DT_STRING, tensor_content=b"\x02\xac\x02" + b"ab" + b"x" * 300)
    proto.tensor_shape.dim.add().size = 2
    assert tensors.decode(proto).tolist() == [b"ab", b"x" * 300]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], [0.0] * 4),
        ([2.5], [2.5] * 4),
        ([1.0, 2.0], [1.0, 2.0, 2.0, 2.0]),
        ([1.0, 2.0, 3.0, 4.0, 5.0], [1.0, 2.0, 3.0, 4.0]),
    ],
)
def test_repeated_fields_of_another_length_are_decoded_as_in_the_runtime(values, expected):
    proto = TensorProto(dtype=types_pb2.DT_FLOAT, float_val=values)
    proto.tensor_shape.dim.add().size = 4
    assert tensors.decode(proto).tolist() == expected
    assert tf.io.parse_tensor(proto.SerializeToString(), tf.float32).numpy().tolist() == expected


def test_short_fields_of_strings_halves_and_complex_numbers():
    for dtype, field, values, expected in [
        ("string", "string_val", [b"a"], [b"a"] * 3),
        ("string", "string_val", [], [b""] * 3),
        ("float16", "half_val", [0x3C00], [1.0] * 3),
        ("complex64", "scomplex_val", [1.0, 2.0], [1 + 2j] * 3),
    ]:
        proto = TensorProto(dtype=tf.as_dtype(dtype).as_datatype_enum, **{field: values})
        proto.tensor_shape.dim.add().size = 3
        assert tensors.decode(proto).tolist() == expected


@pytest.mark.parametrize(
    ("dtype", "shape", "content", "message"),
    [
        (types_pb2.DT_FLOAT, [2], b"1234567", "tensor_content should hold 8 bytes. Received: 7"),
        (types_pb2.DT_FLOAT, [-1], b"", "tensor_shape should be known"),
        (types_pb2.DT_FLOAT, [1 << 20, 1 << 20], b"", "tensor should hold at most 2147483647 bytes"),
        (types_pb2.DT_STRING, [2], b"\x01", "should hold the lengths of 2 strings. Received: 1"),
        (types_pb2.DT_STRING, [2], b"\x01\x01a", "tensor_content should hold 4 bytes. Received: 3"),
        (types_pb2.DT_STRING, [1], b"\xff" * 9, "should hold the lengths of 1 strings. Received: 0"),
        (types_pb2.DT_INVALID, [1], b"", "dtype should be a number, bool or string type. Received: 0"),
        (types_pb2.DT_RESOURCE, [1], b"", "dtype should be a number, bool or string type. Received: 20"),
    ],
)
def test_rejects_invalid_tensors(dtype, shape, content, message):
    proto = TensorProto(dtype=dtype, tensor_content=content)
    for size in shape:
        proto.tensor_shape.dim.add().size = size
    with pytest.raises(ValueError, match=message):
        tensors.decode(proto)


def test_arrays_without_a_type_are_rejected():
    with pytest.raises(ValueError, match=r"array should hold numbers, bools or bytes objects. Received: <U1"):
        tensors.write(TensorProto(), np.array(["a"]))


def test_decoded_arrays_are_writable():
    array = tensors.decode(tf.make_tensor_proto(np.arange(3.0)))
    array[0] = 9.0
    assert array.tolist() == [9.0, 1.0, 2.0]
