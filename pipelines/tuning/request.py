"""Request to run a trial, as it is sent to the trial's process, and the hash of the code that runs it."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.code_hash import versioned_code_hash

_ENTRY_POINTS = (
    "pipelines.tuning.run_trial",
    "pipelines.prepared.write_prepared",
    "pipelines.components.transform_module",  # Defines the transform graph; Transform loads it by name.
)
_LIBRARIES = ("keras", "tensorflow")


@dataclasses.dataclass(frozen=True)
class TrialRequest:
    """A trial to run.

    Attributes:
        model: Name of the model.
        options: Options of the model, as plain data.
        training: Training settings, as plain data.
        maximize: Whether the objective is to be maximized; it is the training's monitor.
        thresholds: Values that the best epoch so far should reach, by epoch, higher is better; None for no threshold.
        fingerprint: Fingerprint that the data should have.
    """

    model: str
    options: Mapping[str, Any]
    training: Mapping[str, Any]
    maximize: bool
    thresholds: Sequence[float | None]
    fingerprint: str

    def to_json(self) -> str:
        """Returns the JSON text, of one line, that `from_json` reads."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "TrialRequest":
        """Creates the request from the text of `to_json`.

        Args:
            text: JSON text.
        """
        return cls(**json.loads(text))


def trial_code_hash() -> str:
    """Computes a hash of the code that determines the metrics of a trial, and of the versions of its libraries.

    Returns:
        16 hexadecimal digits.
    """
    return versioned_code_hash(_ENTRY_POINTS, _LIBRARIES)
