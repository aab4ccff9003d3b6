"""A channel to a model server, with deadlines, retries and errors."""

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
    # Retries are made here, and gRPC should try to connect again about as often as they are.
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", int(1000 * _FIRST_PAUSE)),
    ("grpc.min_reconnect_backoff_ms", int(1000 * _FIRST_PAUSE)),
    ("grpc.max_reconnect_backoff_ms", int(1000 * _LONGEST_PAUSE)),
    # A name that resolves to several replicas (a headless service) has its requests spread over all of them.
    ("grpc.service_config", json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})),
)


class PredictionError(StatusError):
    """The server refused or failed, or did not answer in time: `code` is the gRPC status, `details` its text."""


class Connection:
    """A channel whose calls end by a given time (of `time.monotonic`), and are sent again while it is UNAVAILABLE.

    Args:
        host: `address:port`, or any gRPC target.
        retries: how often a call is sent again, after pauses that double from 50 ms to 2 s, less up to half at random.
        credentials: for TLS; plain text without.
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
        """Sends a Predict. Raises `PredictionError`."""
        return self._call(self._predictions.Predict, request, end)

    def metadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest, end: float
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Sends a GetModelMetadata. Raises `PredictionError`."""
        return self._call(self._predictions.GetModelMetadata, request, end)

    def status(
        self, request: get_model_status_pb2.GetModelStatusRequest, end: float
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Sends a GetModelStatus. Raises `PredictionError`."""
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
                hopeless = error.code() is not grpc.StatusCode.UNAVAILABLE or attempt > self._retries
                if hopeless or time.monotonic() + pause >= end:
                    raise PredictionError(error.code(), error.details() or "") from error
            time.sleep(pause)
