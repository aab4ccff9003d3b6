"""Channel of asyncio to a model server, with the deadlines, retries and errors of `serving.connection.Connection`."""

import asyncio
import collections
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import Message

from serving.connection import METHODS, Retries, channel_options, serialize


class AsyncConnection:
    """Channel of asyncio. It belongs to the event loop in which its first call runs.

    Args:
        host: Address of the server, `address:port` or any gRPC target.
        retries: Number of times that a call is repeated (see `serving.connection.Retries`).
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
            self._channel = grpc.aio.insecure_channel(host, options=options)
        else:
            self._channel = grpc.aio.secure_channel(host, credentials, options=options)
        self._methods = {
            name: self._channel.unary_unary(path, serialize, response.FromString)
            for name, (path, response) in METHODS.items()
        }

    async def send(self, method: str, requests: Iterable[Message], end: float, max_in_flight: int = 1) -> list[Message]:
        """Sends requests as `serving.connection.Connection.send` does. Raises `PredictionError`."""
        responses: list[Message] = []
        pending: collections.deque[asyncio.Task[Message]] = collections.deque()
        try:
            for request in requests:
                if len(pending) == max_in_flight:
                    responses.append(await pending[0])
                    pending.popleft()
                pending.append(asyncio.ensure_future(self._send_one(method, request, end)))
            while pending:
                responses.append(await pending[0])
                pending.popleft()
        finally:
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
        return responses

    async def close(self) -> None:
        """Closes the channel."""
        await self._channel.close()

    async def _send_one(self, method: str, request: Message, end: float) -> Message:
        retries = Retries(self._retries, end)
        while True:
            try:
                response: Message = await self._methods[method](
                    request, timeout=retries.timeout, metadata=self._headers
                )
                return response
            except grpc.aio.AioRpcError as error:
                pause = retries.pause(error)
            await asyncio.sleep(pause)
