"""Properties of the parsers of requests and tensors, on messages that Hypothesis draws."""

import math

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf.message import DecodeError

from serving import protos, tensors
from serving.errors import StatusError
from serving.protos import wire
from serving.requests.limits import Limits
from serving.requests.predict_request import parse_predict_request
from tests.serving.mutations import parses

hypothesis = pytest.importorskip("hypothesis")  # an environment of an older lock does not have it
from hypothesis import given, settings, strategies  # noqa: E402

TYPES = {
    "float_val": strategies.floats(width=32), "double_val": strategies.floats(),
    "half_val": strategies.integers(0, 2**16), "bool_val": strategies.booleans(),
    "int_val": strategies.integers(-(2**31), 2**31 - 1),
    "string_val": strategies.binary(max_size=200),
    "scomplex_val": strategies.floats(width=32), "dcomplex_val": strategies.floats(),
    "int64_val": strategies.integers(-(2**63), 2**63 - 1), "uint32_val": strategies.integers(0, 2**32 - 1),
    "uint64_val": strategies.integers(0, 2**64 - 1),
}  # fmt: skip
DTYPES = [tf.as_dtype(enum) for enum in (*range(1, 11), 14, 17, 18, 19, 22, 23)]
LIMITS = Limits(max_message_bytes=1 << 20)


@strategies.composite
def tensor_protos(draw) -> protos.TensorProto:
    """Draws tensors of any type whose shape has at most 1000 elements, or is invalid."""
    proto = protos.TensorProto(dtype=draw(strategies.sampled_from(DTYPES)).as_datatype_enum)
    sizes = draw(strategies.lists(strategies.sampled_from([0, 1, 1, 2, 3, 7]), max_size=4))
    if draw(strategies.integers(0, 9)) == 0:
        sizes += draw(strategies.sampled_from([[-1], [2**62, 4], [1] * 300]))
    hypothesis.assume(math.prod(sizes) <= 1000 or 2**62 in sizes)
    proto.tensor_shape.SetInParent()
    for size in sizes:
        proto.tensor_shape.dim.add().size = size
    for field in draw(strategies.lists(strategies.sampled_from(sorted(TYPES)), max_size=3)):
        getattr(proto, field).extend(draw(strategies.lists(TYPES[field], max_size=30)))
    if draw(strategies.booleans()):
        proto.tensor_content = draw(strategies.binary(max_size=64))
    return proto


@settings(max_examples=200, deadline=None, database=None)
@given(tensor_protos())
def test_tensors_are_accepted_and_read_as_the_runtime_does(proto):
    data = proto.SerializeToString()
    dtype = tf.as_dtype(proto.dtype)
    try:
        parsed = tf.io.parse_tensor(data, dtype)
    except tf.errors.InvalidArgumentError:
        with pytest.raises(ValueError):
            tensors.EncodedTensor(data)
        return
    tensor = tensors.EncodedTensor(data)
    assert tensor.shape == tuple(parsed.shape)
    if 2**62 in tensor.shape:  # besides a zero: TensorFlow has such tensors, NumPy no such arrays
        return
    array = np.asarray(tensor.decode())
    expected = np.asarray(parsed.numpy(), array.dtype)
    if array.dtype.hasobject:
        assert array.tolist() == expected.tolist()
    else:  # bit by bit, since NaN differs from itself
        assert array.tobytes() == expected.tobytes()
    assert tensor.memory_bytes >= array.nbytes
    np.testing.assert_array_equal(tensors.decode(proto), array)


@settings(max_examples=150, deadline=None, database=None)
@given(
    strategies.dictionaries(strategies.text(max_size=5), tensor_protos(), max_size=4),
    strategies.lists(strategies.text(max_size=5), max_size=4),
    strategies.text(max_size=5),
)
def test_requests_are_read_as_protobuf_does(inputs, output_filter, name):
    request = protos.PredictRequest(output_filter=output_filter)
    request.model_spec.name = name
    for alias, proto in inputs.items():
        request.inputs[alias].CopyFrom(proto)
    read = parse_predict_request(request.SerializeToString(), LIMITS)
    assert (read.model_spec, read.output_filter, set(read.inputs)) == (request.model_spec, output_filter, set(inputs))
    for alias, proto in inputs.items():
        try:
            expected = tensors.EncodedTensor(proto.SerializeToString())
        except ValueError:
            assert isinstance(read.inputs[alias], ValueError)
        else:
            assert (read.inputs[alias].dtype, read.inputs[alias].shape) == (expected.dtype, expected.shape)


@settings(max_examples=200, deadline=None, database=None)
@given(strategies.binary(max_size=60), tensor_protos(), strategies.integers(0, 100))
def test_any_bytes_are_a_request_or_a_status(noise, proto, position):
    request = protos.PredictRequest()
    request.inputs["x"].CopyFrom(proto)
    data = request.SerializeToString()
    data = data[:position] + noise + data[position:]
    code = "OK"
    try:
        parse_predict_request(data, LIMITS)
    except StatusError as error:
        code = error.code.name
    assert code in (("OK", "RESOURCE_EXHAUSTED") if parses(data) else ("OK", "INTERNAL"))


@settings(max_examples=150, deadline=None, database=None)
@given(strategies.binary(max_size=40))
def test_fields_end_where_protobuf_ends_them(data):
    try:
        protos.TensorProto.FromString(data)
    except DecodeError:
        return
    try:
        found = list(wire.fields(data, 0, len(data)))
    except wire.UnusualEncoding:
        return
    assert not found or found[-1][2] == len(data)
