"""Client of TensorFlow Serving and of the embedded server: takes rows, returns an array for each prediction."""

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import grpc
import numpy as np
from google.protobuf.message import Message

from serving import protos, tensors
from serving import rows as rows_lib
from serving.connection import Connection, PredictionError
from serving.metadata import ModelMetadata, ModelVersionStatus
from tfmtl.spec import DatasetSpec

__all__ = ["ModelMetadata", "ModelVersionStatus", "PredictionError", "TfmtlClient"]

RAW = "raw"
SERVING_DEFAULT = "serving_default"
SPEC = "spec"

_SIGNATURE_DEF = "signature_def"
_READY_PAUSE = 0.1
_RETRIED_CODES = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.DEADLINE_EXCEEDED)


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
        self, rows: Any, *, outputs: Sequence[str] = (), deadline: float | None = None
    ) -> dict[str, np.ndarray]:
        """Scores rows of raw features.

        Args:
            rows: List of dicts, dict of columns, or DataFrame. A feature that is absent, None or NaN is missing; a
                multivalent feature (multi-valued, sequence, weights) is a list.
            outputs: Names of the predictions to compute. Defaults to all.
            deadline: Seconds that the call may take, instead of the client's `deadline`.

        Returns:
            An array of shape `(rows,)` for each prediction, in the order of the rows.

        Raises:
            ValueError: If a row has an unknown feature or a value of a wrong type; nothing is sent then.
            PredictionError: If the server fails.
        """
        end = self._end(deadline)
        known = self._cached_metadata(end)
        batch = rows_lib.Batch(rows, self._features(known))
        return self._predict(known, self._signature, len(batch), batch.write, outputs, end)

    def predict_examples(
        self, examples: Sequence[bytes], *, outputs: Sequence[str] = (), deadline: float | None = None
    ) -> dict[str, np.ndarray]:
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
        end = self._end(deadline)
        known = self._cached_metadata(end)
        names = list(known.signature(SERVING_DEFAULT).inputs)
        if len(names) != 1:
            raise ValueError(f"{SERVING_DEFAULT} should take one input, serialized examples. Received: {names}")
        for index, example in enumerate(examples):
            if not isinstance(example, bytes):
                raise ValueError(f"example {index} should be bytes, a serialized tf.Example. Received: {type(example)}")

        def write(inputs: Any, start: int, stop: int) -> None:
            tensors.write_strings(inputs[names[0]], examples[start:stop], [stop - start])

        return self._predict(known, SERVING_DEFAULT, len(examples), write, outputs, end)

    def spec(self, deadline: float | None = None) -> DatasetSpec | None:
        """Returns the spec of the dataset on which the model was trained.

        Args:
            deadline: Seconds that the call may take, instead of the client's `deadline`.

        Returns:
            The spec; None if the model has no signature `spec`, as exports of tfmtl 0.1.0.

        Raises:
            PredictionError: If the server fails.
        """
        end = self._end(deadline)
        known = self._cached_metadata(end)
        if SPEC not in known.signatures:
            return None
        names = list(known.signatures[SPEC].inputs)

        def write(inputs: Any, start: int, stop: int) -> None:
            for name in names:
                tensors.write_strings(inputs[name], [b""], [1])

        text = self._predict(known, SPEC, 1, write, [SPEC], end)[SPEC].item()
        return DatasetSpec.from_dict(json.loads(text))

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

    def _predict(
        self,
        known: ModelMetadata,
        signature: str,
        size: int,
        write: Callable[[Any, int, int], None],
        outputs: Sequence[str],
        end: float,
    ) -> dict[str, np.ndarray]:
        infos = known.signatures[signature].outputs
        for name in outputs:
            if name not in infos:
                raise ValueError(f"outputs should be among {', '.join(sorted(infos))}. Received: {name!r}")
        names = list(outputs) or sorted(infos)
        if not size:
            return {name: np.empty(0, tensors.numpy_dtype(infos[name].dtype)) for name in names}
        parts = []
        for start in range(0, size, self._max_batch):
            request = self._request(signature, outputs)
            write(request.inputs, start, min(start + self._max_batch, size))
            parts.append(self._send(request, known, end))
        if len(parts) == 1:
            return {name: parts[0][name] for name in names}
        return {name: np.concatenate([part[name] for part in parts]) for name in names}

    def _send(self, request: Message, known: ModelMetadata, end: float) -> dict[str, np.ndarray]:
        try:
            response = self._connection.predict(request, end)
        except PredictionError as error:
            if error.code is grpc.StatusCode.INVALID_ARGUMENT:
                self._known = None  # A newer version may have other features: the next call asks for its signatures.
            raise
        if response.model_spec.version.value != known.version:
            self._known = None
        return {name: tensors.decode(tensor) for name, tensor in response.outputs.items()}

    def _features(self, known: ModelMetadata) -> dict[str, rows_lib.Feature]:
        return rows_lib.features_of(known.signature(self._signature), raw=self._signature == RAW)

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
        request = protos.GetModelMetadataRequest(model_spec=self._spec)
        request.metadata_field.append(_SIGNATURE_DEF)
        response = self._connection.metadata(request, end)
        signatures = protos.SignatureDefMap()
        response.metadata[_SIGNATURE_DEF].Unpack(signatures)
        return ModelMetadata(response.model_spec.version.value, dict(signatures.signature_def))

    def _end(self, deadline: float | None) -> float:
        return time.monotonic() + (self._deadline if deadline is None else deadline)
