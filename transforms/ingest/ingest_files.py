"""From files to serialized tf.Examples by split, and a count of every row on the way."""

import collections
import dataclasses
import functools
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa

from tfmtl.spec import DatasetSpec
from transforms.batches.raw_batch import SPLITS, RawBatch, Reject
from transforms.batches.report import IngestReport, SourceReport
from transforms.examples.from_columns import encode
from transforms.ingest.split import assign
from transforms.readers.registry import read
from transforms.validation.validate import raw_columns, validate


@dataclasses.dataclass(frozen=True)
class IngestedBatch:
    """What became of a batch of rows.

    Attributes:
        typed: columns (`transforms.validation.validate.ValidatedBatch.typed`) by split; each of `SPLITS` is there.
        rejects: the rows that are in none.
        report: the count of both.
    """

    typed: Mapping[str, pa.RecordBatch]
    rejects: tuple[Reject, ...]
    report: IngestReport

    @functools.cached_property
    def examples(self) -> dict[str, list[bytes]]:
        """Serialized tf.Examples by split."""
        return {split: encode(rows) for split, rows in self.typed.items()}


def ingest(paths: Iterable[str], spec: DatasetSpec, reader: str) -> Iterator[IngestedBatch]:
    """Reads the files, checks every row, and types those that pass, batch by batch in the order of the files.

    Args:
        paths: of `transforms.readers.registry.expand`.
        spec: of the data set.
        reader: one of `transforms.readers.registry.NAMES`.

    Raises:
        MissingColumnError: if a file lacks a column of the spec.
        ColumnTypeError: if a file's column is of a type that cannot be what the spec says it is.
        FileNotFoundError, ValueError: as the reader does.
    """
    columns = raw_columns(spec)
    for path in paths:
        for batch in read(reader, path, columns):
            yield ingest_batch(batch, spec)


def ingest_batch(batch: RawBatch, spec: DatasetSpec) -> IngestedBatch:
    """Checks, types and splits the rows of a batch; the report counts each row that was read exactly once."""
    checked = validate(batch, spec)
    split = assign(spec, checked)
    typed = {name: checked.typed.take(pa.array(np.flatnonzero(split == i))) for i, name in enumerate(SPLITS)}
    report = SourceReport(
        read=len(batch.lines) + len(batch.rejects),
        accepted={name: rows.num_rows for name, rows in typed.items() if rows.num_rows},
        rejected=dict(collections.Counter(reject.reason for reject in checked.rejects)),
    )
    return IngestedBatch(typed, checked.rejects, IngestReport({batch.source: report}))
