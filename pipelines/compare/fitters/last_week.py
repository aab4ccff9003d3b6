"""The reference of panels that learns nothing: the next week is as the last one was."""

import dataclasses
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.compare.data.prepared import Prepared
from pipelines.compare.fitters.base import Fitted
from pipelines.compare.jobs import Job
from serving.raw_features import parsing_spec
from tfmtl import config
from tfmtl.config import require
from tfmtl.features import NumberSequenceFeature
from tfmtl.spec import DatasetSpec

_BLOCK_ROWS = 4096


@dataclasses.dataclass(frozen=True)
class LastWeekOptions:
    """What stands for the last week.

    Attributes:
        series: by task, the sequence of numbers that counts the same.
        days: how many of its last places are added up; an absent one counts nothing.
    """

    series: Mapping[str, str] = dataclasses.field(default_factory=dict)
    days: int = 7

    def __post_init__(self):
        require(self.days >= 1, "days", "at least 1", self.days)

    def check_tasks(self, spec: DatasetSpec) -> None:
        """Raises `FieldError` unless there is a sequence of numbers, long enough, for each task, and all are counts."""
        sequences = {f.name: f.max_length for f in spec.features if isinstance(f, NumberSequenceFeature)}
        for task in spec.tasks:
            require(task.kind == "count", "series", "left to specs of counts", task.name)
            require(task.name in self.series, ("series", task.name), "given", None)
            series = self.series[task.name]
            known = f"a sequence of numbers: {', '.join(sequences) or 'there is none'}"
            require(series in sequences, ("series", task.name), known, series)
            require(self.days <= sequences[series], "days", f"at most {sequences[series]}, of {series}", self.days)
        for name in self.series:
            require(name in [task.name for task in spec.tasks], ("series", name), "a task of the spec", name)


@dataclasses.dataclass(frozen=True)
class LastWeek:
    """Predicts the sum of the last days of the series."""

    network: bool = False
    tunable: bool = False
    seeded: bool = False

    def options_class_of(self, model: str) -> Any:
        """Which series is which task's."""
        return LastWeekOptions

    def fit(self, job: Job, data: Prepared) -> Fitted:
        """See `Fitter`; nothing is fitted."""
        options = config.build(LastWeekOptions, config.Document(dict(job.options)))
        scores, seconds = {}, 0.0
        for split in ("eval", "test"):
            start = time.perf_counter()
            scores[split] = last_days(data.spec, data.files(split), options)
            seconds = time.perf_counter() - start
        return Fitted(scores, 0, 0.0, seconds)


def last_days(spec: DatasetSpec, files: list[str], options: LastWeekOptions) -> dict[str, np.ndarray]:
    """The sums of the last days by output, `(rows,)` float32."""
    columns = {name: tf.io.VarLenFeature(tf.float32) for name in options.series.values()}
    columns = {name: parsing_spec(spec).get(name, column) for name, column in columns.items()}
    sums: dict[str, list[np.ndarray]] = {task.output: [] for task in spec.tasks}
    for block in tf.data.TFRecordDataset(files, compression_type="GZIP").batch(_BLOCK_ROWS):
        parsed = tf.io.parse_example(block, columns)
        for task in spec.tasks:
            places = tf.RaggedTensor.from_sparse(parsed[options.series[task.name]])
            present = tf.where(tf.math.is_nan(places.values), 0.0, places.values)
            last = places.with_values(present)[:, -options.days :]
            sums[task.output].append(tf.reduce_sum(last, axis=1).numpy())
    return {name: np.concatenate(parts) for name, parts in sums.items()}
