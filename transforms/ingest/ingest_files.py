"""Ingestion of files: rows become serialized tf.Examples by split, and every row is counted."""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from tfmtl.spec import DatasetSpec
from transforms.batches.columns import raw_columns
from transforms.batches.raw_batch import SPLITS, RawBatch, Reject
from transforms.batches.report import IngestReport
from transforms.examples.from_columns import encode
from transforms.ingest.hash_collisions import distinct_tokens
from transforms.ingest.joined_batches import JoinedBatches, joinable
from transforms.ingest.split import assign, keep_negatives
from transforms.readers.file_range import FileRange
from transforms.readers.log_format import LogFormat
from transforms.readers.registry import read
from transforms.validation.validate import validate

Progress = Callable[[FileRange, int], object]
"""A function that is called with a range of a file and the number of its bytes that are read."""

_ANY = LogFormat()


@dataclasses.dataclass(frozen=True)
class IngestedBatch:
    """Accepted and rejected rows of a batch.

    Attributes:
        typed: Typed columns (`transforms.validation.validate.ValidatedBatch.typed`) of the accepted rows by split; has
            all of `SPLITS`.
        rejects: Rejected rows.
        report: Counts of the accepted and rejected rows.
    """

    typed: Mapping[str, pa.RecordBatch]
    rejects: tuple[Reject, ...]
    report: IngestReport

    @functools.cached_property
    def examples(self) -> dict[str, pa.Array]:
        """Serialized tf.Examples by split, binary."""
        return {split: encode(rows) for split, rows in self.typed.items()}


def ingest(
    paths: Iterable[str],
    spec: DatasetSpec,
    log_format: LogFormat = _ANY,
    root: str | None = None,
    progress: Progress | None = None,
) -> Iterator[IngestedBatch]:
    """Reads files, validates every row, and types and splits the accepted rows.

    Args:
        paths: Paths of the files, as returned by `transforms.readers.file_selection.expand`.
        spec: Spec of the dataset.
        log_format: Format of the files.
        root: Folder of the log; names of folders below it are columns. None if no folder's name is a column.
        progress: Function to call for each batch with the file and the number of its stored bytes that are read.

    Yields:
        Batches of rows, in the order of the files.

    Raises:
        MissingColumnError: If a file lacks a column of the spec.
        ColumnTypeError: If a column of a file has a type that its feature, label or split cannot have.
        FileNotFoundError: If a file does not exist.
        LogError: If the reader cannot read a file.
    """
    for path in paths:
        yield from ingest_range(FileRange(path), spec, log_format, root, progress)


def ingest_range(
    part: FileRange,
    spec: DatasetSpec,
    log_format: LogFormat = _ANY,
    root: str | None = None,
    progress: Progress | None = None,
) -> Iterator[IngestedBatch]:
    """Reads a range of a file, or a group of files, as `ingest` reads whole files.

    Args:
        part: Range of the file.
        spec: Spec of the dataset.
        log_format: Format of the file.
        root: Folder of the log; names of folders below it are columns. None if no folder's name is a column.
        progress: Function to call for each batch with its file's range and the number of its stored bytes that are
            read.

    Yields:
        Batches of rows, in the order of the file. The rows of small files are in one batch.
    """
    for batches in joinable(_read_files(part, spec, log_format, root, progress)):
        yield ingest_batches(batches, spec)


def ingest_batch(batch: RawBatch, spec: DatasetSpec) -> IngestedBatch:
    """Validates, types and splits the rows of a batch.

    Args:
        batch: Rows of one file.
        spec: Spec of the dataset.

    Returns:
        The rows by split; the report counts each row of the batch exactly once.
    """
    return ingest_batches([batch], spec)


def ingest_batches(batches: Sequence[RawBatch], spec: DatasetSpec) -> IngestedBatch:
    """Validates, types and splits the rows of several batches with equal columns together.

    Args:
        batches: Rows of one or several files.
        spec: Spec of the dataset.

    Returns:
        The rows of all batches by split; the report counts each of them exactly once.
    """
    joined = JoinedBatches(batches)
    validated = validate(joined.batch, spec)
    split = assign(spec, validated)
    kept = keep_negatives(spec, validated, split)
    typed = {name: validated.typed.take(pa.array(np.flatnonzero(kept & (split == i)))) for i, name in enumerate(SPLITS)}
    rejects = joined.rejects(validated)
    report = IngestReport(joined.count(validated, rejects, split, kept), distinct_tokens(spec, typed["train"]))
    return IngestedBatch(typed, tuple(itertools.chain.from_iterable(rejects)), report)


def _read_files(
    part: FileRange, spec: DatasetSpec, log_format: LogFormat, root: str | None, progress: Progress | None
) -> Iterator[RawBatch]:
    for one in part.single_files():
        for batch in read(one.path, raw_columns(spec), log_format, root, one):
            if progress is not None and batch.position:
                progress(one, batch.position)
            yield batch
