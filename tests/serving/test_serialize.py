"""Answers serialized without a message in between have the bytes of the messages."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis import predict_pb2

from serving import protos, tensors
from serving.predict_response import Prediction
from tests.serving.test_tensors import NUMBERS, SHAPES, sample


def written(array: np.ndarray) -> bytes:
    proto = TensorProto()
    tensors.write(proto, array)
    return proto.SerializeToString()


@pytest.mark.parametrize("shape", [*SHAPES, (300,), (200, 0, 1)])
@pytest.mark.parametrize("dtype", [*NUMBERS, "string"])
def test_serialized_tensors_have_the_bytes_of_the_message(dtype, shape):
    array = sample(dtype, shape)
    serialized = b"".join(tensors.serialize(array))
    assert serialized == written(array)
    read = tf.io.parse_tensor(serialized, tf.as_dtype(dtype)).numpy()
    assert np.shape(read) == shape
    assert np.asarray(read).tolist() == array.tolist()


@pytest.mark.parametrize("array", [np.arange(12, dtype=np.float32).reshape(3, 4).T, np.arange(12)[::-2]])
def test_arrays_that_are_not_contiguous(array):
    assert b"".join(tensors.serialize(array)) == written(array)


@pytest.mark.parametrize("values", [[0], [127, 0], [128], [2**7 - 1, 2**14 - 1, 2**14, 2**63 - 1], [-1, -(2**63), 5]])
@pytest.mark.parametrize("repeats", [1, 70_000])
def test_varints_of_every_length(values, repeats):
    array = np.tile(np.array(values, np.int64), repeats)
    assert b"".join(tensors.serialize(array)) == written(array)


def test_strings_of_any_length():
    array = np.array([b"x" * size for size in (0, 1, 127, 128, 16_384, 3)], object)
    assert b"".join(tensors.serialize(array)) == written(array)


def test_type_that_no_tensor_holds():
    with pytest.raises(ValueError, match="array should hold numbers, bools or bytes objects"):
        tensors.serialize(np.array(["text"]))


def test_response_has_the_fields_of_the_message():
    spec = protos.ModelSpec(name="shop", signature_name="raw")
    spec.version.value = 3
    outputs = {
        "": np.float32([]),
        "ctr": np.float32([0.25, 0.5]),
        "größe": np.arange(3),
        "id": np.array([b"a"], object),
    }
    response = predict_pb2.PredictResponse.FromString(Prediction(spec, outputs).serialize())
    expected = predict_pb2.PredictResponse()
    expected.model_spec.MergeFromString(spec.SerializeToString())
    for name, array in outputs.items():
        tensors.write(expected.outputs[name], array)
    assert response == expected
