"""One-hot linear regression, logistic or of values, as a row of a comparison."""

import dataclasses
import time
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from pipelines.compare.fitters.base import Fitted
from pipelines.compare.jobs import Job
from tfmtl import config
from tfmtl.config import require
from tfmtl.search_space import Dimension, Range, Space
from tfmtl.spec import DatasetSpec

if TYPE_CHECKING:
    from pipelines.prepared.prepared import Prepared


@dataclasses.dataclass(frozen=True)
class LogisticRegressionOptions:
    """Options of the regression.

    Attributes:
        inverse_regularization: Weight of the log loss against half the squared norm of the weights, `C` in
            scikit-learn.
        max_rows: Number of training rows to fit the regression on, a random sample if there are more.
    """

    search_space: ClassVar[Space] = {"inverse_regularization": Range(1e-3, 1e2, log=True, digits=2)}

    inverse_regularization: float = 1.0
    max_rows: int = 500_000

    def __post_init__(self) -> None:
        value = self.inverse_regularization
        require(value > 0, "inverse_regularization", "above 0", value)
        require(self.max_rows >= 1, "max_rows", "at least 1", self.max_rows)

    def check_tasks(self, spec: DatasetSpec) -> None:
        """Checks that all tasks are binary or values.

        Args:
            spec: Spec of the dataset.

        Raises:
            FieldError: If a task is a count, or a value with an offset.
        """
        for task in spec.tasks:
            is_valid = task.kind != "count" and task.offset is None
            require(is_valid, "max_rows", "used with binary tasks and with values without an offset", task.name)

    def declared_space(self) -> dict[str, Dimension]:
        """Returns the hyper-parameters that a search varies by default, by the names of the options."""
        return dict(self.search_space)


@dataclasses.dataclass(frozen=True)
class LogisticRegression:
    """Fits a regression for each output on the rows of its space (`OneHotRegression`)."""

    network: bool = False
    tunable: bool = True
    seeded: bool = False

    def options_class_of(self, model: str) -> Any:
        """Returns `LogisticRegressionOptions`.

        Args:
            model: Name of the model.
        """
        return LogisticRegressionOptions

    def fit(self, job: Job, data: "Prepared") -> Fitted:
        """Fits the regressions and scores the splits of the job.

        Args:
            job: Options.
            data: Prepared data.
        """
        from pipelines.evaluation.one_hot_regression import OneHotRegression  # Imported here: it needs TensorFlow.

        options = config.build(LogisticRegressionOptions, config.Document(dict(job.options)))
        start = time.perf_counter()
        regression = OneHotRegression.fit(
            data.spec, data.files("train"), data.rows["train"], options.max_rows, options.inverse_regularization
        )
        training_seconds = time.perf_counter() - start
        scores, seconds = {}, 0.0
        for split in job.splits:
            start = time.perf_counter()
            blocks: dict[str, list[np.ndarray]] = {output.name: [] for output in data.spec.outputs}
            for predicted, _ in regression.predict_batches(data.files(split)):
                for name, values in predicted.items():
                    blocks[name].append(values.astype(np.float32))
            scores[split] = {name: np.concatenate(parts) for name, parts in blocks.items()}
            seconds = time.perf_counter() - start
        return Fitted(scores, regression.parameters, training_seconds, seconds)
