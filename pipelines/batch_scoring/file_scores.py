"""Scores of the rows of one file, in batches: the next batch is read while the present one is scored."""

import collections
import concurrent.futures
import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.batch_scoring.model import ScoringModel
from pipelines.prediction.columns import find_columns
from pipelines.prediction.output import name_scores
from transforms.batches.raw_batch import RawBatch, Reject
from transforms.examples.from_columns import encode
from transforms.readers.hive_partitions import folder_columns
from transforms.readers.log_format import LogFormat
from transforms.readers.registry import read
from transforms.validation.validate import validate_features

_AHEAD = 2
"""Number of batches that are read ahead of the one whose scores are awaited."""


@dataclasses.dataclass(frozen=True)
class ScoredRows:
    """Rows with their scores.

    Attributes:
        rows: Columns of the file under its own names, followed by the scores; the rows that are valid.
        rejects: Invalid rows.
    """

    rows: pa.Table
    rejects: tuple[Reject, ...]


class FileScorer:
    """Scores the rows of a file.

    Rows are read and validated by the code with which `tfmtl run` reads those of a log, and encoded as tf.Examples.

    Args:
        model: The model.
        path: Path of the file.
        log_format: Format of the file.
        root: Folder of the files; names of folders below it are columns.

    Attributes:
        absent: Names of the features that the file does not have.

    Raises:
        LogError: If the file cannot be read, or lacks a required feature or all features.
        FileNotFoundError: If there is no such file.
    """

    def __init__(self, model: ScoringModel, path: str, log_format: LogFormat, root: str):
        self._model, self._path, self._format, self._root = model, path, log_format, root
        self._spec = model.description.spec
        folders = list(folder_columns(path, root))
        columns = find_columns(path, self._spec, log_format, folders)
        self._names, self.absent = columns.names, columns.absent

    def batches(self) -> Iterator[ScoredRows]:
        """Yields the rows of the file in their order, at least one batch, which has no rows if the file has none."""
        pending: collections.deque[concurrent.futures.Future[ScoredRows]] = collections.deque()
        none = RawBatch(pa.table({name: pa.array([], pa.string()) for name in self._names}), np.zeros(0, int), "")
        batches = read(self._path, list(self._names), self._format, self._root)
        with concurrent.futures.ThreadPoolExecutor(1) as thread:
            for batch in itertools.chain([next(batches, none)], batches):
                pending.append(thread.submit(self._scored, *self._encoded(batch)))
                if len(pending) > _AHEAD:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()

    def _encoded(self, batch: RawBatch) -> tuple[pa.Table, list[bytes], tuple[Reject, ...]]:
        """Returns the valid rows, their tf.Examples, and the invalid rows."""
        whole = batch
        for name in self.absent:
            if name not in batch.columns.column_names:
                nulls = pa.nulls(len(batch.lines), pa.string())
                batch = dataclasses.replace(batch, columns=batch.columns.append_column(name, nulls))
        validated = validate_features(batch, self._spec)
        rows = whole.columns.select(list(self._names)).rename_columns(list(self._names.values()))
        if len(validated.raw.lines) < len(whole.lines):
            rows = rows.take(pa.array(np.flatnonzero(np.isin(whole.lines, validated.raw.lines))))
        return rows, encode(validated.typed).to_pylist(), validated.rejects

    def _scored(self, rows: pa.Table, examples: list[bytes], rejects: tuple[Reject, ...]) -> ScoredRows:
        scores: dict[str, Any] = dict.fromkeys(self._model.outputs, np.zeros(0, np.float32))
        if examples:
            scores = self._model.score(examples)
        for name, values in name_scores(scores, rows.column_names).items():
            rows = rows.append_column(name, pa.array(values))
        return ScoredRows(rows, rejects)
