"""Events divided by their keys: each partition holds all events of its keys, and fits into memory.

The events of a range of a file are one Arrow file, in which each record batch belongs to one partition. Only the places
of the record batches travel between the workers of a job.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from transforms.batches.column_types import format_values
from transforms.batches.parsing import build_lists, split_tokens
from transforms.join.events import KEY
from transforms.join.key_hash import hash_columns
from transforms.storage.files import open_output, open_random_access

_BUFFER_BYTES = 64 << 20
"""Size of the events that are collected before they are divided."""
PARTITION_BYTES = 32 << 20
"""Wanted size of the files of a log that one partition corresponds to."""
_MAX_PARTITIONS = 512


def choose_partitions(log_bytes: int) -> int:
    """Returns the number of partitions, which depends on the size of the logs only.

    Args:
        log_bytes: Size of the files of all logs in bytes.
    """
    return min(_MAX_PARTITIONS, max(1, -(-log_bytes // PARTITION_BYTES)))


@dataclasses.dataclass(frozen=True, order=True)
class Piece:
    """Record batch of a file that belongs to one partition.

    Attributes:
        log: Name of the log.
        path: Path of the Arrow file, whose name has the numbers of a file of the log and of its range.
        batch: Number of the record batch.
    """

    log: str
    path: str
    batch: int


class PartitionWriter:
    """Writer of the events of a range of a file.

    Args:
        log: Name of the log.
        path: Path of the Arrow file.
        partitions: Number of partitions.
    """

    def __init__(self, log: str, path: str, partitions: int):
        self._log, self._path, self._partitions = log, path, partitions
        self._tables: list[pa.Table] = []
        self._schema: pa.Schema | None = None
        self._files = 0
        self._pieces: list[tuple[int, Piece]] = []

    def write(self, events: pa.Table) -> None:
        """Adds events.

        Args:
            events: Columns of `transforms.join.events.EventBatch`.
        """
        if events.num_rows:
            self._tables.append(events)
        if sum(table.nbytes for table in self._tables) >= _BUFFER_BYTES:
            self._flush()

    def finish(self) -> list[tuple[int, Piece]]:
        """Writes the remaining events, and returns the number of the partition of each piece."""
        self._flush()
        return self._pieces

    def _flush(self) -> None:
        if not self._tables:
            return
        table = concatenate(self._tables)
        self._tables = []
        keys = [column_array(table, name) for name in table.column_names if name.startswith(KEY)]
        partition = (hash_columns(keys) % np.uint64(self._partitions)).astype(np.int64)
        order = np.argsort(partition, kind="stable")
        table, partition = table.take(pa.array(order)), partition[order]
        path = f"{self._path}-{self._files:03d}.arrow"
        self._files += 1
        numbers, starts = np.unique(partition, return_index=True)
        ends = np.append(starts[1:], len(partition))
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with open_output(path) as sink, pa.ipc.new_file(sink, table.schema, options=options) as file:
            for i, (number, start, end) in enumerate(zip(numbers, starts, ends, strict=True)):
                (batch,) = table.slice(start, end - start).combine_chunks().to_batches()
                file.write_batch(batch)
                self._pieces.append((int(number), Piece(self._log, path, i)))


def read_pieces(pieces: Iterable[Piece]) -> dict[str, pa.Table]:
    """Reads the events of a partition.

    Args:
        pieces: Pieces of the partition, in any order.

    Returns:
        Events by log, in the order of the files of the log.
    """
    tables: dict[str, list[pa.Table]] = {}
    for log, batch in _batches(pieces):
        tables.setdefault(log, []).append(pa.Table.from_batches([batch]))
    return {log: concatenate(parts) for log, parts in tables.items()}


def _batches(pieces: Iterable[Piece]) -> Iterator[tuple[str, pa.RecordBatch]]:
    for piece in sorted(pieces):
        with open_random_access(piece.path) as file:
            yield piece.log, pa.ipc.open_file(file).get_batch(piece.batch)


def concatenate(tables: Sequence[pa.Table]) -> pa.Table:
    """Concatenates tables of the same columns; a column whose type differs between them becomes text.

    Args:
        tables: Tables, at least one.
    """
    for name in tables[0].column_names:
        if len({table.schema.field(name).type for table in tables}) > 1:
            tables = [_with_text(table, name) for table in tables]
    return pa.concat_tables(tables)


def column_array(table: pa.Table, name: str) -> pa.Array:
    """Returns a column as one array.

    Args:
        table: Table.
        name: Name of the column.
    """
    column = table.column(name).combine_chunks()
    if isinstance(column, pa.ChunkedArray):  # The type that `combine_chunks` returns depends on pyarrow's version.
        return column.chunk(0) if column.num_chunks else pa.array([], column.type)
    return column


def _with_text(table: pa.Table, name: str) -> pa.Table:
    column = column_array(table, name)
    if pa.types.is_list(column.type):
        values, rows = split_tokens(column, "")
        column = build_lists(values, rows, len(column))
    else:
        column = format_values(column)
    return table.set_column(table.column_names.index(name), name, column)
