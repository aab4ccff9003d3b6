"""Channel to a model server, with deadlines, retries and errors."""

import json
import random
import time
from collections.abc import Callable
from typing import Any

import grpc
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving import tensors
from serving.errors import StatusError

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
        self._predictions = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._models = model_service_pb2_grpc.ModelServiceStub(self._channel)

    def predict(self, request: predict_pb2.PredictRequest, end: float) -> predict_pb2.PredictResponse:
        """Sends a Predict request that ends by `end`. Raises `PredictionError`."""
        return self._call(self._predictions.Predict, request, end)

    def metadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest, end: float
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Sends a GetModelMetadata request that ends by `end`. Raises `PredictionError`."""
        return self._call(self._predictions.GetModelMetadata, request, end)

    def status(
        self, request: get_model_status_pb2.GetModelStatusRequest, end: float
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Sends a GetModelStatus request that ends by `end`. Raises `PredictionError`."""
        return self._call(self._models.GetModelStatus, request, end)

    def close(self) -> None:
        """Closes the channel."""
        self._channel.close()

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
