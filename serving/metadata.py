"""Metadata of served models, and the states of their versions."""

import dataclasses
import json
from collections.abc import Mapping

import grpc
from google.protobuf.message import Message

from serving import protos, tensors
from serving.connection import Connection, PredictionError
from tfmtl.spec import DatasetSpec

SPEC = "spec"
"""Signature and output of the spec of the dataset."""
_SIGNATURE_DEF = "signature_def"


@dataclasses.dataclass(frozen=True)
class ModelMetadata:
    """Metadata of a served model.

    Attributes:
        version: Number of the version that answered.
        signatures: `SignatureDef` of each signature by name.
        spec: Spec of the dataset on which the model was trained; None if its export does not have it.
    """

    version: int
    signatures: Mapping[str, Message]
    spec: DatasetSpec | None = None

    def output_names(self, name: str) -> list[str]:
        """Returns the outputs of a signature in the order of the spec, others behind them in that of the alphabet.

        Args:
            name: Name of the signature.
        """
        names = sorted(self.signature(name).outputs)
        order = [] if self.spec is None else [output.name for output in self.spec.outputs]
        return [*(one for one in order if one in names), *(one for one in names if one not in order)]

    def signature(self, name: str) -> Message:
        """Returns a signature. Raises `ValueError` if the model has none of that name."""
        if name not in self.signatures:
            raise ValueError(f"signature should be one of {', '.join(sorted(self.signatures))}. Received: {name!r}")
        return self.signatures[name]


@dataclasses.dataclass(frozen=True)
class ModelVersionStatus:
    """Status of a version of a model.

    Attributes:
        version: Number of the version.
        state: `START`, `LOADING`, `AVAILABLE`, `UNLOADING` or `END`.
        error: Reason for which the version could not be loaded; empty if there is none.
    """

    version: int
    state: str
    error: str = ""


def request_metadata(connection: Connection, model_spec: Message, end: float) -> ModelMetadata:
    """Requests version, signatures and spec of a model.

    Args:
        connection: Connection to the server.
        model_spec: `ModelSpec` of the model, with its version or label if one is chosen.
        end: Time by which the answers should be there.

    Raises:
        PredictionError: If the server fails.
    """
    request = protos.GetModelMetadataRequest(model_spec=model_spec)
    request.metadata_field.append(_SIGNATURE_DEF)
    response = connection.metadata(request, end)
    found = protos.SignatureDefMap()
    response.metadata[_SIGNATURE_DEF].Unpack(found)
    version, signatures = response.model_spec.version.value, dict(found.signature_def)
    spec = None
    if SPEC in signatures:
        spec = _request_spec(connection, model_spec.name, version, signatures[SPEC], end)
    return ModelMetadata(version, signatures, spec)


def _request_spec(
    connection: Connection, model: str, version: int, signature: Message, end: float
) -> DatasetSpec | None:
    """Returns the spec of a version; None if the version has been unloaded."""
    request = protos.PredictRequest(output_filter=[SPEC])
    request.model_spec.name, request.model_spec.signature_name = model, SPEC
    request.model_spec.version.value = version
    for name in signature.inputs:
        tensors.write_strings(request.inputs[name], [b""], [1])
    try:
        response = connection.predict(request, end)
    except PredictionError as error:
        if error.code is grpc.StatusCode.NOT_FOUND:
            return None
        raise
    return DatasetSpec.from_dict(json.loads(tensors.decode(response.outputs[SPEC]).item()))
