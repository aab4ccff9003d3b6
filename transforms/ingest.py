"""From files to serialized tf.Examples by split, and a count of every row on the way."""

import collections
import dataclasses
import functools
import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from tfmtl.spec import DatasetSpec
from transforms.batch import SPLITS, IngestReport, RawBatch, Reject, SourceReport
from transforms.check import check, raw_columns
from transforms.csv_reader import read_csv
from transforms.files import exists, is_folder, list_files
from transforms.movielens import ratings_path, read_movielens
from transforms.split import assign

Reader = Callable[[str, Sequence[str]], Iterator[RawBatch]]

READERS: dict[str, Reader] = {"csv": read_csv, "movielens": read_movielens}
_CSV_NAMES = ("*.csv", "*.csv.gz", "*.csv.bz2", "*.csv.zst")


@dataclasses.dataclass(frozen=True)
class IngestedBatch:
    """What became of a batch of rows.

    Attributes:
        typed: columns (`transforms.check.CheckedBatch.typed`) by split; each of `SPLITS` is there.
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


def expand(reader: str, base_path: str) -> list[str]:
    """The paths that `reader` reads one by one, each a unit of parallel work.

    Args:
        reader: a key of `READERS`.
        base_path: for `csv` a file, a folder (its .csv files, compressed or not) or a pattern for the names in one
            (`logs/day-*.csv`); for `movielens` the folder of the files.

    Raises:
        ValueError: if there is no such reader.
        FileNotFoundError: if nothing is there to be read.
    """
    if reader not in READERS:
        raise ValueError(f"reader should be one of {', '.join(READERS)}. Received: {reader!r}")
    if reader == "movielens":
        ratings_path(base_path)
        return [base_path]
    if exists(base_path):
        return [base_path]
    if is_folder(base_path):
        paths = list_files(base_path, _CSV_NAMES)
    else:
        paths = list_files(posixpath.dirname(base_path) or ".", (posixpath.basename(base_path),))
    if not paths:
        raise FileNotFoundError(f"should be a file, a folder of .csv files or a pattern. Received: {base_path!r}")
    return paths


def ingest(paths: Iterable[str], spec: DatasetSpec, reader: str) -> Iterator[IngestedBatch]:
    """Reads the files, checks every row, and types those that pass, batch by batch in the order of the files.

    Args:
        paths: of `expand`.
        spec: of the data set.
        reader: a key of `READERS`.

    Raises:
        MissingColumnError: if a file lacks a column of the spec.
        FileNotFoundError, ValueError: as the reader does.
    """
    columns = raw_columns(spec)
    for path in paths:
        for batch in READERS[reader](path, columns):
            yield ingest_batch(batch, spec)


def ingest_batch(batch: RawBatch, spec: DatasetSpec) -> IngestedBatch:
    """Checks, types and splits the rows of a batch; the report counts each row that was read exactly once."""
    checked = check(batch, spec)
    split = assign(spec.split, checked.raw)
    typed = {name: checked.typed.take(pa.array(np.flatnonzero(split == i))) for i, name in enumerate(SPLITS)}
    report = SourceReport(
        read=len(batch.lines) + len(batch.rejects),
        accepted={name: rows.num_rows for name, rows in typed.items() if rows.num_rows},
        rejected=dict(collections.Counter(reject.reason for reject in checked.rejects)),
    )
    return IngestedBatch(typed, checked.rejects, IngestReport({batch.source: report}))


def encode(typed: pa.RecordBatch) -> list[bytes]:
    """A serialized tf.Example for each row; a feature that is null has no values, and the order of features varies."""
    from tfx_bsl.coders import example_coder

    return example_coder.RecordBatchToExamples(typed) if typed.num_rows else []
