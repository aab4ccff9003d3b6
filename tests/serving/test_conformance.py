"""Status codes and texts of TensorFlow Serving 2.20, one case for each answer that a client can get."""

import dataclasses

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    input_pb2,
    predict_pb2,
    regression_pb2,
)
from tensorflow_serving.apis.model_pb2 import ModelSpec

from serving.inference import CLASSIFY, REGRESS

X = np.array([1.0, 2.0], np.float32)
PREDICTION, MODEL = "PredictionService", "ModelService"
LONG = "z" * 2000


def tensor(value, dims=None, **fields) -> TensorProto:
    """Returns a tensor; with `dims`, one of these dimensions and fields, valid or not."""
    if dims is None:
        return tf.make_tensor_proto(value)
    proto = TensorProto(dtype=value, **fields)
    for size in dims:
        proto.tensor_shape.dim.add().size = size
    return proto


def spec(name="m", signature="", version=None, label=None) -> ModelSpec:
    result = ModelSpec(name=name, signature_name=signature)
    if version is not None:
        result.version.value = version
    if label is not None:
        result.version_label = label
    return result


def predict(inputs=None, outputs=(), **choice) -> predict_pb2.PredictRequest:
    request = predict_pb2.PredictRequest(model_spec=spec(**choice), output_filter=outputs)
    for alias, value in (inputs or {}).items():
        request.inputs[alias].CopyFrom(value if isinstance(value, TensorProto) else tensor(value))
    return request


def examples(*values: float) -> input_pb2.Input:
    result = input_pb2.Input()
    result.example_list.SetInParent()
    for value in values:
        result.example_list.examples.add().features.feature["x"].float_list.value.append(value)
    return result


def classify(*values: float, **choice) -> classification_pb2.ClassificationRequest:
    return classification_pb2.ClassificationRequest(model_spec=spec("e", **choice), input=examples(*values))


def regress(*values: float, **choice) -> regression_pb2.RegressionRequest:
    return regression_pb2.RegressionRequest(model_spec=spec("e", **choice), input=examples(*values))


def multi(*tasks: tuple[str, ModelSpec], values=(1.0,)) -> inference_pb2.MultiInferenceRequest:
    request = inference_pb2.MultiInferenceRequest(input=examples(*values))
    for method, model_spec in tasks:
        request.tasks.add(method_name=method, model_spec=model_spec)
    return request


def metadata(*fields: str, name="m") -> get_model_metadata_pb2.GetModelMetadataRequest:
    return get_model_metadata_pb2.GetModelMetadataRequest(model_spec=spec(name), metadata_field=fields)


def status(**choice) -> get_model_status_pb2.GetModelStatusRequest:
    return get_model_status_pb2.GetModelStatusRequest(model_spec=spec(**choice))


