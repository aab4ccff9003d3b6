"""Description of a model that travels with it: how rows of raw features are read."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from tfmtl.spec import DatasetSpec

DESCRIPTION = "description"
"""Signature of an export that returns the description as JSON, once for each row of its input."""
SPEC = "spec"
"""Signature that returns the spec alone; exports had it before they had `description`."""


@dataclasses.dataclass(frozen=True)
class ModelDescription:
    """Description of a model.

    Attributes:
        spec: Spec of the dataset on which the model was trained: features with their kinds, separators and defaults,
            tasks and outputs.
        log_format: Format of the files of the training log, as `data` of the settings names its fields: `delimiter`,
            `encoding`, `null` (texts that mean a missing value), `columns` (names of the file's columns) and others.
            Fields with their default value are absent.
        training_only: Names of the features of the log that are known in training only, and no inputs of the model.
            `spec` does not have them.
    """

    spec: DatasetSpec
    log_format: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    training_only: tuple[str, ...] = ()

    @property
    def null(self) -> tuple[str, ...]:
        """Texts that mean a missing value, in addition to the empty one."""
        return tuple(self.log_format.get("null", ()))

    @property
    def sources(self) -> Mapping[str, str]:
        """Name of the file's column by the name of a column of the spec, where they differ."""
        columns: Mapping[str, str] = self.log_format.get("columns", {})
        return columns

    def to_json(self) -> str:
        """Returns the description as JSON text that `from_json` reads."""
        plain: dict[str, Any] = {"spec": self.spec.to_dict(), "data": dict(self.log_format)}
        if self.training_only:
            plain["training_only"] = list(self.training_only)
        return json.dumps(plain, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "ModelDescription":
        """Reads a description, or the spec alone, from JSON text.

        Args:
            text: Output of the signature `description`, or `spec`.

        Raises:
            ConfigError: If the text describes no spec that this version of tfmtl knows.

        Example:
            >>> spec = '{"version": 1, "name": "shop", "features": [{"name": "user", "kind": "categorical"}], '
            >>> spec += '"tasks": [{"name": "click", "label": "clicked"}]}'
            >>> description = ModelDescription.from_json(f'{{"spec": {spec}, "data": {{"null": ["?"]}}}}')
            >>> description.null, description.spec == ModelDescription.from_json(spec).spec
            (('?',), True)
        """
        plain = json.loads(text)
        if "features" in plain:
            return cls(DatasetSpec.from_dict(plain))
        hidden = tuple(plain.get("training_only", ()))
        return cls(DatasetSpec.from_dict(plain["spec"]), plain.get("data", {}), hidden)
