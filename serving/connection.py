"""Channel to a model server, with deadlines, retries and errors."""

import json
import random
import time
from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf.message import Message

from serving import protos, tensors
from serving.errors import StatusError

PREDICTION_SERVICE = "tensorflow.serving.PredictionService"
MODEL_SERVICE = "tensorflow.serving.ModelService"

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 2.0

_OPTIONS = (
    ("grpc.max_receive_message_length", tensors.MAX_BYTES),
    ("grpc.max_send_message_length", tensors.MAX_BYTES),
    # `Connection` retries by itself; gRPC reconnects about as often as that.
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", int(1000 * _FIRST_PAUSE)),
    ("grpc.min_reconnect_backoff_ms", int(1000 * _FIRST_PAUSE)),
    ("grpc.max_reconnect_backoff_ms", int(1000 * _LONGEST_PAUSE)),
    # Requests to a name that resolves to several replicas (a headless service) are spread over all of them.
    ("grpc.service_config", json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})),
)


class PredictionError(StatusError):
    """Error of a request that the server refused, failed or did not answer in time.

    Attributes:
        code: gRPC status code.
        details: Text of the status.
    """


class Connection:
    """Channel whose calls end by a given time and are repeated while the server is UNAVAILABLE.

    Args:
        host: Address of the server, `address:port` or any gRPC target.
        retries: Number of times that a call is repeated. The pauses double from 50 ms to 2 s, and a random share of up
            to a half is subtracted from each.
        credentials: Credentials for TLS. Without them the channel is not encrypted.
    """

    def __init__(self, host: str, retries: int, credentials: grpc.ChannelCredentials | None = None):
        self._retries = retries
        if credentials is None:
            self._channel = grpc.insecure_channel(host, options=_OPTIONS)
        else:
            self._channel = grpc.secure_channel(host, credentials, options=_OPTIONS)
        self._predict = self._method(f"{PREDICTION_SERVICE}/Predict", protos.PredictResponse)
        self._metadata = self._method(f"{PREDICTION_SERVICE}/GetModelMetadata", protos.GetModelMetadataResponse)
        self._status = self._method(f"{MODEL_SERVICE}/GetModelStatus", protos.GetModelStatusResponse)

    def predict(self, request: Message, end: float) -> Message:
        """Sends a Predict request that ends by `end`. Raises `PredictionError`."""
        return self._call(self._predict, request, end)

    def metadata(self, request: Message, end: float) -> Message:
        """Sends a GetModelMetadata request that ends by `end`. Raises `PredictionError`."""
        return self._call(self._metadata, request, end)

    def status(self, request: Message, end: float) -> Message:
        """Sends a GetModelStatus request that ends by `end`. Raises `PredictionError`."""
        return self._call(self._status, request, end)

    def close(self) -> None:
        """Closes the channel."""
        self._channel.close()

    def _method(self, name: str, response_type: Any) -> Callable[..., Any]:
        method: Callable[..., Any] = self._channel.unary_unary(
            f"/{name}", lambda request: request.SerializeToString(), response_type.FromString
        )
        return method

    def _call(self, method: Callable[..., Any], request: Any, end: float) -> Any:
        attempt = 0
        while True:
            try:
                return method(request, timeout=max(end - time.monotonic(), 0.0))
            except grpc.RpcError as error:
                pause = min(_FIRST_PAUSE * 2**attempt, _LONGEST_PAUSE) * random.uniform(0.5, 1.0)
                attempt += 1
                final = error.code() is not grpc.StatusCode.UNAVAILABLE or attempt > self._retries
                if final or time.monotonic() + pause >= end:
                    raise PredictionError(error.code(), error.details() or "") from error
            time.sleep(pause)
