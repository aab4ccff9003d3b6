"""Metadata of served models, and the states of their versions."""

import dataclasses
from collections.abc import Mapping

from google.protobuf.message import Message


@dataclasses.dataclass(frozen=True)
class ModelMetadata:
    """Metadata of a served model.

    Attributes:
        version: Number of the version that answered.
        signatures: `SignatureDef` of each signature by name.
    """

    version: int
    signatures: Mapping[str, Message]

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
