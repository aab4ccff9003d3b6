"""Join of the events of one partition: duplicates are removed, labels attributed, and rows written by day."""

import datetime
import posixpath
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from transforms.join.attribution import Moments, first_occurrences
from transforms.join.events import ID, KEY, TIME, VALUE
from transforms.join.labels import Label, label_clicks, label_conversions
from transforms.join.options import CLICK, CONVERSION, LAST_CLICK, JoinOptions
from transforms.join.partition_files import column_array
from transforms.join.report import AFTER_END, COPIES, DUPLICATES, OPEN, POSITIVE, JoinReport
from transforms.join.times import days
from transforms.storage.files import open_output

IMPRESSIONS, CLICKS, CONVERSIONS = "impressions", "clicks", "conversions"
TIME_SUFFIX, OPEN_SUFFIX, PENDING_SUFFIX = "_time", "_open", "_pending"
ELAPSED_SUFFIX, COPY_SUFFIX = "_elapsed", "_copy"
"""Ends of the names of a label's columns: the time of its event; 1 where it may still become positive; 1 where the
longest time to its event has not passed, whatever it is; the days it was observed; and 1 on a copy of the row."""
_DAY = 86_400_000_000
_EPOCH = datetime.date(1970, 1, 1)


def label_columns(options: JoinOptions) -> list[str]:
    """Returns the names of the columns that a join adds to the impressions.

    Args:
        options: Options of the join.
    """
    labels = [CLICK] if options.conversions is None else [CLICK, CONVERSION]
    values = [] if options.conversions is None else options.conversions.values
    suffixes = ("", TIME_SUFFIX, OPEN_SUFFIX, PENDING_SUFFIX, ELAPSED_SUFFIX)
    columns = [label + suffix for label in labels for suffix in suffixes]
    return [*columns, *(label + COPY_SUFFIX for label in options.copies), *values]


def join_partition(events: Mapping[str, pa.Table], options: JoinOptions, end: int) -> tuple[pa.Table, JoinReport]:
    """Labels the impressions of a partition.

    Args:
        events: Columns of `transforms.join.events.EventBatch` by log, in the order of the files.
        options: Options of the join.
        end: Time at which the logs end, in microseconds.

    Returns:
        The impressions and their copies, ordered by `.time`, with the columns of `label_columns`; the `.time` of a copy
        is that of its event. The second value is the counts of the events.
    """
    keys = _key_numbers(events)
    tables: dict[str, pa.Table] = {}
    moments: dict[str, Moments] = {}
    counts: dict[str, dict[str, int]] = {}
    for log, table in events.items():
        tables[log], moments[log], counts[log] = _distinct(table, keys[log], end)
    none = Moments(np.zeros(0, np.int64), np.zeros(0, np.int64))
    impressions, clicks = moments.get(IMPRESSIONS, none), moments.get(CLICKS, none)
    labels = {CLICK: label_clicks(impressions, clicks, options.attribution, end)}
    counts.setdefault(CLICKS, {}).update(labels[CLICK].outcomes)
    if options.conversions is not None:
        conversions = moments.get(CONVERSIONS, none)
        labels[CONVERSION] = label_conversions(
            impressions, clicks, labels[CLICK], conversions, options.attribution, end
        )
        counts.setdefault(CONVERSIONS, {}).update(labels[CONVERSION].outcomes)
    found = {
        name: {POSITIVE: int(label.values.sum()), OPEN: int(label.is_open.sum())} for name, label in labels.items()
    }
    for name in options.copies:
        found[name][COPIES] = found[name][POSITIVE]
    report = JoinReport(events={log: {k: v for k, v in one.items() if v} for log, one in counts.items()}, labels=found)
    if IMPRESSIONS not in tables:
        return pa.table({TIME: pa.array([], pa.int64())}), report
    times = _label_times(impressions, labels, options, end)
    rows = _labelled(tables[IMPRESSIONS], labels, times, tables.get(CONVERSIONS), options)
    return _with_copies(rows, labels, options), report


def write_days(rows: pa.Table, folder: str, name: str, zone: str) -> dict[str, int]:
    """Writes labelled rows to Parquet files by day, `DAY/NAME.parquet`.

    Args:
        rows: Rows of `join_partition`, by time.
        folder: Folder of the days.
        name: Name of the files.
        zone: Time zone of the days.

    Returns:
        Number of rows by day, such as 2026-11-30.
    """
    if not rows.num_rows:
        return {}
    numbers = days(column_array(rows, TIME).to_numpy(), zone)
    rows = rows.drop([TIME])
    order = np.argsort(numbers, kind="stable")
    found, starts = np.unique(numbers[order], return_index=True)
    ends = np.append(starts[1:], len(numbers))
    written = {}
    for number, start, end in zip(found.tolist(), starts, ends, strict=True):
        day = str(_EPOCH + datetime.timedelta(number))
        with open_output(posixpath.join(folder, day, f"{name}.parquet")) as sink:
            pq.write_table(rows.take(pa.array(order[start:end])), sink)
        written[day] = int(end - start)
    return written


