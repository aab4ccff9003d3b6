"""Which formats can be read, and which files a path stands for."""

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

READERS: dict[str, Reader] = {
    "csv": read_csv,
    "parquet": read_parquet,
    "tfrecord": read_tfrecord,
    "movielens": read_movielens,
}
AUTO = "auto"
"""The reader that a file's name asks for."""
NAMES = (AUTO, *READERS)
FOLDER_READERS = ("movielens",)
"""The readers that take a folder of different files; all others take files alike, each by itself."""
_FILES = {
    "csv": ("*.csv", "*.csv.gz", "*.csv.bz2", "*.csv.zst"),
    "parquet": ("*.parquet", "*.pq", "*.parq"),
    "tfrecord": ("*tfrecord*",),
}


def reader_of(reader: str, path: str) -> str:
    """The reader of a file: the given one, or what `auto` makes of the file's name.

    A name that ends in .parquet, .parq or .pq is read as Parquet, one with `tfrecord` in it as TFRecord, and any other
    one as CSV.
    """
    if reader != AUTO:
        return reader
    name = posixpath.basename(path)
    return next((reader for reader in ("parquet", "tfrecord") if _fits(name, _FILES[reader])), "csv")


def read(reader: str, path: str, columns: Sequence[str]) -> Iterator[RawBatch]:
    """The `columns` of a file in batches, those that its folders name (`transforms.readers.hive_partitions`) included.

    Args:
        reader: one of `NAMES`.
        path: of `expand`.
        columns: those that are read, in this order. One that is named by a folder need not be in the file, and is not
            looked for there.

    Raises:
        MissingColumnError, FileNotFoundError, ValueError: as the reader does.
    """
    given = {name: value for name, value in folder_columns(path).items() if name in columns}
    for batch in READERS[reader_of(reader, path)](path, [name for name in columns if name not in given]):
        table = batch.columns
        for name, value in given.items():
            table = table.append_column(name, pa.repeat(pa.scalar(value, pa.string()), len(batch.lines)))
        yield RawBatch(table.select(list(columns)), batch.lines, batch.source, batch.rejects) if given else batch


def expand(reader: str, base_path: str) -> list[str]:
    """The paths that `reader` reads one by one, each a unit of parallel work, in order.

    Args:
        reader: one of `NAMES`.
        base_path: for `movielens` the folder of the files. For all others a file; a folder (the files in it that are
            called as the reader's are); or a pattern of `transforms.storage.files.find_files`, such as
            `logs/day=*/part-*.parquet`.

    Raises:
        ValueError: if there is no such reader.
        FileNotFoundError: if nothing is there to be read.
    """
    if reader not in NAMES:
        raise ValueError(f"reader should be one of {', '.join(NAMES)}. Received: {reader!r}")
    if reader == "movielens":
        ratings_path(base_path)
        return [base_path]
    if exists(base_path):
        return [base_path]
    names = _FILES[reader] if reader in _FILES else sum(_FILES.values(), ())
    if is_folder(base_path):
        paths = [path for path in find_files(f"{base_path}/*") if _fits(posixpath.basename(path), names)]
    else:
        paths = find_files(base_path)
    if not paths:
        expected = f"a file, a folder of files ({', '.join(names)}) or a pattern (*, and ** for folders of any depth)"
        raise FileNotFoundError(f"should be {expected}. Received: {base_path!r}")
    return paths


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
