"""Reader of daily rows: a CSV file of entities and days becomes matrices of entities by days."""

import dataclasses
import pathlib
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.batches import reasons
from transforms.batches.parsing import boolean_mask, parse_numbers
from transforms.batches.raw_batch import RawBatch, Reject
from transforms.panels.window_options import Attributes, WindowOptions
from transforms.readers.csv_reader import read_csv
from transforms.validation.rejections import RowRejections

_CELLS = 1 << 23
"""Number of days in all windows of the entities that are processed at once: at 28 days per window about 100 MB for
each series."""
_OTHER = "other"
_ENTITY, _DAY, _LINE = "#entity", "#day", "#line"


@dataclasses.dataclass(frozen=True)
class Panel:
    """Some entities and all days of the file.

    Attributes:
        entities: Ids of the entities, string `(entities,)`.
        first: First day of the file.
        days: Number of days from the first to the last day of the file.
        start: First day of each entity with a row, counted from `first`, `(entities,)`.
        values: Daily numbers by column, float64 `(entities, days)`; NaN if nothing was recorded.
        attributes: Attributes by feature, string `(entities,)`; null if missing.
        rows: Number of daily rows of these entities.
    """

    entities: pa.Array
    first: np.datetime64
    days: int
    start: np.ndarray
    values: dict[str, np.ndarray]
    attributes: dict[str, pa.Array]
    rows: int


