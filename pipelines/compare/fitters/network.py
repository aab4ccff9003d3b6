"""Models of `tfmtl`, trained in the same way as by the pipeline's Trainer."""

import dataclasses
from typing import TYPE_CHECKING, Any

from pipelines.compare.fitters.base import Fitted
from pipelines.compare.jobs import Job
from tfmtl.models import MODELS

if TYPE_CHECKING:
    from pipelines.prepared.prepared import Prepared


@dataclasses.dataclass(frozen=True)
class Network:
    """Trains a model until early stopping and scores with the weights of the best epoch.

    Operations are deterministic: on one machine, the same seed gives the same scores to the last bit.
    """

    network: bool = True
    tunable: bool = True
    seeded: bool = True

    def options_class_of(self, model: str) -> Any:
        """Returns the options class of a model.

        Args:
            model: Name of the model.
        """
        return MODELS.info(model).options_class

    def fit(self, job: Job, data: "Prepared") -> Fitted:
        """Fits a model and scores the splits of the job. Sets seeds and TensorFlow's determinism of the whole process.

        Args:
            job: Model, options, training settings and seed.
            data: Prepared data.
        """
        from pipelines.compare.fitters.fit_network import fit_network

        return fit_network(job, data)