def _key_numbers(events: Mapping[str, pa.Table]) -> dict[str, np.ndarray]:
    """Numbers the keys of all logs, so that equal keys have equal numbers."""
    sizes = [table.num_rows for table in events.values()]
    numbers = np.zeros(sum(sizes), np.int64)
    names = [name for name in next(iter(events.values())).column_names if name.startswith(KEY)]
    for name in names:
        columns = pa.chunked_array([column_array(table, name) for table in events.values()])
        encoded = columns.combine_chunks().dictionary_encode()
        encoded = encoded.chunk(0) if isinstance(encoded, pa.ChunkedArray) else encoded
        codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        # Numbers of pairs are made consecutive, so that those of many columns do not overflow.
        numbers = np.unique(numbers * len(encoded.dictionary) + codes, return_inverse=True)[1]
    return dict(zip(events, np.split(numbers, np.cumsum(sizes)[:-1]), strict=True))


def _distinct(table: pa.Table, keys: np.ndarray, end: int) -> tuple[pa.Table, Moments, dict[str, int]]:
    """Returns the events by time, without later ones than the end and without duplicates, and the numbers of these."""
    times = column_array(table, TIME).to_numpy()
    order = np.argsort(times, kind="stable")
    kept = order[times[order] <= end]
    moments = Moments(keys, times).take(kept)
    is_first = first_occurrences(moments)
    if ID in table.column_names:
        ids = column_array(table, ID).dictionary_encode().indices.to_numpy(zero_copy_only=False)
        is_first = first_occurrences(Moments(moments.keys, ids[kept]))
    rows = kept[is_first]
    counts = {AFTER_END: len(order) - len(kept), DUPLICATES: len(kept) - len(rows)}
    return table.take(pa.array(rows)), moments.take(np.flatnonzero(is_first)), counts


def _label_times(
    impressions: Moments, labels: Mapping[str, Label], options: JoinOptions, end: int
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns for each label whether it is pending, and the days until its event, or that were observed without one.

    An event is observed until the logs end or the longest time to it has passed, so that the columns of a day no
    longer change once its labels are known. The days of a conversion begin with the impression's click; without one,
    or with conversions that belong to impressions, they begin with the impression.
    """
    found = {}
    for name, label in labels.items():
        begin = impressions.times
        if name == CONVERSION and options.attribution.to == LAST_CLICK:
            begin = np.where(labels[CLICK].values == 1, labels[CLICK].times, begin)
        closes = impressions.times + options.attribution.longest[name]
        until = np.where(label.values == 1, label.times, np.minimum(closes, end))
        found[name] = closes > end, ((until - begin) / _DAY).astype(np.float32)
    return found


def _with_copies(rows: pa.Table, labels: Mapping[str, Label], options: JoinOptions) -> pa.Table:
    """Adds the copies of the positive rows, with the times of their events as those of the rows.

    The copies are not the last rows of a day, or a training that shuffles a part of the rows at a time would have
    batches with many more positives than others.
    """
    if not options.copies:
        return rows
    parts = {"": rows, **{name: rows.filter(pa.array(labels[name].values == 1)) for name in options.copies}}
    for copied, part in parts.items():
        if copied:
            times = column_array(part, copied + TIME_SUFFIX).cast(pa.int64())
            part = part.set_column(part.column_names.index(TIME), TIME, times)
        for name in options.copies:
            mark = np.full(part.num_rows, name == copied, np.int8)
            part = part.append_column(name + COPY_SUFFIX, pa.array(mark))
        parts[copied] = part
    joined = pa.concat_tables(list(parts.values()))
    order = np.argsort(column_array(joined, TIME).cast(pa.int64()).to_numpy(), kind="stable")
    return joined.take(pa.array(order))


def _labelled(
    impressions: pa.Table,
    labels: Mapping[str, Label],
    label_times: Mapping[str, tuple[np.ndarray, np.ndarray]],
    conversions: pa.Table | None,
    options: JoinOptions,
) -> pa.Table:
    hidden = [name for name in impressions.column_names if name == ID or name.startswith((KEY, VALUE))]
    rows = impressions.drop(hidden)
    for name, label in labels.items():
        times = pa.array(label.times, pa.int64(), mask=label.values == 0)
        rows = rows.append_column(name, pa.array(label.values))
        rows = rows.append_column(name + TIME_SUFFIX, times.cast(pa.timestamp("us", "UTC")))
        rows = rows.append_column(name + OPEN_SUFFIX, pa.array(label.is_open.astype(np.int8)))
        is_pending, elapsed = label_times[name]
        rows = rows.append_column(name + PENDING_SUFFIX, pa.array(is_pending.astype(np.int8)))
        rows = rows.append_column(name + ELAPSED_SUFFIX, pa.array(elapsed))
    for i, name in enumerate(options.conversions.values if options.conversions else ()):
        sums = np.zeros(rows.num_rows)
        if conversions is not None:
            values = column_array(conversions, f"{VALUE}{i}").to_numpy()
            np.add.at(sums, labels[CONVERSION].rows, values[labels[CONVERSION].events])
        rows = rows.append_column(name, pa.array(sums))
    return rows
