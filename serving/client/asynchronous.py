"""Client of a model server for asyncio."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import grpc

from serving.client.arguments import ClientArguments
from serving.client.async_connection import AsyncConnection
from serving.client.calls import Call, Pause
from serving.client.predictions import Predictions
from serving.description import ModelDescription
from serving.errors import PredictionError
from serving.metadata import ModelMetadata, ModelVersionStatus
from serving.rows import ERROR
from tfmtl.spec import DatasetSpec


class AsyncTfmtlClient:
    """Client for asyncio: `TfmtlClient` with coroutines, which any number of tasks of one event loop may share.

    Args:
        host: Address of the server, `address:port` or any gRPC target.
        model: Name under which the model is served.
        deadline: Seconds that one call may take, including its retries and all its batches.
        retries: Number of times that a request is sent again while the server is UNAVAILABLE, after pauses that double.
        max_batch: Maximum number of rows in one request; longer inputs are split.
        max_in_flight: Maximum number of requests of one call that are in flight at once.
        signature: Signature that `predict` uses. Defaults to `raw`, which takes one tensor for each raw feature.
        version: Version of the model. Defaults to the newest one.
        label: Label of the version, instead of `version`.
        spec: Spec by which rows are read if the model was exported without one.
        credentials: Credentials for TLS. Without them the channel is not encrypted.
        headers: Metadata of every request, such as `{"authorization": "Bearer ..."}`.
        channel_options: Further options of the gRPC channel.

    Raises:
        ValueError: If an argument is out of range.

    Example:
    ```python
    async with AsyncTfmtlClient("127.0.0.1:8500", "ads") as client:
        scores = await client.predict([{"age": 31.0, "city": "c7"}])
    ```
    """

    def __init__(
        self,
        host: str,
        model: str,
        *,
        deadline: float = 10.0,
        retries: int = 3,
        max_batch: int = 1024,
        max_in_flight: int = 2,
        signature: str | None = None,
        version: int | None = None,
        label: str | None = None,
        spec: DatasetSpec | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        headers: Mapping[str, str] | None = None,
        channel_options: Sequence[tuple[str, Any]] = (),
    ):
        arguments = ClientArguments(
            host, model, deadline, retries, max_batch, max_in_flight, signature, version, label, spec, credentials,
            headers or {}, tuple(channel_options),
        )  # fmt: skip
        self._calls = arguments.calls()
        self._max_in_flight = max_in_flight
        self._connection = AsyncConnection(host, retries, credentials, headers, channel_options)

    async def predict(
        self, rows: Any, *, outputs: Sequence[str] = (), deadline: float | None = None, extra: str = ERROR
    ) -> Predictions:
        """Scores rows of raw features, all of them with one version of the model.

        With the model's description, values are read as those of a log: whole numbers are tokens, texts of lists are
        split at the feature's separator, and texts of numbers are parsed. A feature that is absent, None or NaN is
        missing; tokens without any weights have weight 1.

        Args:
            rows: List of dicts, dict of columns, DataFrame, or Arrow table; or `tfmtl.rows.ParsedRows`.
            outputs: Names of the predictions to compute. Defaults to all.
            deadline: Seconds that the call may take, instead of the client's `deadline`.
            extra: Whether columns that are not features are an error (`error`) or ignored (`ignore`). Labels and other
                columns of the model's spec are always ignored.

        Returns:
            An array of shape `(rows,)` for each prediction, in the order of the rows, and the version that answered.

        Raises:
            ValueError: If an argument is wrong; `RowError` if a row is invalid, and nothing is sent then.
            PredictionError: If the server fails.
        """
        result: Predictions = await self._run(self._calls.predict(rows, outputs, deadline, extra))
        return result

    async def predict_examples(
        self, examples: Sequence[bytes], *, outputs: Sequence[str] = (), deadline: float | None = None
    ) -> Predictions:
        """Scores serialized `tf.Example`s of raw features with the signature `serving_default`.

        Args:
            examples: Serialized tf.Examples.
            outputs: Names of the predictions to compute. Defaults to all.
            deadline: Seconds that the call may take, instead of the client's `deadline`.

        Returns:
            An array of shape `(examples,)` for each prediction, in the order of the examples, and the version that
            answered.

        Raises:
            ValueError: If an example is not of type bytes, or the signature does not take one input.
            PredictionError: If the server fails.
        """
        result: Predictions = await self._run(self._calls.predict_examples(examples, outputs, deadline))
        return result

    async def description(self, deadline: float | None = None) -> ModelDescription | None:
        """Returns the description of the newest version: its spec, and the format of the log it was trained on.

        Args:
            deadline: Seconds that the call may take, instead of the client's `deadline`.

        Returns:
            The description; None if the model has neither a signature `description` nor `spec`, as exports of tfmtl
            0.1.0.

        Raises:
            ConfigError: If the description is of a newer version of tfmtl.
            PredictionError: If the server fails.
        """
        result: ModelDescription | None = await self._run(self._calls.description(deadline))
        return result

    async def spec(self, deadline: float | None = None) -> DatasetSpec | None:
        """Returns the spec of the model's description; None without one. Raises as `description`."""
        description = await self.description(deadline)
        return None if description is None else description.spec

    async def metadata(self, deadline: float | None = None) -> ModelMetadata:
        """Returns version and signatures of the model. Raises `PredictionError` if the server fails."""
        result: ModelMetadata = await self._run(self._calls.metadata(deadline))
        return result

    async def status(self, deadline: float | None = None) -> list[ModelVersionStatus]:
        """Returns the status of the selected version, or of all versions, newest first.

        Raises:
            PredictionError: If the server fails.
        """
        result: list[ModelVersionStatus] = await self._run(self._calls.status(deadline))
        return result

    async def wait_until_ready(self, timeout: float = 60.0) -> None:
        """Waits until the model answers a Predict request of no rows.

        The state AVAILABLE is not sufficient, since a version may have it and fail every Predict request.

        Args:
            timeout: Seconds to wait.

        Raises:
            PredictionError: With code DEADLINE_EXCEEDED after `timeout` seconds, and with any other code as soon as
                the model fails with it.
        """
        await self._run(self._calls.wait_until_ready(timeout))

    async def close(self) -> None:
        """Closes the channel."""
        await self._connection.close()

    async def __aenter__(self) -> "AsyncTfmtlClient":
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def _run(self, call: Call) -> Any:
        """Sends what a call yields, and returns its result."""
        try:
            step = next(call)
            while True:
                responses: list[Any] = []
                if isinstance(step, Pause):
                    await asyncio.sleep(step.seconds)
                else:
                    try:
                        responses = await self._connection.send(
                            step.method, step.requests, step.end, self._max_in_flight
                        )
                    except PredictionError as error:
                        step = call.throw(error)
                        continue
                step = call.send(responses)
        except StopIteration as stop:
            return stop.value
