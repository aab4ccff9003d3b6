"""Errors of Predict."""

import numpy as np
from tensorflow_serving.apis import predict_pb2

from tests.serving.conformance.cases import Case, predict, tensor

X = np.array([1.0, 2.0], np.float32)
LONG = "z" * 2000

CASES = {
    "no model_spec": Case("Predict", predict_pb2.PredictRequest(), "INVALID_ARGUMENT", "Missing ModelSpec"),
    "empty name": Case("Predict", predict(name=""), "INVALID_ARGUMENT", "ModelSpec has no name specified."),
    "unknown model": Case("Predict", predict(name="nope"), "NOT_FOUND", "Servable not found for request: Latest(nope)"),
    "unknown version": Case(
        "Predict", predict(version=9), "NOT_FOUND", "Servable not found for request: Specific(m, 9)"
    ),
    "version 0": Case("Predict", predict(version=0), "NOT_FOUND", "Servable not found for request: Specific(m, 0)"),
    "version of an unknown model": Case(
        "Predict", predict(name="nope", version=1), "NOT_FOUND", "Servable not found for request: Specific(nope, 1)"
    ),
    "unknown label": Case(
        "Predict", predict(label="zz"), "INVALID_ARGUMENT", "Unrecognized servable version label: zz"
    ),
    "unknown signature": Case(
        "Predict", predict(signature="zz"), "FAILED_PRECONDITION", 'Serving signature key "zz" not found.'
    ),
    "signature without a method": Case(
        "Predict", predict(signature="__saved_model_init_op"), "INTERNAL",
        "Expected prediction signature method_name to be one of {tensorflow/serving/predict, "
        "tensorflow/serving/classify, tensorflow/serving/regress}. Was: ", part=True,
    ),
    "inputs missing": Case(
        "Predict", predict(), "INVALID_ARGUMENT",
        "input size does not match signature: 0!=1 len({}) != len({x}). Sent extra: {}. Missing but required: {x}.",
    ),
    "inputs extra": Case(
        "Predict", predict({"x": X, "b": X, "a": X}), "INVALID_ARGUMENT",
        "input size does not match signature: 3!=1 len({a,b,x}) != len({x}). Sent extra: {a,b}. "
        "Missing but required: {}.",
    ),
    "wrong name": Case(
        "Predict", predict({"zz": X}), "INVALID_ARGUMENT",
        "Signature input alias: x(feed name: serving_default_x:0) not found in request and no default value provided. "
        "Inputs expected to be in the request {zz}, or default input alias set: ",
    ),
    "bad tensor bytes": Case(
        "Predict", predict({"x": tensor(1, [2], tensor_content=b"123")}), "INVALID_ARGUMENT", "tensor parsing error: x"
    ),
    "no dtype": Case("Predict", predict({"x": tensor(0, [2])}), "INVALID_ARGUMENT", "tensor parsing error: x"),
    "negative size": Case("Predict", predict({"x": tensor(1, [-1])}), "INVALID_ARGUMENT", "tensor parsing error: x"),
    "rank 255": Case(
        "Predict", predict({"x": tensor(1, [1] * 255, float_val=[1.0])}), "INVALID_ARGUMENT", "tensor parsing error: x"
    ),
    "dimensions overflow": Case(
        "Predict", predict({"x": tensor(1, [2**62, 4, 0])}), "INVALID_ARGUMENT", "tensor parsing error: x"
    ),
    "bad tensor bytes of the wrong dtype": Case(
        "Predict", predict({"x": tensor(7, [2], tensor_content=b"\x05")}), "INVALID_ARGUMENT", "tensor parsing error: x"
    ),
    "wrong dtype": Case(
        "Predict", predict({"x": ["a"]}), "INVALID_ARGUMENT", "Expects arg[0] to be float but string is provided"
    ),
    "wrong dtype of a quantized tensor": Case(
        "Predict", predict({"x": tensor(11, [2])}), "INVALID_ARGUMENT",
        "Expects arg[0] to be float but qint8 is provided",
    ),
    "wrong dtype, in the order of the tensors": Case(
        "Predict",
        predict({"age": X, "city": ["a", "b"], "tags": X, "weights": [[1.0], [1.0]]}, name="ads", signature="raw"),
        "INVALID_ARGUMENT", "Expects arg[2] to be string but float is provided",
    ),
    "wrong shape": Case(
        "Predict", predict({"x": np.ones([3, 5], np.float32)}, signature="product"), "INVALID_ARGUMENT",
        "Matrix size-incompatible: In[0]: [3,5], In[1]: [2,1]", part=True,
    ),
    "garbage tf.Example": Case(
        "Predict", predict({"examples": ["garbage"]}, signature="parse"), "INVALID_ARGUMENT",
        "Could not parse example input, value: 'garbage'", part=True,
    ),
    "garbage tf.Example that is not UTF-8": Case(
        "Predict", predict({"examples": [b"\xff\xfe"]}, signature="parse"), "INVALID_ARGUMENT",
        "Could not parse example input, value: '\\xff\\xfe'", part=True,
    ),
    "tf.Example without a required feature": Case(
        "Predict", predict({"examples": [b""]}, signature="parse"), "INVALID_ARGUMENT",
        "Name: <unknown>, Feature: x (data type: float) is required but could not be found.", part=True,
    ),
    "unknown output": Case(
        "Predict", predict({"x": X}, ["zz"]), "INVALID_ARGUMENT",
        "output tensor alias not found in signature: zz Outputs expected to be in the set {y}.",
    ),
    "duplicate output": Case(
        "Predict", predict({"x": X}, ["y", "y"]), "INVALID_ARGUMENT", "duplicate output tensor alias: y"
    ),
    "bad tensor before an unknown output": Case(
        "Predict", predict({"x": tensor(1, [2], tensor_content=b"123")}, ["zz"]), "INVALID_ARGUMENT",
        "tensor parsing error: x",
    ),
    "unknown output before the wrong dtype": Case(
        "Predict", predict({"x": ["a"]}, ["zz"]), "INVALID_ARGUMENT",
        "output tensor alias not found in signature: zz Outputs expected to be in the set {y}.",
    ),
    "long text": Case(
        "Predict", predict(signature=LONG), "FAILED_PRECONDITION",
        f'Serving signature key "{LONG}" not found.'[:1024] + "...TRUNCATED",
    ),
    "text of 1024 characters": Case(
        "Predict", predict(signature=LONG[:989]), "FAILED_PRECONDITION",
        f'Serving signature key "{LONG[:989]}" not found.',
    ),
}  # fmt: skip
