"""Calls of a client as generators of requests, which the blocking and the asyncio client send.

A generator yields a `Send` or a `Pause`, is resumed with the responses or the error, and returns the result.
"""

import dataclasses
import json
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import grpc
import numpy as np
from google.protobuf.message import Message

from serving import protos, tensors
from serving.client.model import SERVING_DEFAULT, KnownModel
from serving.client.predictions import Predictions
from serving.description import ModelDescription
from serving.errors import PredictionError, RowError
from serving.metadata import ModelMetadata, ModelVersionStatus
from serving.rows import ERROR, IGNORE
from tfmtl.config import ConfigError, FieldError
from tfmtl.spec import DatasetSpec

METADATA, PREDICT, STATUS = "metadata", "predict", "status"

_SIGNATURE_DEF = "signature_def"
_READY_PAUSE = 0.1
_KEPT = 8
_NOT_READY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.DEADLINE_EXCEEDED)
# Codes of a request to a version that was unloaded, or to one with other signatures than the known ones.
_OUTDATED = (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION)


@dataclasses.dataclass(frozen=True)
class Send:
    """Requests to send; the generator is resumed with their responses, in the same order.

    Attributes:
        method: `METADATA`, `PREDICT` or `STATUS`.
        requests: Requests, several of which may be in flight at once.
        end: Time (`time.monotonic`) by which all of them end.
    """

    method: str
    requests: Iterable[Message]
    end: float


@dataclasses.dataclass(frozen=True)
class Pause:
    """Pause of a number of seconds."""

    seconds: float


Call: TypeAlias = Generator[Send | Pause, list[Any], Any]
Write: TypeAlias = Callable[[Any, int, int], None]