@dataclasses.dataclass
class Case:
    """Request of one method and the status that answers it; `part` is True if the text only begins so."""

    method: str
    request: object
    code: str
    text: str
    part: bool = False


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
    "Classify: no model_spec": Case(
        "Classify", classification_pb2.ClassificationRequest(), "INVALID_ARGUMENT", "Missing ModelSpec"
    ),
    "Classify: unknown version": Case(
        "Classify", classify(1.0, version=9), "NOT_FOUND", "Servable not found for request: Specific(e, 9)"
    ),
    "Classify: unknown signature": Case(
        "Classify", classify(1.0, signature="zz"), "INVALID_ARGUMENT", "No signature was found with the name: zz"
    ),
    "Classify: predict signature": Case(
        "Classify", classify(1.0), "INVALID_ARGUMENT",
        "Expected classification signature method_name to be tensorflow/serving/classify. Was: "
        "tensorflow/serving/predict",
    ),
    "Classify: empty input": Case(
        "Classify", classify(signature="classify"), "INVALID_ARGUMENT", "Input is empty."
    ),
    "Classify: no input": Case(
        "Classify", classification_pb2.ClassificationRequest(model_spec=spec("e", "classify")), "INVALID_ARGUMENT",
        "Input is empty.",
    ),
    "Classify: two inputs": Case(
        "Classify", classify(1.0, signature="classify_two"), "INVALID_ARGUMENT", "Expected one input Tensor."
    ),
    "Classify: other input": Case(
        "Classify", classify(1.0, signature="classify_input"), "FAILED_PRECONDITION",
        "No classification inputs found in SignatureDef: ", part=True,
    ),
    "Classify: other output": Case(
        "Classify", classify(1.0, signature="classify_output"), "FAILED_PRECONDITION",
        'Expected classification signature outputs to contain at least one of "classes" or "scores". Signature was: ',
        part=True,
    ),
    "Classify: three outputs": Case(
        "Classify", classify(1.0, signature="classify_three"), "INVALID_ARGUMENT",
        "Expected one or two output Tensors, found 3",
    ),
    "Classify: input of numbers": Case(
        "Classify", classify(1.0, signature="classify_number"), "INVALID_ARGUMENT",
        "Expects arg[0] to be float but string is provided",
    ),
    "Classify: scores of rank 1": Case(
        "Classify", classify(1.0, 2.0, signature="classify_rank"), "INVALID_ARGUMENT",
        "Expected Tensor shape: [batch_size num_classes] but got [2]",
    ),
    "Classify: scores of integers": Case(
        "Classify", classify(1.0, signature="classify_integers"), "INVALID_ARGUMENT",
        "Expected scores Tensor of DT_FLOAT. Got: DT_INT64",
    ),
    "Classify: scores of one row": Case(
        "Classify", classify(1.0, 2.0, signature="classify_rows"), "INVALID_ARGUMENT",
        "Expected scores output batch size of 2. Got: 1",
    ),
    "Classify: classes and scores differ": Case(
        "Classify", classify(1.0, signature="classify_widths"), "INVALID_ARGUMENT",
        "Tensors class and score should match in dim_size(1). Got 2 vs. 3",
    ),
    "Regress: no model_spec": Case(
        "Regress", regression_pb2.RegressionRequest(), "INVALID_ARGUMENT", "Missing ModelSpec"
    ),
    "Regress: unknown signature": Case(
        "Regress", regress(1.0, signature="zz"), "INVALID_ARGUMENT", "No signature was found with the name: zz"
    ),
    "Regress: predict signature": Case(
        "Regress", regress(1.0), "INVALID_ARGUMENT",
        "Expected regression signature method_name to be tensorflow/serving/regress. Was: tensorflow/serving/predict",
    ),
    "Regress: empty input": Case("Regress", regress(signature="regress"), "INVALID_ARGUMENT", "Input is empty."),
    "Regress: two outputs": Case(
        "Regress", regress(1.0, signature="regress_two"), "INVALID_ARGUMENT", "Expected one output Tensor."
    ),
    "Regress: other output": Case(
        "Regress", regress(1.0, signature="regress_output"), "FAILED_PRECONDITION",
        "No regression outputs found in SignatureDef: ", part=True,
    ),
    "Regress: outputs of rank 2": Case(
        "Regress", regress(1.0, signature="regress_rank"), "INVALID_ARGUMENT",
        "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got [1,2]",
    ),
    "Regress: outputs of one row": Case(
        "Regress", regress(1.0, 2.0, signature="regress_rows"), "INVALID_ARGUMENT",
        "Input batch size did not match output batch size: 2 vs. 1",
    ),
    "Regress: outputs of integers": Case(
        "Regress", regress(1.0, signature="regress_integers"), "INVALID_ARGUMENT",
        "Expected output Tensor of DT_FLOAT.  Got: DT_INT64",
    ),
    "MultiInference: no task": Case(
        "MultiInference", multi(), "INVALID_ARGUMENT", "ModelSpec has no name specified."
    ),
    "MultiInference: task without a name": Case(
        "MultiInference", multi((CLASSIFY, spec("e", "classify")), (REGRESS, spec(""))), "INVALID_ARGUMENT",
        "Found ModelSpec with an empty model name.",
    ),
    "MultiInference: two models": Case(
        "MultiInference", multi((CLASSIFY, spec("e", "classify")), (REGRESS, spec("m"))), "INVALID_ARGUMENT",
        "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
    ),
    "MultiInference: duplicate signature": Case(
        "MultiInference", multi(*[(CLASSIFY, spec("e", "classify"))] * 2), "INVALID_ARGUMENT",
        "Duplicate evaluation of signature: classify",
    ),
    "MultiInference: unknown signature": Case(
        "MultiInference", multi((CLASSIFY, spec("e", "zz"))), "INVALID_ARGUMENT",
        "Requested signature not found in model graph: zz",
    ),
    "MultiInference: other method": Case(
        "MultiInference", multi(("tensorflow/serving/predict", spec("e"))), "UNIMPLEMENTED",
        "Unsupported signature method_name: tensorflow/serving/predict",
    ),
    "MultiInference: method of another signature": Case(
        "MultiInference", multi((REGRESS, spec("e", "classify"))), "INVALID_ARGUMENT",
        "Expected regression signature method_name to be tensorflow/serving/regress. Was: tensorflow/serving/classify",
    ),
    "MultiInference: other input": Case(
        "MultiInference", multi((CLASSIFY, spec("e", "classify")), (REGRESS, spec("e", "regress_rank"))),
        "INVALID_ARGUMENT", "Input tensor must be the same for all Signatures.",
    ),
    "MultiInference: empty input": Case(
        "MultiInference", multi((CLASSIFY, spec("e", "classify")), values=()), "INVALID_ARGUMENT", "Input is empty."
    ),
    "metadata: no model_spec": Case(
        "GetModelMetadata", get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"]),
        "INVALID_ARGUMENT", "Missing ModelSpec",
    ),
    "metadata: no field": Case(
        "GetModelMetadata", metadata(), "INVALID_ARGUMENT",
        "GetModelMetadataRequest must specify at least one metadata_field",
    ),
    "metadata: unknown field": Case(
        "GetModelMetadata", metadata("zz"), "INVALID_ARGUMENT", "Metadata field zz is not supported"
    ),
    "metadata: unknown model": Case(
        "GetModelMetadata", metadata("signature_def", name="nope"), "NOT_FOUND",
        "Servable not found for request: Latest(nope)",
    ),
    "status: no model_spec": Case(
        "GetModelStatus", get_model_status_pb2.GetModelStatusRequest(), "INVALID_ARGUMENT", "Missing ModelSpec"
    ),
    "status: unknown model": Case(
        "GetModelStatus", status(name="nope"), "NOT_FOUND", "Could not find any versions of model nope"
    ),
    "status: unknown version": Case(
        "GetModelStatus", status(version=9), "NOT_FOUND", "Could not find version 9 of model m"
    ),
    "status: version 0": Case(
        "GetModelStatus", status(version=0), "NOT_FOUND", "Could not find version 0 of model m"
    ),
    "status: version of an unknown model": Case(
        "GetModelStatus", status(name="nope", version=9), "NOT_FOUND", "Could not find version 9 of model nope"
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def call(channel):
    """Calls a method with a message or with bytes, and returns code and text."""

    def send(method: str, request: object) -> tuple[str, str]:
        service = MODEL if method in ("GetModelStatus", "HandleReloadConfigRequest") else PREDICTION
        data = request if isinstance(request, bytes) else request.SerializeToString()
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(f"/tensorflow.serving.{service}/{method}")(data, timeout=20)
        return caught.value.code().name, caught.value.details()

    return send


@pytest.mark.parametrize("name", CASES)
def test_status(call, name):
    case = CASES[name]
    code, text = call(case.method, case.request)
    assert code == case.code
    assert text[: len(case.text)] == case.text if case.part else text == case.text


def test_feed_names_are_those_of_the_export(line_exports):
    """The text of `wrong name` holds the name of a tensor, which TensorFlow chooses when it saves a model."""
    saved = saved_model_pb2.SavedModel.FromString((line_exports[2] / "saved_model.pb").read_bytes())
    assert saved.meta_graphs[0].signature_def["serving_default"].inputs["x"].name == "serving_default_x:0"


@pytest.mark.parametrize(
    "method", ["Predict", "Classify", "Regress", "MultiInference", "GetModelMetadata", "GetModelStatus"]
)
@pytest.mark.parametrize("data", [b"\xff" * 9, b"\x0a\x05m", b"\x0a\x03\x0a\x01\xff"])
def test_bytes_that_are_no_request_are_internal_errors_as_in_grpc(call, method, data):
    code, text = call(method, data)
    assert code == "INTERNAL"
    assert text.startswith("request is not a valid tensorflow.serving.")
