"""Events of a log: the columns that a join needs, with keys as text and times in microseconds."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from transforms.batches.column_types import TIMES, TOKENS, format_values, is_missing, require_type, unwrap_single_values
from transforms.batches.parsing import parse_numbers
from transforms.batches.raw_batch import RawBatch, Reject
from transforms.batches.reasons import INVALID_ID, INVALID_TIME, NOT_A_NUMBER
from transforms.join.options import EventLog
from transforms.join.times import event_times
from transforms.readers.file_range import FileRange
from transforms.readers.registry import read
from transforms.validation.rejections import RowRejections

TIME, ID, KEY, VALUE = ".time", ".id", ".key", ".value"
"""Names of the columns of times and ids, and beginnings of those of keys and values."""


@dataclasses.dataclass(frozen=True)
class EventBatch:
    """Valid events of a file, in the order of its rows.

    Attributes:
        columns: Times `.time` (int64), texts `.key0`, `.key1` and so on, `.id` if the log has ids, numbers `.value0`
            and so on, and the columns of the file that are kept.
        rejects: Rejected rows.
        read: Number of rows that were read, those of `rejects` included.
        position: Number of the file's stored bytes that have been read.
    """

    columns: pa.Table
    rejects: Sequence[Reject]
    read: int
    position: int


def read_events(
    part: FileRange, log: EventLog, key: Sequence[str], keep: Sequence[str] = (), root: str | None = None
) -> Iterator[EventBatch]:
    """Reads the events of a range of a file.

    Args:
        part: Range of a file of the log.
        log: Log of the events.
        key: Columns of the key.
        keep: Further columns that are kept as they are in the file.
        root: Folder of the log; names of folders below it are columns.

    Yields:
        Events. A row without a key, an id or a valid time, or with a value that is not a number, is rejected.

    Raises:
        MissingColumnError: If the file lacks a column.
        LogError: If the file cannot be read.
        ColumnTypeError: If a column of keys or times has another type.
    """
    names = list(dict.fromkeys([*key, log.time, *([log.id] if log.id else []), *log.values, *keep]))
    for batch in read(part.path, names, log, root, part):
        yield _events(batch, log, key, keep)


def _events(batch: RawBatch, log: EventLog, key: Sequence[str], keep: Sequence[str]) -> EventBatch:
    ids = [log.id] if log.id else []
    for name in (*key, *ids):
        require_type(batch, name, TOKENS)
    require_type(batch, log.time, TIMES)
    single, several = unwrap_single_values(batch, [*key, *ids, log.time, *log.values])
    rejections = RowRejections(batch)
    columns: dict[str, pa.Array] = {}
    for name, mask in several.items():
        rejections.reject(mask, INVALID_ID, "one value", name)
    for i, name in enumerate(key):
        columns[f"{KEY}{i}"] = format_values(single.column(name))
        rejections.reject(is_missing(columns[f"{KEY}{i}"]), INVALID_ID, "the key of the event", name)
    for name in ids:
        columns[ID] = format_values(single.column(name))
        rejections.reject(is_missing(columns[ID]), INVALID_ID, "the id of the event", name)
    times, invalid = event_times(single.column(log.time), log)
    rejections.reject(invalid, INVALID_TIME, "a time", log.time)
    for i, name in enumerate(log.values):
        numbers, not_numbers = parse_numbers(single.column(name))
        rejections.reject(not_numbers | np.isinf(numbers), NOT_A_NUMBER, "a number", name)
        columns[f"{VALUE}{i}"] = pa.array(np.nan_to_num(numbers))
    columns[TIME] = pa.array(times)
    table = pa.table({**columns, **{name: batch.column(name) for name in keep}})
    accepted = table.filter(pa.array(rejections.accepted_mask))
    rejects = rejections.all_rejects()
    return EventBatch(accepted, rejects, len(batch.lines) + len(batch.rejects), batch.position)
