"""Predict requests over gRPC that are answered with outputs; `conformance` has the errors."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto

X = np.array([1.0, 2.0], np.float32)


@pytest.mark.parametrize("signature", ["", "serving_default"])
def test_predict(predict, signature):
    response = predict(signature=signature, inputs={"x": X})
    spec = response.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("m", 7, "serving_default")
    assert response.outputs["y"].float_val == [3.0, 5.0]
    assert response.outputs["y"].tensor_content == b""
    assert tf.make_ndarray(response.outputs["y"]).tolist() == [3.0, 5.0]


def test_predict_of_an_explicit_version(predict):
    assert predict(inputs={"x": X}, version=7).outputs["y"].float_val == [3.0, 5.0]
    assert predict("ads", "raw", version=123, inputs=ads_inputs()).model_spec.version.value == 123


def ads_inputs():
    return {"age": X, "city": ["c1", "?"], "tags": [["a"], [""]], "weights": [[0.5], [0.0]]}


def test_predict_named_tensors(predict, expected_scores):
    response = predict("ads", "raw", inputs=ads_inputs())
    rows = [{"age": 1.0, "city": "c1", "tags": ["a"], "weights": [0.5]}, {"age": 2.0, "city": "?"}]
    for name, values in expected_scores(rows).items():
        np.testing.assert_allclose(tf.make_ndarray(response.outputs[name]), values, rtol=1e-6)


@pytest.mark.parametrize("encode", ["float_val", "tensor_content"])
def test_predict_reads_both_encodings(predict, encode):
    values = [1.0, 2.0] if encode == "float_val" else X.tobytes()
    proto = TensorProto(dtype=1, **{encode: values})
    proto.tensor_shape.dim.add().size = 2
    assert predict(inputs={"x": proto}).outputs["y"].float_val == [3.0, 5.0]


def test_predict_strings_and_scalars(predict):
    response = predict(signature="echo", inputs={"text": ["a", "", "ccc"]})
    assert response.outputs["text"].string_val == [b"a", b"", b"ccc"]
    assert response.outputs["same"].string_val == [b"a", b"", b"ccc"]
    assert response.outputs["length"].int_val == [1, 0, 3]
    assert (response.outputs["joined"].string_val, response.outputs["joined"].tensor_shape.dim) == ([b"accc"], [])
    assert (response.outputs["size"].int_val, response.outputs["size"].tensor_shape.dim) == ([3], [])


def test_output_filter(predict):
    inputs = {"x": np.array([[2.0, 5.0]], np.float32)}
    assert set(predict(signature="product", inputs=inputs).outputs) == {"y", "z"}
    only = predict(signature="product", inputs=inputs, filter=["z"]).outputs
    assert {name: tensor.float_val[:] for name, tensor in only.items()} == {"z": [10.0]}
    both = predict(signature="product", inputs=inputs, filter=["z", "y"]).outputs
    assert {name: tensor.float_val[:] for name, tensor in both.items()} == {"z": [10.0], "y": [7.0]}


def test_empty_batch(predict):
    output = predict(inputs={"x": np.zeros([0], np.float32)}).outputs["y"]
    assert [dim.size for dim in output.tensor_shape.dim] == [0]
    empty = {
        "age": X[:0],
        "city": np.array([], object),
        "tags": np.zeros([0, 1], "S1"),
        "weights": np.zeros([0, 1], "f"),
    }
    protos = {name: tf.make_tensor_proto(value, shape=value.shape, dtype=dtype) for (name, value), dtype in
              zip(empty.items(), ["float32", "string", "string", "float32"], strict=True)}  # fmt: skip
    outputs = predict("ads", "raw", inputs=protos).outputs
    assert {name: tensor.tensor_shape.dim[0].size for name, tensor in outputs.items()} == {
        "ctr": 0,
        "cvr": 0,
        "ctcvr": 0,
    }


def test_messages_above_four_megabytes(predict):
    x = np.arange(1_500_000, dtype=np.float32)
    response = predict(inputs={"x": x})
    assert response.ByteSize() > 4 << 20
    np.testing.assert_array_equal(tf.make_ndarray(response.outputs["y"]), 2 * x + 1)
