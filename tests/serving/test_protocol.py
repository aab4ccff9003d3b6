"""Predict requests over gRPC: status codes and texts of TensorFlow Serving."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow.core.protobuf import saved_model_pb2

X = np.array([1.0, 2.0], np.float32)
BROKEN = TensorProto(dtype=1, tensor_content=b"123")
BROKEN.tensor_shape.dim.add().size = 2


@pytest.fixture(scope="module")
def feed_names(line_exports):
    """Returns the names of the input tensors of the signatures of `LineModel`."""
    saved = saved_model_pb2.SavedModel.FromString((line_exports[2] / "saved_model.pb").read_bytes())
    signatures = saved.meta_graphs[0].signature_def
    return {name: {alias: info.name for alias, info in s.inputs.items()} for name, s in signatures.items()}


def error_of(call) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value.code(), caught.value.details()


@pytest.mark.parametrize(
    ("call", "code", "text"),
    [
        ({"name": ""}, "INVALID_ARGUMENT", "ModelSpec has no name specified."),
        ({"name": "nope"}, "NOT_FOUND", "Servable not found for request: Latest(nope)"),
        ({"version": 9}, "NOT_FOUND", "Servable not found for request: Specific(m, 9)"),
        ({"version": 0}, "NOT_FOUND", "Servable not found for request: Specific(m, 0)"),
        ({"name": "nope", "version": 1}, "NOT_FOUND", "Servable not found for request: Specific(nope, 1)"),
        ({"label": "zz"}, "INVALID_ARGUMENT", "Unrecognized servable version label: zz"),
        ({"signature": "zz"}, "FAILED_PRECONDITION", 'Serving signature key "zz" not found.'),
        (
            {"inputs": {}},
            "INVALID_ARGUMENT",
            "input size does not match signature: 0!=1 len({}) != len({x}). Sent extra: {}. Missing but required: {x}.",
        ),
        (
            {"inputs": {"x": X, "b": X, "a": X}},
            "INVALID_ARGUMENT",
            "input size does not match signature: 3!=1 len({a,b,x}) != len({x}). Sent extra: {a,b}. "
            "Missing but required: {}.",
        ),
        ({"inputs": {"x": BROKEN}}, "INVALID_ARGUMENT", "tensor parsing error: x"),
        ({"inputs": {"x": ["a"]}}, "INVALID_ARGUMENT", "Expects arg[0] to be float but string is provided"),
        (
            {"inputs": {"x": X}, "filter": ["zz"]},
            "INVALID_ARGUMENT",
            "output tensor alias not found in signature: zz Outputs expected to be in the set {y}.",
        ),
        ({"inputs": {"x": X}, "filter": ["y", "y"]}, "INVALID_ARGUMENT", "duplicate output tensor alias: y"),
    ],
)
def test_predict_errors(predict, call, code, text):
    assert error_of(lambda: predict(**call)) == (grpc.StatusCode[code], text)


def test_unknown_input_name(predict, feed_names):
    text = (
        f"Signature input alias: x(feed name: {feed_names['serving_default']['x']}) not found in request and "
        "no default value provided. Inputs expected to be in the request {zz}, or default input alias set: "
    )
    assert error_of(lambda: predict(inputs={"zz": X})) == (grpc.StatusCode.INVALID_ARGUMENT, text)


def test_wrong_dtype_names_arguments_in_order_of_tensor_names(predict, feed_names):
    order = sorted(["age", "city", "tags", "weights"])  # The feeds of `raw` are called raw_<alias>:0.
    inputs = {"age": X, "city": ["a", "b"], "tags": X, "weights": [[1.0], [1.0]]}
    code, text = error_of(lambda: predict("ads", "raw", inputs=inputs))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert text == f"Expects arg[{order.index('tags')}] to be string but float is provided"


@pytest.mark.parametrize(
    ("signature", "inputs", "part"),
    [
        ("product", {"x": np.ones([3, 5], np.float32)}, "Matrix size-incompatible: In[0]: [3,5], In[1]: [2,1]"),
        ("parse", {"examples": ["garbage"]}, "Could not parse example input, value: 'garbage'"),
        ("parse", {"examples": [b""]}, "Feature: x (data type: float) is required but could not be found."),
    ],
)
def test_errors_of_the_runtime(predict, signature, inputs, part):
    code, text = error_of(lambda: predict(signature=signature, inputs=inputs))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert part in text


def test_initializer_signature_is_rejected_by_predict(predict):
    code, text = error_of(lambda: predict(signature="__saved_model_init_op"))
    assert code is grpc.StatusCode.INTERNAL
    assert text.startswith("Expected prediction signature method_name to be one of {tensorflow/serving/predict,")


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


def test_long_details_are_truncated(predict):
    key = "z" * 2000
    text = f'Serving signature key "{key}" not found.'
    expected = (grpc.StatusCode.FAILED_PRECONDITION, text[:1024] + "...TRUNCATED")
    assert error_of(lambda: predict(signature=key)) == expected
    fits = "z" * (1024 - len('Serving signature key "" not found.'))
    assert error_of(lambda: predict(signature=fits))[1] == f'Serving signature key "{fits}" not found.'
