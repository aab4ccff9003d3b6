"""Interface of fitters, and what they return."""

import dataclasses
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pipelines.compare.jobs import Job
from tfmtl.health import Health

if TYPE_CHECKING:
    from pipelines.prepared.prepared import Prepared


@dataclasses.dataclass(frozen=True)
class Fitted:
    """Scores of a fitted model, and what they cost.

    Attributes:
        scores: Scores by split (those of `Job.splits`) and output, float32 `(rows,)`.
        parameters: Number of learned numbers.
        training_seconds: Seconds of training and validation, without reading settings and building the model.
        scoring_seconds: Seconds of scoring the last split, with its features in memory.
        history: Metrics by name and epoch, stages one after another; empty for a model without epochs.
        health: Health of the model's mechanisms; empty for a model without any.
    """

    scores: dict[str, dict[str, np.ndarray]]
    parameters: int
    training_seconds: float
    scoring_seconds: float
    history: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    health: tuple[Health, ...] = ()

    @property
    def epochs(self) -> int:
        """Number of epochs."""
        return max((len(values) for values in self.history.values()), default=0)


class Fitter(Protocol):
    """Fits one kind of model."""

    @property
    def network(self) -> bool:
        """True for a model of `tfmtl`, which also takes the options and training settings of the comparison."""

    @property
    def tunable(self) -> bool:
        """True if the model has hyper-parameters to search."""

    @property
    def seeded(self) -> bool:
        """True if the scores depend on the seed; else one run stands for all seeds."""

    def options_class_of(self, model: str) -> Any:
        """Returns the dataclass of a model's options, with a method `check_tasks(spec)`.

        That of a tunable model also has a method `declared_space()`.

        Args:
            model: Name of the model.
        """

    def fit(self, job: Job, data: "Prepared") -> Fitted:
        """Fits a model on the training split, stops by the eval split, and scores the splits of the job.

        Args:
            job: Model, options, training settings, seed and splits.
            data: Prepared data, with the training rows of the job.
        """
