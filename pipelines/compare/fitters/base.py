"""What every fitter is given, and what it gives."""

import dataclasses
from typing import Any, Protocol

import numpy as np

from pipelines.compare.data.prepared import Prepared
from pipelines.compare.jobs import Job


@dataclasses.dataclass(frozen=True)
class Fitted:
    """A fitted model's scores, and what they cost.

    Attributes:
        scores: `(rows,)` float32 by split (`eval`, `test`) and output.
        parameters: numbers that were learned.
        training_seconds: with validation, without reading the settings or building the model.
        scoring_seconds: of the test split, its features being in memory.
        history: metrics by epoch, stages on end; empty where there are no epochs.
    """

    scores: dict[str, dict[str, np.ndarray]]
    parameters: int
    training_seconds: float
    scoring_seconds: float
    history: dict[str, list[float]] = dataclasses.field(default_factory=dict)

    @property
    def epochs(self) -> int:
        """How many there were."""
        return max((len(values) for values in self.history.values()), default=0)


class Fitter(Protocol):
    """Fits one kind of model."""

    @property
    def network(self) -> bool:
        """Its options are those of a model of `tfmtl`, and it shares those of the comparison."""

    @property
    def tunable(self) -> bool:
        """It has hyper-parameters to be searched."""

    @property
    def seeded(self) -> bool:
        """Another seed may give other scores; else one run stands for all."""

    def options_class_of(self, model: str) -> Any:
        """The dataclass of the options, with a method `check_tasks(spec)`."""

    def fit(self, job: Job, data: Prepared) -> Fitted:
        """Fits on the training split, stops by the eval split, and scores eval and test."""
