"""Sample of the rows of a raw log, spread over its files and over each large file."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from transforms.batches.column_types import unwrap_single_values
from transforms.batches.errors import LogError
from transforms.batches.raw_batch import RawBatch
from transforms.profile.text_format import detect_format
from transforms.readers.arrow_batch import arrow_batch
from transforms.readers.csv_parser import CsvParser
from transforms.readers.csv_reader import csv_names
from transforms.readers.file_selection import select_files
from transforms.readers.hive_partitions import folder_columns
from transforms.readers.line_blocks import Block
from transforms.readers.log_format import LogFormat
from transforms.readers.registry import column_names, read, resolve_reader
from transforms.storage.files import open_random_access, size

SAMPLE_ROWS = 200_000
"""Number of rows of a sample by default."""
_FILES = 16
_PIECES = 16
_PIECE_BYTES = 1 << 20
_WHOLE_BYTES = 1 << 26
_COMPRESSION_FACTOR = 4


@dataclasses.dataclass(frozen=True)
class LogSample:
    """Sample of a log.

    Attributes:
        columns: Columns of the sampled rows, of the types that a `RawBatch` has.
        rows: Number of rows of the whole log; estimated unless `is_whole`.
        is_whole: Whether the sample holds all rows.
        log_format: Format of the files, with what was detected.
        decisions: One sentence for each detected property.
        ignored: One line for each group of files that are not read.
    """

    columns: pa.Table
    rows: int
    is_whole: bool
    log_format: LogFormat
    decisions: tuple[str, ...]
    ignored: tuple[str, ...]


def read_sample(path: str, given: LogFormat, root: str | None = None, rows: int = SAMPLE_ROWS) -> LogSample:
    """Reads a sample of a log, and detects the format of text files.

    Args:
        path: File, folder or pattern, as in `transforms.readers.file_selection.select_files`.
        given: Format, with the fields that are known.
        root: Folder of the log; names of folders below it are columns. None if no folder's name is a column.
        rows: Largest number of rows of the sample, about.

    Raises:
        LogError: If a file cannot be read, or no row can.
        FileNotFoundError: If there are no files.
    """
    selection = select_files(given.reader, path)
    index = np.unique(np.linspace(0, len(selection.paths) - 1, min(_FILES, len(selection.paths))).astype(int))
    paths = [selection.paths[i] for i in index]
    log_format = given
    decisions: tuple[str, ...] = ()
    if resolve_reader(given.reader, paths[0]) == "csv":
        detected = detect_format(paths[0], given)
        log_format, decisions = detected.log_format, detected.decisions
    names = column_names(paths[0], log_format) or []
    tables, read_rows, read_share = [], 0, 0.0
    for one in paths:
        table, share = _sample_file(one, names, log_format, -(-rows // len(paths)))
        tables.append(_with_folders(table, one, root))
        read_rows += table.num_rows
        read_share += share * size(one)
    if not read_rows:
        raise LogError(f"{path}: should be a log with at least one row. Received: no row")
    total = sum(map(size, selection.paths))
    is_whole = len(paths) == len(selection.paths) and read_share == total
    estimate = read_rows if is_whole else round(read_rows * total / max(read_share, 1))
    table = _unwrapped(pa.concat_tables(_unified(tables)))
    return LogSample(table, estimate, is_whole, log_format, decisions, tuple(selection.ignored_lines()))


def _with_folders(table: pa.Table, path: str, root: str | None) -> pa.Table:
    """Adds the columns that folders name."""
    for name, value in (folder_columns(path, root) if root is not None else {}).items():
        table = table.append_column(name, pa.repeat(pa.scalar(value, pa.string()), table.num_rows))
    return table


def _sample_file(path: str, names: Sequence[str], log_format: LogFormat, rows: int) -> tuple[pa.Table, float]:
    """Returns rows of a file, and the share of the file's bytes that they stand for."""
    reader = resolve_reader(log_format.reader, path)
    is_plain_text = reader == "csv" and not path.endswith((".gz", ".bz2", ".zst")) and log_format.encoding == "utf-8"
    if is_plain_text and size(path) > _WHOLE_BYTES:
        return _sample_text(path, log_format, rows)
    if reader == "parquet":
        return _sample_parquet(path, names, rows)
    tables, count, is_end = [], 0, True
    for batch in read(path, names, log_format):
        tables.append(batch.columns)
        count += len(batch.lines)
        if count >= rows:
            is_end = False
            break
    if not tables:
        return pa.table({name: pa.array([], pa.string()) for name in names}), 1.0
    table = pa.concat_tables(_unified(tables))
    if is_end or table.num_rows <= rows:
        return table.slice(0, rows), 1.0 if is_end else _share(path, table)
    return table.slice(0, rows), _share(path, table) * rows / table.num_rows