class Calls:
    """Calls of a client.

    Args:
        spec: `ModelSpec` of the requests.
        deadline: Seconds that one call may take.
        max_batch: Maximum number of rows in one request.
        signature: Signature that `predict` uses.
        default_spec: Spec by which rows are read if the model has none.
    """

    def __init__(
        self, spec: Message, deadline: float, max_batch: int, signature: str, default_spec: DatasetSpec | None
    ):
        self._spec = spec
        self._deadline = deadline
        self._max_batch = max_batch
        self._signature = signature
        self._default = None if default_spec is None else ModelDescription(default_spec)
        self._known: KnownModel | None = None
        self._models: dict[int, KnownModel] = {}

    def predict(self, rows: Any, outputs: Sequence[str], deadline: float | None, extra: str) -> Call:
        """Scores rows."""
        if extra not in (ERROR, IGNORE):
            raise ValueError(f"extra should be {ERROR!r} or {IGNORE!r}. Received: {extra!r}")
        rows = list(rows) if isinstance(rows, Iterator) else rows  # The call may read them twice.

        def encode(known: KnownModel) -> tuple[int, Write]:
            batch = known.batch(rows, self._signature, extra)
            return len(batch), batch.write

        return (yield from self._predict_on_one_version(self._signature, encode, outputs, self._end(deadline)))

    def predict_examples(self, examples: Sequence[bytes], outputs: Sequence[str], deadline: float | None) -> Call:
        """Scores serialized tf.Examples."""
        for index, example in enumerate(examples):
            if not isinstance(example, bytes):
                raise ValueError(f"example {index} should be bytes, a serialized tf.Example. Received: {type(example)}")

        def encode(known: KnownModel) -> tuple[int, Write]:
            names = list(known.metadata.signature(SERVING_DEFAULT).inputs)
            if len(names) != 1:
                raise ValueError(f"{SERVING_DEFAULT} should take one input, serialized examples. Received: {names}")

            def write(inputs: Any, start: int, stop: int) -> None:
                tensors.write_strings(inputs[names[0]], examples[start:stop], [stop - start])

            return len(examples), write

        return (yield from self._predict_on_one_version(SERVING_DEFAULT, encode, outputs, self._end(deadline)))

    def description(self, deadline: float | None) -> Call:
        """Requests the description of the model; None if it has none."""
        known = yield from self._request_known(self._end(deadline))
        return ModelDescription.from_json(known.description_text) if known.description_text else None

    def metadata(self, deadline: float | None) -> Call:
        """Requests version and signatures of the model."""
        return (yield from self._request_metadata(self._end(deadline)))

    def status(self, deadline: float | None) -> Call:
        """Requests the states of the versions."""
        request = protos.GetModelStatusRequest(model_spec=self._spec)
        (response,) = yield Send(STATUS, [request], self._end(deadline))
        state_name = protos.ModelVersionStatus.State.Name
        return [
            ModelVersionStatus(entry.version, state_name(entry.state), entry.status.error_message)
            for entry in response.model_version_status
        ]

    def wait_until_ready(self, timeout: float) -> Call:
        """Waits until the model answers a request of no rows."""
        end = time.monotonic() + timeout
        while True:
            try:
                known = KnownModel((yield from self._request_metadata(end)))
                batch = known.batch([], self._signature, ERROR)
                request = self._request(self._signature, ())
                batch.write(request.inputs, 0, 0)
                yield Send(PREDICT, [request], end)
                return None
            except PredictionError as error:
                if error.code not in _NOT_READY:
                    raise
                if time.monotonic() + _READY_PAUSE >= end:
                    details = f"model {self._spec.name} should be ready within {timeout} s. Received: {error}"
                    raise PredictionError(grpc.StatusCode.DEADLINE_EXCEEDED, details) from error
            yield Pause(_READY_PAUSE)

    def _predict_on_one_version(
        self, signature: str, encode: Callable[[KnownModel], tuple[int, Write]], outputs: Sequence[str], end: float
    ) -> Call:
        """Scores all rows with one version; again, with the newest one, as long as a version is replaced meanwhile."""
        if isinstance(outputs, str | bytes):
            raise ValueError(f"outputs should be a list of names, such as ['ctr']. Received: {outputs!r}")
        was_known = self._known is not None
        known = self._known or (yield from self._request_known(end))
        pinned: int | None = None
        while True:
            try:
                predictions = yield from self._parts(known, signature, encode(known), outputs, end, pinned)
            except (PredictionError, ValueError) as error:
                known = yield from self._newer(known, error, was_known, pinned is None, end)
            else:
                if predictions.version == known.version:
                    return predictions
                answered = self._models.get(predictions.version) or (yield from self._request_known(end))
                if answered.version == predictions.version and answered.reads_as(known, signature):
                    self._known = answered
                    return predictions
                known = answered
            was_known, pinned = True, known.version

    def _newer(self, known: KnownModel, error: Exception, was_known: bool, is_first: bool, end: float) -> Call:
        """Returns the model for the next attempt; raises the error of the last one if the next would be the same."""
        is_sent = isinstance(error, PredictionError) and not isinstance(error, RowError)
        code = error.code if isinstance(error, PredictionError) and is_sent else None
        if not (code in _OUTDATED if is_sent else was_known):
            raise error
        try:
            newest = yield from self._request_known(end)
        except PredictionError:
            raise error from None
        if newest is known and not (is_first and code is grpc.StatusCode.NOT_FOUND):
            raise error
        return newest

    def _parts(
        self,
        known: KnownModel,
        signature: str,
        encoded: tuple[int, Write],
        outputs: Sequence[str],
        end: float,
        version: int | None = None,
    ) -> Call:
        """Sends the rows in parts to one version: the given one, or else the one that answers the first part."""
        size, write = encoded
        names = known.outputs(signature, outputs)
        if not size:
            return Predictions(known.no_rows(signature, names), known.version)

        def request(start: int, version: int | None) -> Message:
            made = self._request(signature, outputs, version)
            write(made.inputs, start, min(start + self._max_batch, size))
            return made

        responses = yield Send(PREDICT, [request(0, version)], end)
        answered = responses[0].model_spec.version.value
        rest = range(self._max_batch, size, self._max_batch)
        if rest:
            responses = responses + (yield Send(PREDICT, (request(start, answered) for start in rest), end))
        parts = [{name: tensors.decode(response.outputs[name]) for name in names} for response in responses]
        if len(parts) == 1:
            return Predictions(parts[0], answered)
        return Predictions({name: np.concatenate([part[name] for part in parts]) for name in names}, answered)

    def _request(self, signature: str, outputs: Sequence[str], version: int | None = None) -> Message:
        request = protos.PredictRequest(model_spec=self._spec, output_filter=outputs)
        request.model_spec.signature_name = signature
        if version is not None:
            request.model_spec.version.value = version
        return request

    def _request_known(self, end: float) -> Call:
        """Requests signatures and description of the selected version; what is known of it already is kept."""
        for is_last in (False, True):
            metadata = yield from self._request_metadata(end)
            cached = self._models.get(metadata.version)
            if cached is not None and cached.metadata == metadata:
                self._known = cached
                return cached
            try:
                known = yield from self._describe(metadata, end)
            except PredictionError as error:
                if is_last or error.code is not grpc.StatusCode.NOT_FOUND:
                    raise
                continue  # The version was unloaded in between.
            break
        self._models = {version: model for version, model in self._models.items() if version > known.version - _KEPT}
        self._models[known.version] = self._known = known
        return known

    def _describe(self, metadata: ModelMetadata, end: float) -> Call:
        known = KnownModel(metadata, description=self._default)
        name = known.description_signature
        if name is None:
            return known
        request = self._request(name, [name], known.version)
        for alias in metadata.signatures[name].inputs:
            tensors.write_strings(request.inputs[alias], [b""], [1])
        (response,) = yield Send(PREDICT, [request], end)
        text = tensors.decode(response.outputs[name]).item(0).decode()
        return KnownModel(metadata, text, _readable(text))

    def _request_metadata(self, end: float) -> Call:
        request = protos.GetModelMetadataRequest(model_spec=self._spec)
        request.metadata_field.append(_SIGNATURE_DEF)
        (response,) = yield Send(METADATA, [request], end)
        signatures = protos.SignatureDefMap()
        response.metadata[_SIGNATURE_DEF].Unpack(signatures)
        return ModelMetadata(response.model_spec.version.value, dict(signatures.signature_def))

    def _end(self, deadline: float | None) -> float:
        return time.monotonic() + (self._deadline if deadline is None else deadline)


def _readable(text: str) -> ModelDescription | None:
    """Returns a description; None if it is of a newer version of tfmtl, so that the signature gives the types."""
    try:
        return ModelDescription.from_json(text)
    except (ConfigError, FieldError, json.JSONDecodeError, KeyError):
        return None
