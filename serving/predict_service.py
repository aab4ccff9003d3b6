"""gRPC handlers of TensorFlow Serving's services `PredictionService` and `ModelService`.

Answers, status codes and texts are those of the C++ server. Methods that are not implemented (Classify, Regress,
MultiInference) answer UNIMPLEMENTED.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import grpc
from google.protobuf.message import Message

from serving import protos, tensors
from serving.connection import MODEL_SERVICE, PREDICTION_SERVICE
from serving.errors import StatusError, invalid_argument, not_found
from serving.model_config import from_proto
from serving.servable import DEFAULT_SIGNATURE, Servable
from serving.served_models import ServedModels
from serving.versions import ModelVersions, VersionStatus

SIGNATURE_DEF = "signature_def"

Models = Mapping[str, ModelVersions]


def predict(models: Models, request: Message) -> Message:
    """Runs a signature on the tensors of a request. Raises `StatusError` if it cannot be answered."""
    _require_model_spec(request)
    with _lease(models, request.model_spec) as (version, servable):
        signature_name = request.model_spec.signature_name or DEFAULT_SIGNATURE
        outputs = servable.predict(signature_name, request.inputs, request.output_filter)
    response = protos.PredictResponse()
    response.model_spec.name = request.model_spec.name
    response.model_spec.version.value = version
    response.model_spec.signature_name = signature_name
    for alias, array in outputs.items():
        tensors.write(response.outputs[alias], array)
    return response


def get_model_metadata(models: Models, request: Message) -> Message:
    """Returns the signatures of a version. Raises `StatusError` if the version is not served."""
    _require_model_spec(request)
    if not request.metadata_field:
        raise invalid_argument("GetModelMetadataRequest must specify at least one metadata_field")
    for field in request.metadata_field:
        if field != SIGNATURE_DEF:
            raise invalid_argument(f"Metadata field {field} is not supported")
    signatures = protos.SignatureDefMap()
    with _lease(models, request.model_spec) as (version, servable):
        for name, signature in servable.signatures.items():
            signatures.signature_def[name].MergeFromString(signature.SerializeToString())
    response = protos.GetModelMetadataResponse()
    response.model_spec.name = request.model_spec.name
    response.model_spec.version.value = version
    response.metadata[SIGNATURE_DEF].Pack(signatures)
    return response


def get_model_status(models: Models, request: Message) -> Message:
    """Returns the states of one version or of all, newest first. Raises `StatusError` if there is none."""
    _require_model_spec(request)
    spec = request.model_spec
    statuses = models[spec.name].statuses() if spec.name in models else []
    if spec.HasField("version"):
        statuses = [status for status in statuses if status.version == spec.version.value]
        if not statuses:
            raise not_found(f"Could not find version {spec.version.value} of model {spec.name}")
    if not statuses:
        raise not_found(f"Could not find any versions of model {spec.name}")
    response = protos.GetModelStatusResponse()
    for status in statuses:
        _write_status(response.model_version_status.add(), status)
    return response


def handle_reload_config_request(models: ServedModels, request: Message) -> Message:
    """Replaces the configuration of the models. Raises `StatusError` if it is refused or a new model is broken."""
    models.reload(from_proto(request.config))
    response = protos.ReloadConfigResponse()
    response.status.SetInParent()
    return response


def handlers(models: ServedModels) -> tuple[grpc.GenericRpcHandler, ...]:
    """Returns the handlers of both services, for `grpc.Server.add_generic_rpc_handlers`."""

    def unary(
        answer: Callable[[ServedModels, Any], Any], request_type: Any, response_type: Any
    ) -> grpc.RpcMethodHandler:
        def behavior(request: Any, context: grpc.ServicerContext) -> Any:
            try:
                return answer(models, request)
            except StatusError as error:
                context.abort(error.code, error.wire_details)

        return grpc.unary_unary_rpc_method_handler(behavior, request_type.FromString, response_type.SerializeToString)

    prediction_methods = {
        "Predict": unary(predict, protos.PredictRequest, protos.PredictResponse),
        "GetModelMetadata": unary(get_model_metadata, protos.GetModelMetadataRequest, protos.GetModelMetadataResponse),
    }
    model_methods = {
        "GetModelStatus": unary(get_model_status, protos.GetModelStatusRequest, protos.GetModelStatusResponse),
        "HandleReloadConfigRequest": unary(
            handle_reload_config_request, protos.ReloadConfigRequest, protos.ReloadConfigResponse
        ),
    }
    return (
        grpc.method_handlers_generic_handler(PREDICTION_SERVICE, prediction_methods),
        grpc.method_handlers_generic_handler(MODEL_SERVICE, model_methods),
    )


def _require_model_spec(request: Any) -> None:
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")


@contextlib.contextmanager
def _lease(models: Models, spec: Message) -> Iterator[tuple[int, Servable]]:
    if not spec.name:
        raise invalid_argument("ModelSpec has no name specified.")
    # An unknown name is answered like a model without versions.
    model = models.get(spec.name) or ModelVersions(spec.name, "")
    version = None
    if spec.HasField("version"):
        version = spec.version.value
    elif spec.HasField("version_label"):
        version = model.version_of(spec.version_label)
    with model.lease(version) as leased:
        yield leased


def _write_status(proto: Message, status: VersionStatus) -> None:
    proto.version = status.version
    proto.state = status.state
    proto.status.SetInParent()
    if status.error is not None:
        proto.status.error_code = status.error.code.value[0]
        proto.status.error_message = status.error.details
