"""One run of a comparison as plain data, and the key under which it is kept."""

import dataclasses
import hashlib
import importlib.metadata
import importlib.util
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from pipelines.code_hash import code_hash

_PACKAGES = ("tfmtl", "transforms", "pipelines.compare.fitters")
_DATA = ("serving.raw_features", "pipelines.compare.data.row_order", "pipelines.compare.data.prepared")
_TRAINING = (
    "pipelines.settings",
    "pipelines.training.input_pipeline",
    "pipelines.training.trainer",
    "pipelines.compare.runs.worker",
)
_MEASURES = ("pipelines.compare.metrics.evaluate", "pipelines.compare.metrics.scenarios")
_LIBRARIES = ("keras", "tensorflow", "lightgbm")
NO_SEED = -1
"""The seed of a model that has nothing random."""


@dataclasses.dataclass(frozen=True)
class Job:
    """What is trained, and with which seed.

    Attributes:
        row: of the table; two rows that train the same share a run.
        model: its name among the fitters or models.
        options: of the model.
        training: without the seed.
        seed: of weights, shuffling and dropout.
        trial: its number among the trials of a search, from 0; None of a run for the table.
    """

    row: str
    model: str
    options: Mapping[str, Any]
    training: Mapping[str, Any]
    seed: int
    trial: int | None = None

    def __hash__(self) -> int:
        return hash(self.to_json())

    def key(self, data: str) -> str:
        """16 hexadecimal digits of all that decides the scores, but for the code.

        Args:
            data: the fingerprint of the data.
        """
        parts = [data, self.model, dict(self.options), dict(self.training), self.seed]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def title(self) -> str:
        """What a person reads."""
        if self.trial is not None:
            return f"{self.row}, trial {self.trial + 1}"
        return self.row if self.seed == NO_SEED else f"{self.row}, seed {self.seed}"

    def to_json(self) -> str:
        """The text that `from_json` reads."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Job":
        """The job of a text."""
        return cls(**json.loads(text))


def code() -> str:
    """A hash of the code that decides the scores and their metrics, and of its libraries' versions."""
    digest = hashlib.sha256(code_hash(*_PACKAGES).encode())
    for module in (*_DATA, *_TRAINING, *_MEASURES):
        spec = importlib.util.find_spec(module)
        assert spec is not None
        assert spec.origin is not None
        digest.update(pathlib.Path(spec.origin).read_bytes())
    for library in _LIBRARIES:
        digest.update(importlib.metadata.version(library).encode())
    return digest.hexdigest()[:16]
