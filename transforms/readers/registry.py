"""Registry of the readers, and the reading of one file with the columns that its folders name."""

import fnmatch
import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence

import pyarrow as pa

from transforms.batches.errors import LogError
from transforms.batches.null_values import nulls_replaced
from transforms.batches.raw_batch import RawBatch
from transforms.readers.csv_reader import csv_names, read_csv
from transforms.readers.file_range import FileRange
from transforms.readers.hive_partitions import folder_columns
from transforms.readers.log_format import AUTO, LogFormat
from transforms.readers.movielens import read_movielens
from transforms.readers.parquet_reader import parquet_names, read_parquet
from transforms.readers.tfrecord_reader import read_tfrecord, tfrecord_names

Reader = Callable[[str, Sequence[str]], Iterator[RawBatch]]
"""Function from the path of a file and the names of columns to batches of its rows."""

READERS: dict[str, Reader] = {
    "csv": read_csv,
    "parquet": read_parquet,
    "tfrecord": read_tfrecord,
    "movielens": read_movielens,
}
FILE_PATTERNS = {
    "csv": tuple(
        f"*{extension}{compression}"
        for extension in (".csv", ".tsv", ".txt")
        for compression in ("", ".gz", ".bz2", ".zst")
    ),
    "parquet": ("*.parquet", "*.pq", "*.parq"),
    "tfrecord": ("*tfrecord*",),
}
"""Patterns of the names of a reader's files, for readers of single files."""


def resolve_reader(reader: str, path: str) -> str:
    """Returns the name of the reader of a file.

    With `auto`, a file whose name ends in .parquet, .parq or .pq is read as Parquet, one whose name contains `tfrecord`
    as TFRecord, and any other file as CSV.

    Args:
        reader: One of `transforms.readers.log_format.NAMES`.
        path: Path of the file.
    """
    if reader != AUTO:
        return reader
    name = posixpath.basename(path)
    return next((reader for reader in ("parquet", "tfrecord") if matches(name, FILE_PATTERNS[reader])), "csv")


def read(
    path: str,
    columns: Sequence[str],
    log_format: LogFormat,
    root: str | None = None,
    part: FileRange | None = None,
) -> Iterator[RawBatch]:
    """Reads columns of a file and of its folders' names (`transforms.readers.hive_partitions`).

    Args:
        path: One of the paths that `transforms.readers.file_selection.expand` returns.
        columns: Names of the columns of the spec that are read, in this order. A column that a folder names is not read
            from the file.
        log_format: Format of the file, and names of its columns.
        root: Folder of the log. Names of folders below it are columns; None if no folder is.
        part: Range of the file (`transforms.readers.divide_file`) that is read; None for all of it.

    Yields:
        Rows in the order of the file.

    Raises:
        MissingColumnError: If the file lacks one of `columns`.
        LogError: If the file is not of the reader's format, cannot be read to its end, or has a column that a folder
            names too.
        FileNotFoundError: If there is no such file.
    """
    sources = {name: log_format.source(name) for name in columns}
    file_columns = list(dict.fromkeys(sources.values()))
    folder_values = {}
    if root is not None:
        folder_values = {name: value for name, value in folder_columns(path, root).items() if name in file_columns}
    if folder_values:
        _check_folders(path, log_format, folder_values)
        file_columns = [name for name in file_columns if name not in folder_values]
    reader = resolve_reader(log_format.reader, path)
    for batch in _read_file(reader, path, file_columns, log_format, part):
        batch = nulls_replaced(batch, [str(token) for token in log_format.null])
        table = batch.columns
        for name, value in folder_values.items():
            table = table.append_column(name, pa.repeat(pa.scalar(value, pa.string()), len(batch.lines)))
        table = pa.table({name: table.column(source) for name, source in sources.items()})
        mismatched = frozenset(name for name, source in sources.items() if source in batch.mismatched_columns)
        yield RawBatch(table, batch.lines, batch.source, batch.rejects, mismatched, batch.position)


def _read_file(
    reader: str, path: str, columns: Sequence[str], log_format: LogFormat, part: FileRange | None
) -> Iterator[RawBatch]:
    if reader == "csv":
        return read_csv(path, columns, log_format, part)
    if reader == "parquet":
        return read_parquet(path, columns, part)
    return READERS[reader](path, columns)


def column_names(path: str, log_format: LogFormat) -> list[str] | None:
    """Returns the names of a file's columns, from its header, its schema or its first tf.Examples.

    Args:
        path: Path of a file.
        log_format: Format of the file.

    Returns:
        Names in the order of the file; None for a reader of folders.

    Raises:
        LogError: If the file is empty or not of the reader's format.
        FileNotFoundError: If there is no such file.
    """
    reader = resolve_reader(log_format.reader, path)
    if reader == "csv":
        return csv_names(path, log_format)[0]
    return {"parquet": parquet_names, "tfrecord": tfrecord_names}[reader](path) if reader in FILE_PATTERNS else None


def _check_folders(path: str, log_format: LogFormat, folder_values: Mapping[str, str | None]) -> None:
    names = column_names(path, log_format) or []
    for name, value in folder_values.items():
        if name in names:
            expected = f"should have the column {name} either in the file or in the name of a folder ({name}={value})"
            raise LogError(f"{path}: {expected}. Received: both. Rename the folder or remove the column.")


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Returns whether the name of a file matches one of several patterns.

    Args:
        name: Name of the file.
        patterns: Patterns, as in `FILE_PATTERNS`.
    """
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
