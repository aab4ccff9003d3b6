"""REST API of TensorFlow Serving: requests to answers, without the HTTP server."""

import json
import re
import time
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from serving import protos
from serving.errors import StatusError, invalid_argument, unexpected
from serving.predict_response import Prediction, serialize
from serving.predict_service import answering_spec, classify, get_model_metadata, get_model_status, predict, regress
from serving.request_log import RequestLog
from serving.request_metrics import RequestMetrics
from serving.requests.limits import Limits
from serving.rest.examples_json import classifications, fill_examples, regressions
from serving.rest.json_values import parse_object
from serving.rest.predict_json import fill_inputs, predictions, signature_name
from serving.servable import DEFAULT_SIGNATURE
from serving.versions import ModelVersions

_MODEL = r"/v1/models/([^/:]+)(?:(?:/versions/(\d+))|(?:/labels/([^/:]+)))?"
_POST = re.compile(_MODEL + ":(classify|regress|predict)", re.IGNORECASE)
_GET = re.compile(_MODEL.replace("/([^/:]+)(", "(?:/([^/:]+))?(", 1) + "(?:/(metadata))?", re.IGNORECASE)

_Response = TypeVar("_Response", Prediction, Message)

HTTP_STATUS: Mapping[grpc.StatusCode, int] = {
    grpc.StatusCode.OK: 200,
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.UNAUTHENTICATED: 401,
}
"""HTTP status of each status of gRPC, as in TensorFlow Serving; of the others it is 500."""


