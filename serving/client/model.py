"""Signatures, description and version of the served model, as far as a client knows them."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from serving import tensors
from serving.description import DESCRIPTION, SPEC, ModelDescription
from serving.metadata import ModelMetadata
from serving.rows import Batch, Feature, features_of

RAW = "raw"
SERVING_DEFAULT = "serving_default"


@dataclasses.dataclass(frozen=True)
class KnownModel:
    """Signatures and description of one version of a model.

    Attributes:
        metadata: Version and signatures.
        description_text: Output of the signature `description`, or of `spec` in older exports; empty without either.
        description: The description by which rows of raw features are read; None if there is none that can be read.
    """

    metadata: ModelMetadata
    description_text: str = ""
    description: ModelDescription | None = None

    @property
    def version(self) -> int:
        """Number of the version."""
        return self.metadata.version

    def features(self, signature: str) -> dict[str, Feature]:
        """Returns the inputs of a signature by name. Raises `ValueError` if there is no such signature."""
        return features_of(self.metadata.signature(signature), raw=signature == RAW)

    def batch(self, rows: Any, signature: str, extra: str) -> Batch:
        """Converts rows to the inputs of a signature. Raises `RowError` if a row is invalid."""
        return Batch(rows, self.features(signature), self.description if signature == RAW else None, extra)

    def outputs(self, signature: str, selected: Sequence[str]) -> list[str]:
        """Returns the names of the selected outputs, or of all of them in the order of the spec.

        Raises:
            ValueError: If a selected output is not one of the signature's.
        """
        infos = self.metadata.signature(signature).outputs
        for name in selected:
            if name not in infos:
                raise ValueError(f"outputs should be among {', '.join(sorted(infos))}. Received: {name!r}")
        if selected:
            return list(selected)
        declared = [] if self.description is None else [output.name for output in self.description.spec.outputs]
        return list(dict.fromkeys([*(name for name in declared if name in infos), *sorted(infos)]))

    def no_rows(self, signature: str, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Returns the outputs for no rows."""
        infos = self.metadata.signature(signature).outputs
        return {name: np.empty(0, tensors.numpy_dtype(infos[name].dtype)) for name in names}

    def reads_as(self, other: "KnownModel", signature: str) -> bool:
        """Returns whether requests to a signature of another version are those of this one."""
        mine, theirs = self.metadata.signatures.get(signature), other.metadata.signatures.get(signature)
        if mine is None or theirs is None:
            return False
        return self.description_text == other.description_text and _form(mine) == _form(theirs)

    @property
    def description_signature(self) -> str | None:
        """Name of the signature that returns the description, if the model has one."""
        return next((name for name in (DESCRIPTION, SPEC) if name in self.metadata.signatures), None)


def _form(signature: Any) -> list[Any]:
    """Returns names, types and shapes of a signature; names of tensors may differ between versions."""
    return [
        sorted((name, info.dtype, tuple(dim.size for dim in info.tensor_shape.dim)) for name, info in infos.items())
        for infos in (signature.inputs, signature.outputs)
    ]
