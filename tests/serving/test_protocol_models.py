"""Metadata, status, health and unimplemented methods over gRPC."""

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)


@pytest.fixture(scope="module")
def predictions(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


@pytest.fixture(scope="module")
def models(channel):
    return model_service_pb2_grpc.ModelServiceStub(channel)


def error_of(call) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value.code(), caught.value.details()


def test_missing_model_spec(predictions, models):
    expected = (grpc.StatusCode.INVALID_ARGUMENT, "Missing ModelSpec")
    assert error_of(lambda: predictions.Predict(predict_pb2.PredictRequest())) == expected
    metadata = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    assert error_of(lambda: predictions.GetModelMetadata(metadata)) == expected
    assert error_of(lambda: models.GetModelStatus(get_model_status_pb2.GetModelStatusRequest())) == expected


def metadata_request(name="m", fields=("signature_def",)):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields)
    request.model_spec.name = name
    return request


@pytest.mark.parametrize(
    ("call", "code", "text"),
    [
        (
            {"fields": []},
            "INVALID_ARGUMENT",
            "GetModelMetadataRequest must specify at least one metadata_field",
        ),
        ({"fields": ["zz"]}, "INVALID_ARGUMENT", "Metadata field zz is not supported"),
        ({"name": "nope"}, "NOT_FOUND", "Servable not found for request: Latest(nope)"),
    ],
)
def test_metadata_errors(predictions, call, code, text):
    request = metadata_request(**call)
    assert error_of(lambda: predictions.GetModelMetadata(request)) == (grpc.StatusCode[code], text)


def test_metadata(predictions, line_exports):
    response = predictions.GetModelMetadata(metadata_request())
    assert (response.model_spec.name, response.model_spec.version.value) == ("m", 7)
    assert response.model_spec.signature_name == ""
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    saved = saved_model_pb2.SavedModel.FromString((line_exports[2] / "saved_model.pb").read_bytes())
    assert dict(signatures.signature_def) == dict(saved.meta_graphs[0].signature_def)


def status_request(name="m", version=None):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = name
    if version is not None:
        request.model_spec.version.value = version
    return request


def test_status(models):
    for request in (status_request(), status_request(version=7)):
        (status,) = models.GetModelStatus(request).model_version_status
        assert (status.version, status.state) == (7, 30)
        assert (status.status.error_code, status.status.error_message) == (0, "")


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ({"name": "nope"}, "Could not find any versions of model nope"),
        ({"version": 9}, "Could not find version 9 of model m"),
        ({"version": 0}, "Could not find version 0 of model m"),
        ({"name": "nope", "version": 9}, "Could not find version 9 of model nope"),
    ],
)
def test_status_errors(models, call, text):
    request = status_request(**call)
    assert error_of(lambda: models.GetModelStatus(request)) == (grpc.StatusCode.NOT_FOUND, text)


def test_other_methods_are_unimplemented(predictions):
    for method, request in [
        (predictions.Classify, classification_pb2.ClassificationRequest()),
        (predictions.Regress, regression_pb2.RegressionRequest()),
        (predictions.MultiInference, inference_pb2.MultiInferenceRequest()),
    ]:
        assert error_of(lambda method=method, request=request: method(request))[0] is grpc.StatusCode.UNIMPLEMENTED


def test_health(channel):
    stub = health_pb2_grpc.HealthStub(channel)
    assert stub.Check(health_pb2.HealthCheckRequest()).status == health_pb2.HealthCheckResponse.SERVING
    code, _ = error_of(lambda: stub.Check(health_pb2.HealthCheckRequest(service="nope")))
    assert code is grpc.StatusCode.NOT_FOUND
