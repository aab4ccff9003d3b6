"""Reader of Parquet files, in batches of the columns that are needed."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from transforms.batches.errors import LogError, check_columns
from transforms.batches.raw_batch import RawBatch
from transforms.readers.arrow_batch import arrow_batch
from transforms.readers.file_range import FileRange
from transforms.storage.files import open_random_access

BATCH_ROWS = 1 << 16
"""Largest number of rows of a batch by default."""
_BUFFER_BYTES = 1 << 20


def read_parquet(
    path: str, columns: Sequence[str], part: FileRange | None = None, *, batch_rows: int = BATCH_ROWS
) -> Iterator[RawBatch]:
    """Reads columns of a Parquet file, one page of each at a time.

    A row's line number is its 1-based position in the file. Types are converted by `transforms.readers.arrow_batch`.

    Args:
        path: Path of the file, local or on an object store.
        columns: Names of the columns that are read, in this order.
        part: Range of the row groups that are read; None for all of them.
        batch_rows: Largest number of rows of a batch.

    Yields:
        Rows in the order of the file. Those with a string that is not UTF-8 (`invalid_encoding`) are in `rejects`.

    Raises:
        MissingColumnError: If the file lacks one of `columns`.
        LogError: If the file is not Parquet, is incomplete, or has two columns of one name among `columns`.
        FileNotFoundError: If there is no such file.
    """
    with open_random_access(path) as stream:
        before = 0 if part is None else part.first_line - 1
        read = 0
        try:
            # `pre_buffer` would read a whole row group at once.
            file = pq.ParquetFile(stream, buffer_size=_BUFFER_BYTES, pre_buffer=False)
            check_columns(path, file.schema_arrow.names, columns)
            start, end = (0, None) if part is None else (part.start, part.end)
            groups = list(range(file.metadata.num_row_groups))[start:end]
            for rows in file.iter_batches(batch_rows, row_groups=groups, columns=list(columns), use_threads=False):
                table = pa.Table.from_batches([rows]).select(list(columns))
                lines = np.arange(before + read + 1, before + read + rows.num_rows + 1)
                batch = arrow_batch(table, lines, path)
                read += rows.num_rows
                # Only some columns are read: the position is that of the rows.
                yield dataclasses.replace(batch, position=stream.size() * read // file.metadata.num_rows)
        except (pa.ArrowException, OSError) as error:
            where = f", but reading fails after row {before + read:,}" if before + read else ""
            raise LogError(f"{path}: should be a complete Parquet file{where}. Received: {error}") from error


def parquet_names(path: str) -> list[str]:
    """Returns the names of the columns of a Parquet file.

    Args:
        path: Path of the file.

    Raises:
        LogError: If the file is not Parquet or is incomplete.
        FileNotFoundError: If there is no such file.
    """
    with open_random_access(path) as stream:
        try:
            return list(pq.ParquetFile(stream).schema_arrow.names)
        except (pa.ArrowException, OSError) as error:
            raise LogError(f"{path}: should be a complete Parquet file. Received: {error}") from error
