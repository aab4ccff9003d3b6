"""gRPC methods of TensorFlow Serving's services `PredictionService` and `ModelService`.

Answers, status codes and texts are those of the C++ server.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import grpc
from google.protobuf.message import Message

from serving import inference, protos
from serving.connection import MODEL_SERVICE, PREDICTION_SERVICE
from serving.errors import StatusError, invalid_argument, not_found, unexpected
from serving.model_config import from_proto
from serving.predict_response import Prediction, serialize
from serving.request_log import RequestLog
from serving.request_metrics import RequestMetrics
from serving.requests.admission import Behavior, InferenceHandler, InferencePool, serialized_handler
from serving.requests.examples_request import parse_examples_request, parse_multi_inference_request
from serving.requests.limits import Limits
from serving.requests.memory import return_unused
from serving.requests.parsing import parse_objects
from serving.requests.predict_request import parse_predict_request
from serving.servable import DEFAULT_SIGNATURE, Servable
from serving.served_models import ServedModels
from serving.versions import ModelVersions, VersionStatus

SIGNATURE_DEF = "signature_def"

_log = logging.getLogger(__name__)
_asked = threading.local()
"""The model that the request of this thread asks, for the metrics."""

Models = Mapping[str, ModelVersions]
Answer = Callable[[Any, bytes, Limits], Prediction | Message]


def predict(models: Models, data: bytes, limits: Limits) -> Prediction:
    """Runs a signature on the tensors of a serialized request. Raises `StatusError` if it cannot be answered."""
    request = parse_predict_request(data, limits)
    spec = _require_model_spec(request.model_spec)
    with _lease(models, spec) as (version, servable):
        signature_name = spec.signature_name or DEFAULT_SIGNATURE
        plan = servable.plan(signature_name, request.inputs, request.output_filter, limits)
        del data, request  # frees the memory of a large request before that of the answer is allocated
        outputs = servable.run_plan(plan)
    answering = protos.ModelSpec()
    _write_model_spec(answering, spec, version)
    return Prediction(answering, outputs)


def classify(models: Models, data: bytes, limits: Limits) -> Message:
    """Classifies the examples of a serialized request. Raises `StatusError` if it cannot be answered."""
    return _infer(models, data, limits, inference.CLASSIFY)


def regress(models: Models, data: bytes, limits: Limits) -> Message:
    """Computes a number for each example of a serialized request. Raises `StatusError` if it cannot be answered."""
    return _infer(models, data, limits, inference.REGRESS)


def multi_inference(models: Models, data: bytes, limits: Limits) -> Message:
    """Runs several signatures on the examples of a request. Raises `StatusError` if it cannot be answered."""
    request = parse_multi_inference_request(data, limits)
    spec = request.tasks[0].model_spec if request.tasks else protos.ModelSpec()
    response = protos.MultiInferenceResponse()
    with _lease(models, spec) as (version, servable):
        inference.infer_all(servable, request.tasks, request.examples, response, limits)
    for result in response.results:
        result.model_spec.version.value = version
    return response


def get_model_metadata(models: Models, data: bytes, limits: Limits) -> Message:
    """Returns the signatures of a version. Raises `StatusError` if the version is not served."""
    request = parse_objects(protos.GetModelMetadataRequest, data)
    spec = _require_model_spec(request.model_spec if request.HasField("model_spec") else None)
    if not request.metadata_field:
        raise invalid_argument("GetModelMetadataRequest must specify at least one metadata_field")
    for field in request.metadata_field:
        if field != SIGNATURE_DEF:
            raise invalid_argument(f"Metadata field {field} is not supported")
    signatures = protos.SignatureDefMap()
    with _lease(models, spec) as (version, servable):
        for name, signature in servable.signatures.items():
            signatures.signature_def[name].MergeFromString(signature.SerializeToString())
    response = protos.GetModelMetadataResponse()
    response.model_spec.name = spec.name
    response.model_spec.version.value = version
    response.metadata[SIGNATURE_DEF].Pack(signatures)
    return response


def get_model_status(models: Models, data: bytes, limits: Limits) -> Message:
    """Returns the states of one version or of all, newest first. Raises `StatusError` if there is none."""
    request = parse_objects(protos.GetModelStatusRequest, data)
    spec = _require_model_spec(request.model_spec if request.HasField("model_spec") else None)
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


def handle_reload_config_request(models: ServedModels, data: bytes, limits: Limits) -> Message:
    """Replaces the configuration of the models. Raises `StatusError` if it is refused or a new model is broken."""
    models.reload(from_proto(parse_objects(protos.ReloadConfigRequest, data).config))
    response = protos.ReloadConfigResponse()
    response.status.SetInParent()
    return response


def answering_spec(response: Any) -> Any:
    """Returns the name, the version and the signature of the model that has answered; None without any task."""
    if hasattr(response, "results"):
        return response.results[0].model_spec if response.results else None
    return response.model_spec


def handlers(
    models: ServedModels, limits: Limits, pool: InferencePool, metrics: RequestMetrics, log: RequestLog | None = None
) -> tuple[grpc.GenericRpcHandler, ...]:
    """Returns the handlers of both services.

    Args:
        models: Models by name.
        limits: Limits of a request.
        pool: Pool in which the methods run that run a model.
        metrics: Metrics of the requests that run a model.
        log: Log of these requests.

    Returns:
        Handlers for `grpc.Server.add_generic_rpc_handlers`.
    """

    def behavior(answer: Answer, method: str = "") -> Behavior:
        def respond(request: list[bytes], context: grpc.ServicerContext) -> bytes:
            start, _asked.model = time.perf_counter(), ""

            def record(code: grpc.StatusCode) -> None:
                if method:
                    metrics.record(_asked.model, method, "GRPC", code, time.perf_counter() - start)

            logged = request[0] if log is not None and method and log.sample() else None
            try:
                return_unused(len(request[0]))
                response = answer(models, request.pop(), limits)
                serialized = serialize(response)
                record(grpc.StatusCode.OK)
                if log is not None and logged is not None:
                    log.add(method, answering_spec(response), logged, serialized)
                return serialized
            except StatusError as error:
                status = error
            except Exception as error:
                _log.exception("%s failed", answer.__name__)
                status = unexpected(error)
            record(status.code)
            context.abort(status.code, status.wire_details)
            raise AssertionError("abort raises an error")

        return respond

    def unary(answer: Answer) -> grpc.RpcMethodHandler:
        return serialized_handler(behavior(answer))

    inferences = {"Predict": predict, "Classify": classify, "Regress": regress, "MultiInference": multi_inference}
    behaviors = {name: behavior(answer, name) for name, answer in inferences.items()}
    model_methods = {
        "GetModelStatus": unary(get_model_status),
        "HandleReloadConfigRequest": unary(handle_reload_config_request),
    }
    return (
        InferenceHandler(PREDICTION_SERVICE, behaviors, pool),
        grpc.method_handlers_generic_handler(PREDICTION_SERVICE, {"GetModelMetadata": unary(get_model_metadata)}),
        grpc.method_handlers_generic_handler(MODEL_SERVICE, model_methods),
    )


def _infer(models: Models, data: bytes, limits: Limits, method: str) -> Message:
    if method == inference.CLASSIFY:
        request = parse_examples_request(protos.ClassificationRequest, data, limits)
        response = protos.ClassificationResponse()
    else:
        request = parse_examples_request(protos.RegressionRequest, data, limits)
        response = protos.RegressionResponse()
    spec = _require_model_spec(request.model_spec)
    with _lease(models, spec) as (version, servable):
        inference.infer(servable, method, spec.signature_name, request.examples, response.result, limits)
    _write_model_spec(response.model_spec, spec, version)
    return response


def _require_model_spec(spec: Any) -> Any:
    if spec is None:
        raise invalid_argument("Missing ModelSpec")
    return spec


@contextlib.contextmanager
def _lease(models: Models, spec: Any) -> Iterator[tuple[int, Servable]]:
    if not spec.name:
        raise invalid_argument("ModelSpec has no name specified.")
    _asked.model = spec.name
    # An unknown name is answered like a model without versions.
    model = models.get(spec.name) or ModelVersions(spec.name, "")
    version = None
    if spec.HasField("version"):
        version = spec.version.value
    elif spec.HasField("version_label"):
        version = model.version_of(spec.version_label)
    with model.lease(version) as leased:
        yield leased


def _write_model_spec(proto: Any, spec: Any, version: int) -> None:
    proto.name = spec.name
    proto.version.value = version
    proto.signature_name = spec.signature_name or DEFAULT_SIGNATURE


def _write_status(proto: Any, status: VersionStatus) -> None:
    proto.version = status.version
    proto.state = status.state
    proto.status.SetInParent()
    if status.error is not None:
        proto.status.error_code = status.error.code.value[0]
        proto.status.error_message = status.error.details
