"""Registry of the readers, and the files that a path or pattern stands for."""

import fnmatch
import posixpath
from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa

from transforms.batches.raw_batch import RawBatch
from transforms.readers.csv_reader import read_csv
from transforms.readers.hive_partitions import folder_columns
from transforms.readers.movielens import ratings_path, read_movielens
from transforms.readers.parquet_reader import read_parquet
from transforms.readers.tfrecord_reader import read_tfrecord
from transforms.storage.files import exists, find_files, is_folder

Reader = Callable[[str, Sequence[str]], Iterator[RawBatch]]
"""Function from the path of a file and the names of columns to batches of its rows."""

READERS: dict[str, Reader] = {
    "csv": read_csv,
    "parquet": read_parquet,
    "tfrecord": read_tfrecord,
    "movielens": read_movielens,
}
AUTO = "auto"
"""Name that selects the reader by the file's name."""
NAMES = (AUTO, *READERS)
"""Names of all readers."""
FOLDER_READERS = ("movielens",)
"""Names of the readers that read a folder of different files; all others read each file by itself."""
_FILE_PATTERNS = {
    "csv": ("*.csv", "*.csv.gz", "*.csv.bz2", "*.csv.zst"),
    "parquet": ("*.parquet", "*.pq", "*.parq"),
    "tfrecord": ("*tfrecord*",),
}


def resolve_reader(reader: str, path: str) -> str:
    """Returns the name of the reader of a file.

    With `auto`, a file whose name ends in .parquet, .parq or .pq is read as Parquet, one whose name contains `tfrecord`
    as TFRecord, and any other file as CSV.

    Args:
        reader: One of `NAMES`.
        path: Path of the file.
    """
    if reader != AUTO:
        return reader
    name = posixpath.basename(path)
    return next((reader for reader in ("parquet", "tfrecord") if _matches(name, _FILE_PATTERNS[reader])), "csv")


def read(reader: str, path: str, columns: Sequence[str]) -> Iterator[RawBatch]:
    """Reads columns of a file and of its folders' names (`transforms.readers.hive_partitions`).

    Args:
        reader: One of `NAMES`.
        path: One of the paths that `expand` returns.
        columns: Names of the columns that are read, in this order. A column that a folder names is not read from the
            file.

    Yields:
        Rows in the order of the file.

    Raises:
        MissingColumnError: If the file lacks one of `columns`.
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not of the reader's format, or cannot be read to its end.
    """
    folder_values = {name: value for name, value in folder_columns(path).items() if name in columns}
    file_columns = [name for name in columns if name not in folder_values]
    for batch in READERS[resolve_reader(reader, path)](path, file_columns):
        table = batch.columns
        for name, value in folder_values.items():
            table = table.append_column(name, pa.repeat(pa.scalar(value, pa.string()), len(batch.lines)))
        if folder_values:
            batch = RawBatch(table.select(list(columns)), batch.lines, batch.source, batch.rejects)
        yield batch


def expand(reader: str, base_path: str) -> list[str]:
    """Returns the paths that a path or pattern stands for; each of them is one unit of parallel work.

    Args:
        reader: One of `NAMES`.
        base_path: For `movielens`, the folder of the files. For other readers a file, a folder (the files in it whose
            names match the reader's patterns), or a pattern of `transforms.storage.files.find_files`, such as
            `logs/day=*/part-*.parquet`.

    Returns:
        Paths for `read`, sorted.

    Raises:
        ValueError: If there is no such reader.
        FileNotFoundError: If there are no files.
    """
    if reader not in NAMES:
        raise ValueError(f"reader should be one of {', '.join(NAMES)}. Received: {reader!r}")
    if reader == "movielens":
        ratings_path(base_path)
        return [base_path]
    if exists(base_path):
        return [base_path]
    patterns = _FILE_PATTERNS[reader] if reader in _FILE_PATTERNS else sum(_FILE_PATTERNS.values(), ())
    if is_folder(base_path):
        paths = [path for path in find_files(f"{base_path}/*") if _matches(posixpath.basename(path), patterns)]
    else:
        paths = find_files(base_path)
    if not paths:
        expected = (
            f"a file, a folder of files ({', '.join(patterns)}) or a pattern (*, and ** for folders of any depth)"
        )
        raise FileNotFoundError(f"should be {expected}. Received: {base_path!r}")
    return paths


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
