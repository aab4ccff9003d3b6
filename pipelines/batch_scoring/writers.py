"""Writers of rows with their scores: CSV, Parquet and TFRecord, a table at a time."""

import json
import math
from collections.abc import Callable
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import tensorflow as tf

from transforms.batches.column_types import format_values
from transforms.batches.errors import ColumnTypeError
from transforms.batches.parsing import build_lists, build_single_lists
from transforms.examples.from_columns import encode
from transforms.storage.files import open_output

_GROUP_ROWS = 1 << 17


class RowWriter(Protocol):
    """Writer of the rows of one file."""

    def write(self, rows: pa.Table) -> None:
        """Appends rows, which have the same columns in each call."""

    def close(self) -> None:
        """Completes the file."""


class CsvWriter:
    """Writes CSV with a header. A list is written as JSON, a missing value as an empty one.

    Args:
        path: Path of the file.
        compression: Name of Arrow's codec, such as `gzip`; None for none.
    """

    def __init__(self, path: str, compression: str | None = None):
        self._stream: Any = open_output(path)
        if compression:
            self._stream = pa.CompressedOutputStream(self._stream, compression)
        self._has_header = False

    def write(self, rows: pa.Table) -> None:
        """Appends rows."""
        if not self._has_header:
            header = _quoted(pa.array(rows.column_names, pa.string()))
            self._stream.write((",".join(header.to_pylist()) + "\n").encode())
            self._has_header = True
        columns = [pc.fill_null(_quoted(_csv_column(rows.column(name))), "") for name in rows.column_names]
        columns[-1] = pc.binary_join_element_wise(columns[-1], "\n", "")
        lines = pc.binary_join_element_wise(*columns, ",") if len(columns) > 1 else columns[0]
        self._stream.write("".join(lines.to_pylist()).encode())

    def close(self) -> None:
        """Completes the file."""
        self._stream.close()


class ParquetWriter:
    """Writes Parquet in row groups of 131,072 rows or more.

    Args:
        path: Path of the file.

    Raises:
        ColumnTypeError: If a column has another type than in the first rows, to which it cannot be converted.
    """

    def __init__(self, path: str):
        self._stream = open_output(path)
        self._writer: pq.ParquetWriter | None = None
        self._pending: list[pa.Table] = []

    def write(self, rows: pa.Table) -> None:
        """Appends rows."""
        if self._pending:
            rows = _with_schema(rows, self._pending[0].schema)
        elif self._writer is not None:
            rows = _with_schema(rows, self._writer.schema)
        self._pending.append(rows)
        if sum(one.num_rows for one in self._pending) >= _GROUP_ROWS:
            self._flush()

    def close(self) -> None:
        """Completes the file."""
        if self._pending:
            self._flush()
        if self._writer is not None:
            self._writer.close()
        self._stream.close()

    def _flush(self) -> None:
        table, self._pending = pa.concat_tables(self._pending), []
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._stream, table.schema, compression="zstd")
        self._writer.write_table(table, row_group_size=table.num_rows or None)


class TFRecordWriter:
    """Writes tf.Examples. Integers and booleans are int64 features, other numbers float features, all else bytes.

    Args:
        path: Path of the file.
        compression: `GZIP`, or empty for none.
    """

    def __init__(self, path: str, compression: str = ""):
        self._writer = tf.io.TFRecordWriter(path, compression)

    def write(self, rows: pa.Table) -> None:
        """Appends rows."""
        lists = {name: _example_lists(rows.column(name)) for name in rows.column_names}
        for example in encode(pa.RecordBatch.from_arrays(list(lists.values()), list(lists))).to_pylist():
            self._writer.write(example)

    def close(self) -> None:
        """Completes the file."""
        self._writer.close()


WRITERS: dict[str, Callable[[str], RowWriter]] = {
    ".csv": CsvWriter,
    ".csv.gz": lambda path: CsvWriter(path, "gzip"),
    ".parquet": ParquetWriter,
    ".tfrecord": TFRecordWriter,
    ".tfrecord.gz": lambda path: TFRecordWriter(path, "GZIP"),
}
"""Writer by the end of the file's name."""


def _array(column: pa.ChunkedArray) -> pa.Array:
    combined = column.combine_chunks()
    if isinstance(combined, pa.ChunkedArray):
        return combined.chunk(0) if combined.num_chunks else pa.array([], combined.type)
    return combined


def _csv_column(column: pa.ChunkedArray) -> pa.Array:
    """Returns the texts of a column, null where a value is missing."""
    if pa.types.is_list(column.type):
        texts = [
            None if one is None else json.dumps(one, ensure_ascii=False, default=str) for one in column.to_pylist()
        ]
        return pa.array(texts, pa.string())
    return format_values(_array(column))


def _quoted(texts: pa.Array) -> pa.Array:
    """Puts texts that have a comma, a quote or a line break into quotes."""
    is_special = pc.match_substring_regex(texts, '[",\\n\\r]')
    if not pc.any(is_special).as_py():
        return texts
    doubled = pc.replace_substring(texts, '"', '""')
    return pc.if_else(is_special, pc.binary_join_element_wise('"', doubled, '"', ""), texts)


def _with_schema(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    if rows.schema.equals(schema):
        return rows
    try:
        return rows.cast(schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        differing = [name for name in schema.names if rows.schema.field(name).type != schema.field(name).type]
        received = ", ".join(f"{name} of type {rows.schema.field(name).type}" for name in differing)
        expected = ", ".join(f"{name} of type {schema.field(name).type}" for name in differing)
        advice = "Write TFRecord or CSV instead, which have no types of columns."
        raise ColumnTypeError(f"the file should have {expected}, as before. Received: {received}. {advice}") from error


def _example_lists(column: pa.ChunkedArray) -> pa.ListArray:
    """Returns one list for each row; a missing value in a list keeps its position as an empty token or NaN."""
    values = _array(column)
    if not pa.types.is_list(values.type):
        return build_single_lists(_example_values(values))
    flat, row = _example_values(pc.list_flatten(values)), pc.list_parent_indices(values).to_numpy()
    if flat.type == pa.int64():
        kept = ~flat.is_null().to_numpy(zero_copy_only=False)
        return build_lists(flat.drop_null(), row[kept], len(values))
    filler = pa.scalar(math.nan, pa.float32()) if flat.type == pa.float32() else pa.scalar(b"", pa.binary())
    return build_lists(pc.fill_null(flat, filler), row, len(values))


def _example_values(values: pa.Array) -> pa.Array:
    types, value_type = pa.types, values.type
    if types.is_integer(value_type) or types.is_boolean(value_type):
        return values.cast(pa.int64())
    if types.is_floating(value_type):
        return values.cast(pa.float32())
    return format_values(values).cast(pa.binary())