class RestApi:
    """Answers of the REST API.

    Args:
        models: Models by name.
        limits: Limits of a request.
        metrics: Metrics of the requests.
        log: Log of the requests that run a model.
    """

    def __init__(
        self,
        models: Mapping[str, ModelVersions],
        limits: Limits,
        metrics: RequestMetrics,
        log: RequestLog | None = None,
    ):
        self._models, self._limits, self._metrics, self._log = models, limits, metrics, log

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Returns the HTTP status and the JSON of the answer; an error is `{"error": text}`.

        Args:
            method: HTTP method.
            path: Path of the request, still percent-encoded, without the query.
            body: Body of the request.
        """
        try:
            return 200, _dump(self._answer(method, path, body))
        except StatusError as error:
            status = error
        except Exception as error:
            status = unexpected(error)
        return HTTP_STATUS.get(status.code, 500), _dump({"error": status.wire_details})

    def _answer(self, method: str, path: str, body: bytes) -> dict[str, Any]:
        match = {"POST": _POST, "GET": _GET}[method].fullmatch(path) if method in ("POST", "GET") else None
        if match is None:
            raise invalid_argument(f"Malformed request: {method} {path}")
        *place, last = match.groups()
        spec = _model_spec(*place)
        if method == "POST":
            return self._run(last.lower(), spec, body)
        if not spec.name:
            raise invalid_argument("Missing model name in request.")
        return self._metadata(spec) if last else self._status(spec)

    def _run(self, verb: str, spec: Message, body: bytes) -> dict[str, Any]:
        run = {"predict": self._predict, "classify": self._classify, "regress": self._regress}[verb]
        start, code = time.perf_counter(), grpc.StatusCode.INTERNAL
        try:
            answer = run(spec, parse_object(body))
            code = grpc.StatusCode.OK
        except StatusError as error:
            code = error.code
            raise
        finally:
            self._metrics.record(spec.name, verb.title(), "REST", code, time.perf_counter() - start)
        return answer

    def _predict(self, spec: Message, document: dict[str, Any]) -> dict[str, Any]:
        request = protos.PredictRequest(model_spec=spec)
        name = signature_name(document)
        request.model_spec.signature_name = name
        form = fill_inputs(document, self._inputs(spec, name or DEFAULT_SIGNATURE), request)
        return predictions(form, self._answered("Predict", request, predict).outputs)

    def _classify(self, spec: Message, document: dict[str, Any]) -> dict[str, Any]:
        return classifications(
            self._infer("Classify", protos.ClassificationRequest(model_spec=spec), document, classify)
        )

    def _regress(self, spec: Message, document: dict[str, Any]) -> dict[str, Any]:
        return regressions(self._infer("Regress", protos.RegressionRequest(model_spec=spec), document, regress))

    def _infer(self, method: str, request: Any, document: dict[str, Any], answer: Callable[..., Message]) -> Message:
        request.model_spec.signature_name = signature_name(document)
        fill_examples(document, request)
        return self._answered(method, request, answer)

    def _answered(self, method: str, request: Message, answer: Callable[..., _Response]) -> _Response:
        """Returns the answer to a request, and logs some of those that have one."""
        serialized = request.SerializeToString()
        response = answer(self._models, serialized, self._limits)
        if self._log is not None and self._log.sample():
            self._log.add(method, answering_spec(response), serialized, serialize(response))
        return response

    def _inputs(self, spec: Message, name: str) -> Mapping[str, Message]:
        signatures = self._signatures(spec).signature_def
        if name not in signatures:
            raise invalid_argument(f'Serving signature name: "{name}" not found in signature def')
        inputs: Mapping[str, Message] = signatures[name].inputs
        if not inputs:
            raise invalid_argument(f"Failed to get input map for signature: {name or 'DEFAULT'}")
        return inputs

    def _signatures(self, spec: Message) -> Message:
        return _unpacked(self._metadata_response(spec))

    def _metadata_response(self, spec: Message) -> Message:
        request = protos.GetModelMetadataRequest(model_spec=spec, metadata_field=["signature_def"])
        return get_model_metadata(self._models, request.SerializeToString(), self._limits)

    def _metadata(self, spec: Message) -> dict[str, Any]:
        response = self._metadata_response(spec)
        signatures = _unpacked(response).signature_def
        model_spec = {
            "name": response.model_spec.name,
            "signature_name": "",
            "version": str(response.model_spec.version.value),
        }
        defs = {name: _signature_def(signatures[name]) for name in sorted(signatures)}
        return {"model_spec": model_spec, "metadata": {"signature_def": {"signature_def": defs}}}

    def _status(self, spec: Message) -> dict[str, Any]:
        request = protos.GetModelStatusRequest(model_spec=spec)
        response = get_model_status(self._models, request.SerializeToString(), self._limits)
        return {"model_version_status": [_version_status(one) for one in response.model_version_status]}


def _dump(value: dict[str, Any]) -> bytes:
    return json.dumps(value, indent=4, ensure_ascii=False).encode(errors="replace")


def _model_spec(name: str | None, version: str | None, label: str | None) -> Message:
    spec = protos.ModelSpec(name=_unquoted(name or "", "model name"))
    if version:
        if int(version) >= 2**63:
            raise invalid_argument(f"Failed to convert version: {version} to numeric.")
        spec.version.value = int(version)
    elif label:
        spec.version_label = _unquoted(label, "model version label")
    return spec


def _unquoted(text: str, what: str) -> str:
    try:
        return urllib.parse.unquote(text, errors="strict")
    except UnicodeDecodeError as error:
        raise invalid_argument(f"Failed to decode {what}:{text}") from error


def _unpacked(response: Message) -> Message:
    signatures = protos.SignatureDefMap()
    response.metadata["signature_def"].Unpack(signatures)
    return signatures


def _signature_def(signature: Message) -> dict[str, Any]:
    return {
        "inputs": {name: _tensor_info(signature.inputs[name]) for name in sorted(signature.inputs)},
        "outputs": {name: _tensor_info(signature.outputs[name]) for name in sorted(signature.outputs)},
        "method_name": signature.method_name,
        "defaults": {},
    }


def _tensor_info(info: Message) -> dict[str, Any]:
    dims = [{"size": str(dim.size), "name": dim.name} for dim in info.tensor_shape.dim]
    dtype = info.DESCRIPTOR.fields_by_name["dtype"].enum_type.values_by_number[info.dtype].name
    shape = {"dim": dims, "unknown_rank": info.tensor_shape.unknown_rank}
    return {"dtype": dtype, "tensor_shape": shape, "name": info.name}


def _version_status(status: Message) -> dict[str, Any]:
    state = status.DESCRIPTOR.fields_by_name["state"].enum_type.values_by_number[status.state].name
    code = status.status.error_code
    names = {one.value[0]: one.name for one in grpc.StatusCode}
    return {
        "version": str(status.version),
        "state": state,
        "status": {"error_code": names.get(code, "UNKNOWN"), "error_message": status.status.error_message},
    }
