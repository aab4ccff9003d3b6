"""One run of a comparison as plain data, the key under which it is kept, and the hash of the code that runs it."""

import dataclasses
import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from typing import Any

from pipelines.code_hash import versioned_code_hash

_ENTRY_POINTS = (
    "pipelines.compare.runs.run_job",  # Trains, scores and measures.
    "pipelines.prepared.write_prepared",  # Orders the rows and joins the true values.
    "pipelines.components.transform_module",  # Defines the transform graph; Transform loads it by name.
)
"""Modules that determine the scores and metrics of a run, with all that they import."""
_LIBRARIES = ("keras", "tensorflow", "lightgbm", "scikit-learn")
NO_SEED = -1
"""Seed of a model without randomness."""


@dataclasses.dataclass(frozen=True)
class Job:
    """A model to train with one seed.

    Attributes:
        row: Name of the row of the table; two rows that train the same model share a run.
        model: Name of the model or other fitter.
        options: Options of the model, as plain data.
        training: Training settings without the seed, as plain data.
        seed: Seed of initial weights, shuffling and dropout.
        trial: Number of the trial of a search, from 0; None for a run of the table.
        rows_fraction: Share of the training rows on which the model is trained; the same rows for all models.
        max_epochs: Maximum number of epochs of each stage, if it is smaller than that of the training settings; None
            for no other maximum.
        defaults: Values of the options and training settings of a trial that are not given. They are part of its key,
            as trials are used whatever code ran them: with another default it is another trial.
    """

    row: str
    model: str
    options: Mapping[str, Any]
    training: Mapping[str, Any]
    seed: int
    trial: int | None = None
    rows_fraction: float = 1.0
    max_epochs: int | None = None
    defaults: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __hash__(self) -> int:
        return hash(self.to_json())

    def key(self, data: str) -> str:
        """Computes the key under which the run is kept: a hash of everything that determines its scores but the code.

        A trial has another key than a run of the table, as it is not scored on the test split. Defaults that are off
        (false, 0, null or empty) are not part of its key, so that a new option that is off changes no key.

        Args:
            data: Fingerprint of the data.

        Returns:
            16 hexadecimal digits.
        """
        parts: list[Any] = [data, self.model, dict(self.options), dict(self.training), self.seed]
        if self.trial is not None:
            parts.append({"rows_fraction": self.rows_fraction, "max_epochs": self.max_epochs})
            parts.append(_without_off(self.defaults))
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def splits(self) -> tuple[str, ...]:
        """Splits that the model scores. A trial does not read the test split."""
        return ("eval", "test") if self.trial is None else ("eval",)

    @property
    def title(self) -> str:
        """Row and seed, or trial, its seed unless it is 0, and its share of the rows; for progress and reports."""
        if self.trial is not None:
            sample = "" if self.rows_fraction == 1 else f" ({100 * self.rows_fraction:.0f} %)"
            seed = f", seed {self.seed}" if self.seed > 0 else ""
            return f"{self.row}, trial {self.trial + 1}{seed}{sample}"
        return self.row if self.seed == NO_SEED else f"{self.row}, seed {self.seed}"

    def to_json(self) -> str:
        """Returns the JSON text that `from_json` reads."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Job":
        """Creates the job from the text of `to_json`.

        Args:
            text: JSON text.
        """
        return cls(**json.loads(text))


def _without_off(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the entries that are not false, 0, null or empty, those of nested mappings included."""
    kept = {name: _without_off(value) if isinstance(value, Mapping) else value for name, value in values.items()}
    return {name: value for name, value in kept.items() if value}


def library_versions() -> dict[str, str]:
    """Returns the versions of the libraries that train models."""
    return {library: importlib.metadata.version(library) for library in _LIBRARIES}


def run_code_hash() -> str:
    """Computes a hash of the code that determines scores and metrics, and of the versions of its libraries.

    Code that only plans runs or reports them is not part of it.

    Returns:
        16 hexadecimal digits.
    """
    return versioned_code_hash(_ENTRY_POINTS, _LIBRARIES)
