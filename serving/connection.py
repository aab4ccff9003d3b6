"""Channel to a model server, with deadlines, retries and errors."""

import collections
import json
import random
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import grpc
from google.protobuf.message import Message

from serving import protos, tensors
from serving.errors import PredictionError

__all__ = ["MODEL_SERVICE", "PREDICTION_SERVICE", "Connection", "PredictionError"]

PREDICTION_SERVICE = "tensorflow.serving.PredictionService"
MODEL_SERVICE = "tensorflow.serving.ModelService"

METHODS = {
    "predict": (f"/{PREDICTION_SERVICE}/Predict", protos.PredictResponse),
    "metadata": (f"/{PREDICTION_SERVICE}/GetModelMetadata", protos.GetModelMetadataResponse),
    "status": (f"/{MODEL_SERVICE}/GetModelStatus", protos.GetModelStatusResponse),
}
"""Path and type of the response of each method that clients call."""

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 2.0

CHANNEL_OPTIONS: tuple[tuple[str, Any], ...] = (
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
"""Options of every channel, unless a client is given others."""


class Retries:
    """Attempts of one request.

    Args:
        most: Number of times that it is repeated while the server is UNAVAILABLE. The pauses double from 50 ms to 2 s,
            and a random share of up to a half is subtracted from each.
        end: Time (`time.monotonic`) by which the request ends.
    """

    def __init__(self, most: int, end: float):
        self._left = most
        self._end = end
        self._pause = _FIRST_PAUSE

    @property
    def timeout(self) -> float:
        """Seconds that are left, above 0, which asyncio's channel takes for no limit."""
        return max(self._end - time.monotonic(), 1e-6)

    def pause(self, error: Any) -> float:
        """Returns the seconds to wait before the next attempt.

        Args:
            error: Error of the last attempt, a `grpc.RpcError` with a status.

        Raises:
            PredictionError: If there is no next attempt.
        """
        pause = self._pause * random.uniform(0.5, 1.0)
        is_final = error.code() is not grpc.StatusCode.UNAVAILABLE or self._left == 0
        if is_final or time.monotonic() + pause >= self._end:
            raise PredictionError(error.code(), error.details() or "") from error
        self._left -= 1
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        return pause


class Connection:
    """Channel whose calls end by a given time and are repeated while the server is UNAVAILABLE.

    Args:
        host: Address of the server, `address:port` or any gRPC target.
        retries: Number of times that a call is repeated (see `Retries`).
        credentials: Credentials for TLS. Without them the channel is not encrypted.
        headers: Metadata of every call.
        options: Further options of the channel.
    """

    def __init__(
        self,
        host: str,
        retries: int,
        credentials: grpc.ChannelCredentials | None = None,
        headers: Mapping[str, str] | None = None,
        options: Sequence[tuple[str, Any]] = (),
    ):
        self._retries = retries
        self._headers = tuple((headers or {}).items())
        options = channel_options(options)
        if credentials is None:
            self._channel = grpc.insecure_channel(host, options=options)
        else:
            self._channel = grpc.secure_channel(host, credentials, options=options)
        self._methods: dict[str, Any] = {
            name: self._channel.unary_unary(path, serialize, response.FromString)
            for name, (path, response) in METHODS.items()
        }

    def send(self, method: str, requests: Iterable[Message], end: float, max_in_flight: int = 1) -> list[Message]:
        """Sends requests.

        Args:
            method: Name of the method, one of `METHODS`.
            requests: Requests, which are made while earlier ones are in flight.
            end: Time (`time.monotonic`) by which all of them end.
            max_in_flight: Number of requests that are in flight at once.

        Returns:
            The responses in the order of the requests.

        Raises:
            PredictionError: If a request fails; the others are cancelled.
        """
        call = self._methods[method]
        if max_in_flight == 1 or (isinstance(requests, list) and len(requests) == 1):
            return [self._send_one(call, request, Retries(self._retries, end)) for request in requests]
        responses: list[Message] = []
        pending: collections.deque[tuple[Message, Any, Retries]] = collections.deque()
        try:
            for request in requests:
                if len(pending) == max_in_flight:
                    responses.append(self._finish(call, *pending.popleft()))
                retries = Retries(self._retries, end)
                future = call.future(request, timeout=retries.timeout, metadata=self._headers)
                pending.append((request, future, retries))
            while pending:
                responses.append(self._finish(call, *pending.popleft()))
        finally:
            for _, future, _ in pending:
                future.cancel()
        return responses

    def close(self) -> None:
        """Closes the channel."""
        self._channel.close()

    def _finish(self, call: Any, request: Message, future: Any, retries: Retries) -> Message:
        """Waits for a request in flight, and repeats it where that is due."""
        try:
            response: Message = future.result()
            return response
        except grpc.RpcError as error:
            pause = retries.pause(error)
        time.sleep(pause)
        return self._send_one(call, request, retries)

    def _send_one(self, call: Any, request: Message, retries: Retries) -> Message:
        """Sends a request on the calling thread, which takes less time than a future."""
        while True:
            try:
                response: Message = call(request, timeout=retries.timeout, metadata=self._headers)
                return response
            except grpc.RpcError as error:
                pause = retries.pause(error)
            time.sleep(pause)


def channel_options(options: Sequence[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Returns the options of a channel: `CHANNEL_OPTIONS`, replaced by the given ones of the same name."""
    return list((dict(CHANNEL_OPTIONS) | dict(options)).items())


def serialize(request: Message) -> bytes:
    """Returns the bytes of a request."""
    serialized: bytes = request.SerializeToString()
    return serialized