def read_panels(
    options: WindowOptions, raw: pathlib.Path, rejects: list[Reject], window_length: int = 1
) -> Iterator[Panel]:
    """Reads the daily file and yields its entities in the order in which they appear, in chunks of limited size.

    Rows are rejected if the CSV reader rejects the line, if the day or the entity is missing or invalid, if a number is
    invalid or negative (`not_a_number`), if the entity has an earlier row of the same day (`duplicate_day`), or if the
    table of attributes lacks the entity (`unknown_key`).

    Args:
        options: Columns and days of the windows.
        raw: Folder of the raw files.
        rejects: List to which the rejected rows are appended.
        window_length: Number of days that a window observes, which determines the size of a chunk.

    Yields:
        Panels of some entities and all days.

    Raises:
        FileNotFoundError: If a file does not exist.
        MissingColumnError: If a file lacks a column.
    """
    table = _read_attributes(options.attributes, raw, rejects) if options.attributes else None
    daily = _read_daily(options, raw, None if table is None else table.column(_ENTITY), rejects)
    if not daily.num_rows:
        return
    keys = _combine_dictionaries(daily.column(_ENTITY))
    code, day = keys.indices.to_numpy().astype(np.int64), daily.column(_DAY).to_numpy()
    first, days = int(day.min()), int(day.max() - day.min()) + 1
    # Ordered by entity, then day; of several rows with the same entity and day, the first one.
    _, rows = np.unique(code * days + day - first, return_index=True)
    rejects.extend(_duplicates(daily, np.setdiff1d(np.arange(len(code)), rows), options))
    chunk_size = max(1, _CELLS // (window_length * max(1, days // options.step)))
    bounds = np.searchsorted(code[rows], np.arange(0, len(keys.dictionary) + chunk_size, chunk_size))
    for chunk in range(len(bounds) - 1):
        chunk_rows = rows[bounds[chunk] : bounds[chunk + 1]]
        if len(chunk_rows):
            entities = keys.dictionary.slice(chunk * chunk_size, chunk_size)
            index = (code[chunk_rows] - chunk * chunk_size, day[chunk_rows] - first)
            start = np.full(len(entities), days)
            np.minimum.at(start, *index)
            values = {}
            for name in options.columns:
                values[name] = np.full((len(entities), days), np.nan)
                values[name][index] = daily.column(name).to_numpy()[chunk_rows]
                _fill_absent_days(values[name], start, first, name, options)
            attributes = {} if table is None else _select_attributes(entities, table)
            yield Panel(entities, np.datetime64(first, "D"), days, start, values, attributes, len(chunk_rows))


def _combine_dictionaries(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """Combines the chunks of a column that share one dictionary."""
    indices = np.concatenate([chunk.indices.to_numpy() for chunk in column.chunks])
    return pa.DictionaryArray.from_arrays(pa.array(indices), column.chunk(0).dictionary)


def _fill_absent_days(matrix: np.ndarray, start: np.ndarray, first: int, name: str, options: WindowOptions) -> None:
    """Sets the days of a column without a number to 0 or NaN, as the options say."""
    day = np.arange(matrix.shape[1])
    if options.absent == "zero":
        matrix[np.isnan(matrix) & (day >= start[:, None])] = 0.0
    if name in options.begins:
        matrix[:, day < np.datetime64(options.begins[name], "D").astype(np.int64) - first] = np.nan


def _read_daily(
    options: WindowOptions, raw: pathlib.Path, known: pa.ChunkedArray | None, rejects: list[Reject]
) -> pa.Table:
    """Reads the accepted daily rows: entity, day since 1970, line, and numbers."""
    columns = tuple(dict.fromkeys([options.entity, options.date, *options.columns]))
    fields = [(_ENTITY, pa.dictionary(pa.int32(), pa.string())), (_DAY, pa.int64()), (_LINE, pa.int64())]
    empty = pa.schema([*fields, *((name, pa.float64()) for name in options.columns)]).empty_table()
    batches = read_csv(str(raw / options.daily), columns)
    tables = [empty, *(_validate_daily(batch, options, known, rejects) for batch in batches)]
    return pa.concat_tables(tables).unify_dictionaries()


def _validate_daily(
    batch: RawBatch, options: WindowOptions, known: pa.ChunkedArray | None, rejects: list[Reject]
) -> pa.Table:
    rejections = RowRejections(batch)
    entity, date = batch.column(options.entity), batch.column(options.date)
    rejections.reject(boolean_mask(entity.is_null()), reasons.MISSING_REQUIRED, "given", options.entity)
    if known is not None:
        unknown = boolean_mask(pc.invert(pc.is_in(entity, value_set=known)))
        rejections.reject(unknown, reasons.UNKNOWN_KEY, "an entity of the table of attributes", options.entity)
    matches = boolean_mask(pc.match_substring_regex(date, r"^\d{4}-\d{2}-\d{2}$"))
    days = pc.strptime(pc.if_else(pa.array(matches), date, None), format="%Y-%m-%d", unit="s", error_is_null=True)
    days = days.cast(pa.date32())
    exists = boolean_mask(pc.equal(days.cast(pa.string()), date))  # strptime reads February 30 as March 1.
    rejections.reject(~exists, reasons.INVALID_TIME, "a day such as 2016-09-25", options.date)
    columns = {_ENTITY: entity.dictionary_encode(), _DAY: days.cast(pa.int32()).cast(pa.int64())}
    columns[_LINE] = pa.array(batch.lines)
    for name in options.columns:
        numbers, invalid = parse_numbers(batch.column(name))
        with np.errstate(invalid="ignore"):
            rejections.reject(invalid | (numbers < 0), reasons.NOT_A_NUMBER, "a number from 0 on", name)
        columns[name] = pa.array(numbers)
    rejects.extend([*batch.rejects, *rejections.rejects()])
    return pa.table(columns).take(pa.array(rejections.accepted))


def _duplicates(daily: pa.Table, rows: np.ndarray, options: WindowOptions) -> Iterator[Reject]:
    for row in daily.take(pa.array(rows)).to_pylist():
        day = str(np.datetime64(row[_DAY], "D"))
        values = [row[_ENTITY], day, *(f"{row[name]:g}" for name in options.columns)]
        detail = f"{options.date} should be a day without an earlier row of {row[_ENTITY]}. Received: {day!r}"
        yield Reject(options.daily, row[_LINE], reasons.DUPLICATE_DAY, detail, ",".join(values))


def _read_attributes(options: Attributes, raw: pathlib.Path, rejects: list[Reject]) -> pa.Table:
    """Reads the attributes of the entities by feature. If an entity has several rows, the first one counts."""
    columns = tuple(dict.fromkeys([options.entity, *options.columns.values()]))
    tables = []
    for batch in read_csv(str(raw / options.file), columns):
        rejects.extend(batch.rejects)
        features = {name: batch.column(column) for name, column in options.columns.items()}
        for name, groups in options.groups.items():
            values = features[name]
            index = pc.index_in(values, value_set=pa.array(list(groups), pa.string()))
            grouped = pa.array(list(groups.values()), pa.string()).take(index)
            features[name] = pc.if_else(values.is_null(), None, pc.fill_null(grouped, _OTHER))
        tables.append(pa.table({_ENTITY: batch.column(options.entity), **features}))
    return pa.concat_tables(tables)


def _select_attributes(entities: pa.Array, table: pa.Table) -> dict[str, pa.Array]:
    rows = pc.index_in(entities, value_set=table.column(_ENTITY).combine_chunks())
    return {name: table.column(name).combine_chunks().take(rows) for name in table.column_names if name != _ENTITY}
