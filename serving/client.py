"""The client: rows in, an array for each prediction out, from TensorFlow Serving or the embedded server alike."""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import grpc
import numpy as np
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, model_pb2, predict_pb2

from serving import rows as rows_lib
from serving import tensors
from serving.connection import Connection, PredictionError

RAW = "raw"
SERVING_DEFAULT = "serving_default"

_SIGNATURE_DEF = "signature_def"
_READY_PAUSE = 0.1
_NOT_YET = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.DEADLINE_EXCEEDED)


@dataclasses.dataclass(frozen=True)
class ModelMetadata:
    """What a server says of a model: its version, and the `SignatureDef`s by name."""

    version: int
    signatures: Mapping[str, meta_graph_pb2.SignatureDef]


@dataclasses.dataclass(frozen=True)
class ModelVersionStatus:
    """What a server says of a version: START, LOADING, AVAILABLE, UNLOADING or END, and why it could not be loaded."""

    version: int
    state: str
    error: str = ""


class TfmtlClient:
    """Asks a server for predictions. Safe to share between threads; a context manager.

    Args:
        host: `address:port`, or any gRPC target.
        model: name under which the model is served.
        deadline: seconds that one call may take, retries and all its batches included.
        retries: how often a request is sent again when the server is UNAVAILABLE, after pauses that double.
        max_batch: rows sent in one request; longer inputs are split.
        signature: that `predict` uses; `raw`, one tensor for each raw feature, by default.
        version: of the model; the newest by default.
        label: of the version, instead of `version`.
        credentials: for TLS; plain text without.

    Raises:
        ValueError: if an argument is out of range.

    Example:
        with TfmtlClient("127.0.0.1:8500", "ads") as client:
            client.predict([{"age": 31.0, "city": "c7"}])["ctcvr"]  # shape [1]
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
        self._spec = model_pb2.ModelSpec(name=model)
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
            rows: a list of dicts, a dict of columns, or a DataFrame. A feature that is absent, None or NaN is missing;
                a bag (multi-valued, sequence, weights) is a list.
            outputs: names of the predictions to compute; all of them by default.
            deadline: seconds, instead of the client's.

        Returns:
            An array of shape [rows] for each prediction, in the order of the rows.

        Raises:
            ValueError: before anything is sent, if a row has an unknown feature or a wrong type.
            PredictionError: if the server fails.
        """
        end = self._end(deadline)
        known = self._ask_once(end)
        batch = rows_lib.Batch(rows, self._features(known))
        return self._predict(known, self._signature, len(batch), batch.write, outputs, end)

    def predict_examples(
        self, examples: Sequence[bytes], *, outputs: Sequence[str] = (), deadline: float | None = None
    ) -> dict[str, np.ndarray]:
        """Scores serialized `tf.Example`s of raw features by the signature `serving_default`; else as `predict`."""
        end = self._end(deadline)
        known = self._ask_once(end)
        names = list(_signature(known, SERVING_DEFAULT).inputs)
        if len(names) != 1:
            raise ValueError(f"{SERVING_DEFAULT} should take one input, serialized examples. Received: {names}")
        for index, example in enumerate(examples):
            if not isinstance(example, bytes):
                raise ValueError(f"example {index} should be bytes, a serialized tf.Example. Received: {type(example)}")

        def write(inputs: Any, start: int, stop: int) -> None:
            tensors.write_strings(inputs[names[0]], examples[start:stop], [stop - start])

        return self._predict(known, SERVING_DEFAULT, len(examples), write, outputs, end)

    def metadata(self, deadline: float | None = None) -> ModelMetadata:
        """Version and signatures of the model. Raises `PredictionError`."""
        return self._ask_metadata(self._end(deadline))

    def status(self, deadline: float | None = None) -> list[ModelVersionStatus]:
        """The state of the selected version, or of every version, newest first. Raises `PredictionError`."""
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=self._spec)
        response = self._connection.status(request, self._end(deadline))
        name_of = get_model_status_pb2.ModelVersionStatus.State.Name
        return [
            ModelVersionStatus(entry.version, name_of(entry.state), entry.status.error_message)
            for entry in response.model_version_status
        ]

    def wait_until_ready(self, timeout: float = 60.0) -> None:
        """Waits until the model answers a Predict, of no rows: one that is AVAILABLE may still fail them all.

        Raises:
            PredictionError: DEADLINE_EXCEEDED after `timeout` seconds; any other code at once, if the model fails.
        """
        end = time.monotonic() + timeout
        while True:
            try:
                known = self._ask_metadata(end)
                batch = rows_lib.Batch([], self._features(known))
                request = self._request(self._signature, ())
                batch.write(request.inputs, 0, 0)
                self._connection.predict(request, end)
                return
            except PredictionError as error:
                if error.code not in _NOT_YET:
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

    def _send(self, request: predict_pb2.PredictRequest, known: ModelMetadata, end: float) -> dict[str, np.ndarray]:
        try:
            response = self._connection.predict(request, end)
        except PredictionError as error:
            if error.code is grpc.StatusCode.INVALID_ARGUMENT:
                self._known = None  # Perhaps a newer version took over, with other features: ask it the next time.
            raise
        if response.model_spec.version.value != known.version:
            self._known = None
        return {name: tensors.decode(tensor) for name, tensor in response.outputs.items()}

    def _features(self, known: ModelMetadata) -> dict[str, rows_lib.Feature]:
        return rows_lib.features_of(_signature(known, self._signature), raw=self._signature == RAW)

    def _request(self, signature: str, outputs: Sequence[str]) -> predict_pb2.PredictRequest:
        request = predict_pb2.PredictRequest(model_spec=self._spec, output_filter=outputs)
        request.model_spec.signature_name = signature
        return request

    def _ask_once(self, end: float) -> ModelMetadata:
        known = self._known
        if known is None:
            known = self._known = self._ask_metadata(end)
        return known

    def _ask_metadata(self, end: float) -> ModelMetadata:
        request = get_model_metadata_pb2.GetModelMetadataRequest(model_spec=self._spec)
        request.metadata_field.append(_SIGNATURE_DEF)
        response = self._connection.metadata(request, end)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata[_SIGNATURE_DEF].Unpack(signatures)
        return ModelMetadata(response.model_spec.version.value, dict(signatures.signature_def))

    def _end(self, deadline: float | None) -> float:
        return time.monotonic() + (self._deadline if deadline is None else deadline)


def _signature(known: ModelMetadata, name: str) -> meta_graph_pb2.SignatureDef:
    if name not in known.signatures:
        raise ValueError(f"signature should be one of {', '.join(sorted(known.signatures))}. Received: {name!r}")
    return known.signatures[name]
