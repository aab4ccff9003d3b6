"""Reference for panels without learning: predicts the values of the last week for the next week."""

import dataclasses
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.compare.fitters.base import Fitted
from pipelines.compare.jobs import Job
from tfmtl import config
from tfmtl.config import require
from tfmtl.features import NumberSequenceFeature
from tfmtl.spec import DatasetSpec

if TYPE_CHECKING:
    from pipelines.prepared.prepared import Prepared

_BLOCK_ROWS = 4096


@dataclasses.dataclass(frozen=True)
class LastWeekOptions:
    """Series and days that make up the last week.

    Attributes:
        series: By task, the feature that holds past values of the task's count: a sequence of numbers.
        days: Number of last positions that are added up; a missing value adds nothing.
    """

    series: Mapping[str, str] = dataclasses.field(default_factory=dict)
    days: int = 7

    def __post_init__(self) -> None:
        require(self.days >= 1, "days", "at least 1", self.days)

    def check_tasks(self, spec: DatasetSpec) -> None:
        """Checks that all tasks are counts, each with a sequence of numbers that is long enough.

        Args:
            spec: Spec of the dataset.

        Raises:
            FieldError: If a task is not a count, or has no such sequence.
        """
        sequences = {f.name: f.max_length for f in spec.features if isinstance(f, NumberSequenceFeature)}
        for task in spec.tasks:
            require(task.kind == "count", "series", "used with tasks that are counts", task.name)
            require(task.name in self.series, ("series", task.name), "given", None)
            series = self.series[task.name]
            known = f"a sequence of numbers: {', '.join(sequences) or 'there is none'}"
            require(series in sequences, ("series", task.name), known, series)
            limit = f"at most {sequences[series]}, the length of {series}"
            require(self.days <= sequences[series], "days", limit, self.days)
        for name in self.series:
            require(name in [task.name for task in spec.tasks], ("series", name), "a task of the spec", name)


@dataclasses.dataclass(frozen=True)
class LastWeek:
    """Predicts the sum of the last days of each task's series."""

    network: bool = False
    tunable: bool = False
    seeded: bool = False

    def options_class_of(self, model: str) -> Any:
        """Returns `LastWeekOptions`.

        Args:
            model: Name of the model.
        """
        return LastWeekOptions

    def fit(self, job: Job, data: "Prepared") -> Fitted:
        """Scores the splits of the job; there is nothing to fit.

        Args:
            job: Options.
            data: Prepared data.
        """
        options = config.build(LastWeekOptions, config.Document(dict(job.options)))
        scores, seconds = {}, 0.0
        for split in job.splits:
            start = time.perf_counter()
            scores[split] = sum_last_days(data.spec, data.files(split), options)
            seconds = time.perf_counter() - start
        return Fitted(scores, 0, 0.0, seconds)


def sum_last_days(spec: DatasetSpec, files: list[str], options: LastWeekOptions) -> dict[str, np.ndarray]:
    """Sums the last days of each task's series.

    Args:
        spec: Spec of the dataset.
        files: GZIP TFRecord files of tf.Examples.
        options: Series and days.

    Returns:
        Sums by output, float32 `(rows,)`.
    """
    import tensorflow as tf  # Imported here, since the options are read without TensorFlow.

    from serving.raw_features import parsing_spec

    columns = {name: tf.io.VarLenFeature(tf.float32) for name in options.series.values()}
    columns = {name: parsing_spec(spec).get(name, column) for name, column in columns.items()}
    sums: dict[str, list[np.ndarray]] = {task.output: [] for task in spec.tasks}
    for block in tf.data.TFRecordDataset(files, compression_type="GZIP").batch(_BLOCK_ROWS):
        parsed = tf.io.parse_example(block, columns)
        for task in spec.tasks:
            series = tf.RaggedTensor.from_sparse(parsed[options.series[task.name]])
            present = tf.where(tf.math.is_nan(series.values), 0.0, series.values)
            last_values = series.with_values(present)[:, -options.days :]
            sums[task.output].append(tf.reduce_sum(last_values, axis=1).numpy())
    return {name: np.concatenate(parts) for name, parts in sums.items()}
