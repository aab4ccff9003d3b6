"""Status codes and texts of TensorFlow Serving 2.20, one case for each answer that a client can get."""

import grpc
import pytest
from tensorflow.core.protobuf import saved_model_pb2

from tests.serving.conformance import inference_cases, model_cases, predict_cases

PREDICTION, MODEL = "PredictionService", "ModelService"
CASES = {**predict_cases.CASES, **inference_cases.CASES, **model_cases.CASES}


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
