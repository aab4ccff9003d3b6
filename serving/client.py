"""Client of TensorFlow Serving and of the embedded server: takes rows, returns an array for each prediction."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

import grpc
import numpy as np
from google.protobuf.message import Message

from serving import protos, tensors
from serving import rows as rows_lib
from serving.connection import Connection, PredictionError
from serving.metadata import ModelMetadata, ModelVersionStatus, request_metadata
from serving.predictions import Predictions
from tfmtl.spec import DatasetSpec

__all__ = ["ModelMetadata", "ModelVersionStatus", "PredictionError", "Predictions", "TfmtlClient"]

RAW = "raw"
SERVING_DEFAULT = "serving_default"

_READY_PAUSE = 0.1
_CHANGED_CODES = (
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.FAILED_PRECONDITION,
)
"""Codes with which a server answers a request for a version that it has replaced by one with other inputs."""
_RETRIED_CODES = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.DEADLINE_EXCEEDED)


@dataclasses.dataclass(frozen=True)
class _Rows:
    """Rows that were converted for a signature: their number, and a function that writes a part of them."""

    signature: str
    size: int
    write: Callable[[Any, int, int], None]


class TfmtlClient:
    """Client that requests predictions from a server.

    A client can be shared between threads and is a context manager, which closes its channel.

    Args:
        host: Address of the server, `address:port` or any gRPC target.
        model: Name under which the model is served.
        deadline: Seconds that one call may take, including its retries and all its batches.
        retries: Number of times that a request is sent again while the server is UNAVAILABLE, after pauses that double.
        max_batch: Maximum number of rows in one request; longer inputs are split.
        signature: Signature that `predict` uses. Defaults to `raw`, which takes one tensor for each raw feature.
        version: Version of the model. Defaults to the newest one.
        label: Label of the version, instead of `version`.
        credentials: Credentials for TLS. Without them the channel is not encrypted.

    Raises:
        ValueError: If an argument is out of range.

    Example:
    ```python
    with TfmtlClient("127.0.0.1:8500", "ads") as client:
        client.predict([{"age": 31.0, "city": "c7"}])["ctcvr"]  # shape (1,)
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
        signature: str | None = None,
        version: int | None = None,
        label: str | None = None,
        credentials: grpc.ChannelCredentials | None = None,
    ):
        for name, value, least in (("deadline", deadline, 0), ("retries", retries, -1), ("max_batch", max_batch, 0)):
            if value <= least:
                raise ValueError(f"{name} should be above {least}. Received: {value}")
        if version is not None and label is not None:
            raise ValueError(f"version and label should not both be given. Received: {version}, {label!r}")
        self._spec = protos.ModelSpec(name=model)
        if version is not None:
            self._spec.version.value = version
        elif label is not None:
            self._spec.version_label = label
        self._deadline, self._max_batch = deadline, max_batch
        self._signature = signature or RAW
        self._connection = Connection(host, retries, credentials)
        self._known: ModelMetadata | None = None

    def predict(
        self,
        rows: Any,
        *,
        outputs: Sequence[str] = (),
        deadline: float | None = None,
        extra: Literal["error", "ignore"] = "error",
    ) -> Predictions:
        """Scores rows of raw features.

        All rows are scored by one version of the model. If it is unloaded during the call, or a new version has other
        features, all rows are scored again by the newest version.

        Args:
            rows: List of dicts, dict of columns, DataFrame or Arrow table. A feature that is absent, None or NaN is
                missing; a multivalent feature (multi-valued, sequence, weights) is a list, or a string that is split at
                the feature's separator. Whole numbers are taken as the tokens of a categorical feature.
            outputs: Names of the predictions to compute, or one name. Defaults to all, in the order of the spec.
            deadline: Seconds that the call may take, instead of the client's `deadline`.
            extra: Whether a name that is no feature of the model is an error, or ignored.

        Returns:
            An array of shape `(rows,)` for each prediction, in the order of the rows, and the `version` that answered.

        Raises:
            ValueError: If a row has an unknown feature or a value of a wrong type; nothing is sent then.
            PredictionError: If the server fails.
        """
        if extra not in ("error", "ignore"):
            raise ValueError(f"extra should be 'error' or 'ignore'. Received: {extra!r}")
        end = self._end(deadline)
        removed: set[str] = set()

        def prepare(known: ModelMetadata) -> _Rows:
            features = self._features(known)
            removed.difference_update(features)
            batch = rows_lib.Batch(rows, features, ignored=None if extra == "ignore" else removed)
            removed.update(features)
            return _Rows(self._signature, len(batch), batch.write)

        return self._predict(prepare, outputs, end)

    def predict_examples(
        self, examples: Sequence[bytes], *, outputs: Sequence[str] = (), deadline: float | None = None
    ) -> Predictions:
        """Scores serialized `tf.Example`s of raw features with the signature `serving_default`.

        Args:
            examples: Serialized tf.Examples.
            outputs: Names of the predictions to compute. Defaults to all.
            deadline: Seconds that the call may take, instead of the client's `deadline`.

        Returns:
            An array of shape `(examples,)` for each prediction, in the order of the examples.

        Raises:
            ValueError: If an example is not of type bytes, or the signature does not take one input.
            PredictionError: If the server fails.
        """
        for index, example in enumerate(examples):
            if not isinstance(example, bytes):
                raise ValueError(f"example {index} should be bytes, a serialized tf.Example. Received: {type(example)}")

        def prepare(known: ModelMetadata) -> _Rows:
            names = list(known.signature(SERVING_DEFAULT).inputs)
            if len(names) != 1:
                raise ValueError(f"{SERVING_DEFAULT} should take one input, serialized examples. Received: {names}")

            def write(inputs: Any, start: int, stop: int) -> None:
                tensors.write_strings(inputs[names[0]], examples[start:stop], [stop - start])

            return _Rows(SERVING_DEFAULT, len(examples), write)

        return self._predict(prepare, outputs, self._end(deadline))

    def spec(self, deadline: float | None = None) -> DatasetSpec | None:
        """Returns the spec of the dataset on which the model was trained.

        Args:
            deadline: Seconds that the call may take, instead of the client's `deadline`.

        Returns:
            The spec; None if the model has no signature `spec`, as exports of tfmtl 0.1.0.

        Raises:
            PredictionError: If the server fails.
        """
        return self._cached_metadata(self._end(deadline)).spec

    def metadata(self, deadline: float | None = None) -> ModelMetadata:
        """Returns version and signatures of the model. Raises `PredictionError` if the server fails."""
        return self._request_metadata(self._end(deadline))

    def status(self, deadline: float | None = None) -> list[ModelVersionStatus]:
        """Returns the status of the selected version, or of all versions, newest first.

        Raises:
            PredictionError: If the server fails.
        """
        request = protos.GetModelStatusRequest(model_spec=self._spec)
        response = self._connection.status(request, self._end(deadline))
        state_name = protos.ModelVersionStatus.State.Name
        return [
            ModelVersionStatus(entry.version, state_name(entry.state), entry.status.error_message)
            for entry in response.model_version_status
        ]

    def wait_until_ready(self, timeout: float = 60.0) -> None:
        """Waits until the model answers a Predict request of no rows.

        The state AVAILABLE is not sufficient, since a version may have it and fail every Predict request.

        Args:
            timeout: Seconds to wait.

        Raises:
            PredictionError: With code DEADLINE_EXCEEDED after `timeout` seconds, and with any other code as soon as
                the model fails with it.
        """
        end = time.monotonic() + timeout
        while True:
            try:
                known = self._request_metadata(end)
                batch = rows_lib.Batch([], self._features(known))
                request = self._request(self._signature, ())
                batch.write(request.inputs, 0, 0)
                self._connection.predict(request, end)
                return
            except PredictionError as error:
                if error.code not in _RETRIED_CODES:
                    raise
                if time.monotonic() + _READY_PAUSE >= end:
                    details = f"model {self._spec.name} should be ready within {timeout} s. Received: {error}"
                    raise PredictionError(grpc.StatusCode.DEADLINE_EXCEEDED, details) from error
            time.sleep(_READY_PAUSE)

    def close(self) -> None:
        """Closes the channel."""
        self._connection.close()

    def __enter__(self) -> "TfmtlClient":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _predict(self, prepare: Callable[[ModelMetadata], "_Rows"], outputs: Sequence[str], end: float) -> Predictions:
        """Scores all rows by one version, and once more by the newest one if that version cannot score them all."""
        outputs = [outputs] if isinstance(outputs, str) else list(outputs)
        known = self._cached_metadata(end)
        try:
            return self._predict_by_one_version(known, prepare(known), outputs, end)
        except PredictionError as error:
            if error.code not in _CHANGED_CODES:
                raise
            self._known = None
            if self._spec.WhichOneof("version_choice") == "version":
                raise
            newest = self._cached_metadata(end)
            if newest.version == known.version:
                raise
            return self._predict_by_one_version(newest, prepare(newest), outputs, end)

    def _predict_by_one_version(
        self, known: ModelMetadata, rows: "_Rows", outputs: list[str], end: float
    ) -> Predictions:
        infos = known.signature(rows.signature).outputs
        for name in outputs:
            if name not in infos:
                raise ValueError(f"outputs should be among {', '.join(sorted(infos))}. Received: {name!r}")
        names = outputs or known.output_names(rows.signature)
        version: int | None = None
        parts = []
        for start in range(0, rows.size, self._max_batch):
            request = self._request(rows.signature, outputs)
            if version is not None:
                request.model_spec.version.value = version
            rows.write(request.inputs, start, min(start + self._max_batch, rows.size))
            response = self._connection.predict(request, end)
            version = response.model_spec.version.value
            parts.append({name: tensors.decode(tensor) for name, tensor in response.outputs.items()})
        if version is not None and version != known.version:
            self._known = None  # A newer version may have other features: the next call asks for its signatures.
        if not parts:
            return Predictions({name: np.empty(0, tensors.numpy_dtype(infos[name].dtype)) for name in names}, None)
        columns = {name: [part[name] for part in parts] for name in names}
        joined = {name: one[0] if len(one) == 1 else np.concatenate(one) for name, one in columns.items()}
        return Predictions(joined, version)

    def _features(self, known: ModelMetadata) -> dict[str, rows_lib.Feature]:
        raw = self._signature == RAW
        return rows_lib.features_of(known.signature(self._signature), raw, known.spec if raw else None)

    def _request(self, signature: str, outputs: Sequence[str]) -> Message:
        request = protos.PredictRequest(model_spec=self._spec, output_filter=outputs)
        request.model_spec.signature_name = signature
        return request

    def _cached_metadata(self, end: float) -> ModelMetadata:
        known = self._known
        if known is None:
            known = self._known = self._request_metadata(end)
        return known

    def _request_metadata(self, end: float) -> ModelMetadata:
        return request_metadata(self._connection, self._spec, end)

    def _end(self, deadline: float | None) -> float:
        return time.monotonic() + (self._deadline if deadline is None else deadline)