def _share(path: str, table: pa.Table) -> float:
    """Estimates the share of a file's bytes that rows take."""
    factor = _COMPRESSION_FACTOR if path.endswith((".gz", ".bz2", ".zst")) else 1
    return float(min(0.99, table.nbytes / factor / max(size(path), 1)))


def _sample_text(path: str, log_format: LogFormat, rows: int) -> tuple[pa.Table, float]:
    """Reads pieces of a large text file at evenly spaced positions."""
    names, delimiter = csv_names(path, log_format)
    parser = CsvParser(path, names, names, delimiter, log_format.quote, log_format.strip)
    length = size(path)
    piece_bytes = _PIECE_BYTES
    tables, used = [], 0
    with open_random_access(path) as file:
        for start in np.linspace(0, length - piece_bytes, _PIECES).astype(int).tolist():
            file.seek(start)
            data = file.read(piece_bytes).replace(b"\r\n", b"\n")
            data = data[data.find(b"\n") + 1 : data.rfind(b"\n") + 1]
            if data:
                tables.append(parser.parse(Block(data, 1, True))[0].columns)
                used += len(data)
    table = pa.concat_tables(tables)
    share = used / length
    if table.num_rows > rows:
        kept = np.linspace(0, table.num_rows - 1, rows).astype(int)
        table, share = table.take(pa.array(kept)), share * rows / table.num_rows
    return table, share


def _sample_parquet(path: str, names: Sequence[str], rows: int) -> tuple[pa.Table, float]:
    """Reads the first rows of evenly spaced row groups."""
    with open_random_access(path) as stream:
        file = pq.ParquetFile(stream)
        count, total = file.num_row_groups, file.metadata.num_rows
        wanted = min(count, max(_PIECES, -(-rows * count // max(total, 1))))
        groups = np.unique(np.linspace(0, count - 1, wanted).astype(int))
        parts = [next(_batches(file, int(group), names, -(-rows // len(groups)))) for group in groups]
        table = pa.Table.from_batches(parts)
    batch = arrow_batch(table, np.arange(1, table.num_rows + 1), path)
    return batch.columns, 1.0 if table.num_rows == total else table.num_rows / total


def _batches(file: pq.ParquetFile, group: int, names: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
    yield from file.iter_batches(rows, row_groups=[group], columns=list(names), use_threads=False)
    yield pa.RecordBatch.from_arrays([pa.array([], file.schema_arrow.field(name).type) for name in names], list(names))


def _unified(tables: Sequence[pa.Table]) -> list[pa.Table]:
    """Casts columns that have several types in several files to strings."""
    schema = tables[0].schema
    types = {name: {table.schema.field(name).type for table in tables} for name in schema.names}
    if all(len(found) == 1 for found in types.values()):
        return list(tables)
    unified = []
    for table in tables:
        columns = {name: table[name] if len(types[name]) == 1 else _as_text(table[name]) for name in schema.names}
        unified.append(pa.table(columns))
    return unified


def _unwrapped(table: pa.Table) -> pa.Table:
    """Replaces lists of at most one value, as TFRecords have for all features, by the values."""
    batch, multiple = unwrap_single_values(RawBatch(table, np.arange(table.num_rows), ""), table.column_names)
    is_list = {name for name, mask in multiple.items() if mask.any()}
    return pa.table({name: (table if name in is_list else batch.columns)[name] for name in table.column_names})


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column if pa.types.is_list(column.type) else column.cast(pa.string())
