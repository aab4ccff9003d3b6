"""Daily rows of entities, read from CSV and laid out as a matrix of entities by days."""

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
"""Days in all windows of the entities that are worked on at once: with 28 a window, some 100 MB for each series."""
_OTHER = "other"


@dataclasses.dataclass(frozen=True)
class Panel:
    """Some entities and all days of the file.

    Attributes:
        entities: their ids, text.
        first: the file's first day.
        days: from that one to the file's last one.
        start: of each entity, its first day with a row, counted from `first`.
        values: by column, `(entities, days)` float64; NaN where nothing was recorded.
        attributes: by feature, text; null is a missing value.
        rows: daily rows of these entities.
    """

    entities: pa.Array
    first: np.datetime64
    days: int
    start: np.ndarray
    values: dict[str, np.ndarray]
    attributes: dict[str, pa.Array]
    rows: int


def read_panels(options: WindowOptions, raw: pathlib.Path, rejects: list[Reject], longest: int = 1) -> Iterator[Panel]:
    """Reads the daily file, and yields its entities in the order in which they appear, so many at a time.

    What cannot be used is added to `rejects`: lines that the CSV reader rejects, rows without a day or an entity, with
    a number that is none or is below 0 (`not_a_number`), of a day that the entity has already (`duplicate_day`, the first
    row counts), and of entities that the table of attributes lacks (`unknown_key`).

    Args:
        options: which columns.
        raw: the folder of the files.
        rejects: is appended to.
        longest: how many days a window has.
    """
    table = _attributes(options.attributes, raw, rejects) if options.attributes else None
    daily = _read(options, raw, None if table is None else table.column(_ENTITY), rejects)
    if not daily.num_rows:
        return
    keys = _in_one_piece(daily.column(_ENTITY))
    code, day = keys.indices.to_numpy().astype(np.int64), daily.column(_DAY).to_numpy()
    first, days = int(day.min()), int(day.max() - day.min()) + 1
    _, rows = np.unique(code * days + day - first, return_index=True)  # By entity, then day; of equals the first.
    rejects.extend(_doubled(daily, np.setdiff1d(np.arange(len(code)), rows), options))
    chunk_size = max(1, _CELLS // (longest * max(1, days // options.step)))
    bounds = np.searchsorted(code[rows], np.arange(0, len(keys.dictionary) + chunk_size, chunk_size))
    for chunk in range(len(bounds) - 1):
        own = rows[bounds[chunk] : bounds[chunk + 1]]
        if len(own):
            entities = keys.dictionary.slice(chunk * chunk_size, chunk_size)
            place = (code[own] - chunk * chunk_size, day[own] - first)
            start = np.full(len(entities), days)
            np.minimum.at(start, *place)
            values = {}
            for name in options.columns:
                values[name] = np.full((len(entities), days), np.nan)
                values[name][place] = daily.column(name).to_numpy()[own]
                _fill(values[name], start, first, name, options)
            attributes = {} if table is None else _of(entities, table)
            yield Panel(entities, np.datetime64(first, "D"), days, start, values, attributes, len(own))


_ENTITY, _DAY, _LINE = "#entity", "#day", "#line"


def _in_one_piece(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """A column of one dictionary."""
    indices = np.concatenate([chunk.indices.to_numpy() for chunk in column.chunks])
    return pa.DictionaryArray.from_arrays(pa.array(indices), column.chunk(0).dictionary)


def _fill(matrix: np.ndarray, start: np.ndarray, first: int, name: str, options: WindowOptions) -> None:
    """The days without a number, of one column."""
    day = np.arange(matrix.shape[1])
    if options.absent == "zero":
        matrix[np.isnan(matrix) & (day >= start[:, None])] = 0.0
    if name in options.begins:
        matrix[:, day < np.datetime64(options.begins[name], "D").astype(np.int64) - first] = np.nan


def _read(options: WindowOptions, raw: pathlib.Path, known: pa.ChunkedArray | None, rejects: list[Reject]) -> pa.Table:
    """The daily rows that are good: entity, day (since 1970), the line where they stand, and numbers."""
    columns = tuple(dict.fromkeys([options.entity, options.date, *options.columns]))
    fields = [(_ENTITY, pa.dictionary(pa.int32(), pa.string())), (_DAY, pa.int64()), (_LINE, pa.int64())]
    empty = pa.schema([*fields, *((name, pa.float64()) for name in options.columns)]).empty_table()
    batches = read_csv(str(raw / options.daily), columns)
    tables = [empty, *(_checked(batch, options, known, rejects) for batch in batches)]
    return pa.concat_tables(tables).unify_dictionaries()


def _checked(batch: RawBatch, options: WindowOptions, known: pa.ChunkedArray | None, rejects: list[Reject]) -> pa.Table:
    verdict = RowRejections(batch)
    entity, date = batch.column(options.entity), batch.column(options.date)
    verdict.reject(boolean_mask(entity.is_null()), reasons.MISSING_REQUIRED, "given", options.entity)
    if known is not None:
        unknown = pc.invert(pc.is_in(entity, value_set=known))
        verdict.reject(boolean_mask(unknown), reasons.UNKNOWN_KEY, "an entity of the table of attributes", options.entity)
    written = boolean_mask(pc.match_substring_regex(date, r"^\d{4}-\d{2}-\d{2}$"))
    days = pc.strptime(pc.if_else(pa.array(written), date, None), format="%Y-%m-%d", unit="s", error_is_null=True)
    days = days.cast(pa.date32())
    real = boolean_mask(pc.equal(days.cast(pa.string()), date))  # The 30th of February becomes the 1st of March.
    verdict.reject(~real, reasons.INVALID_TIME, "a day such as 2016-09-25", options.date)
    columns = {_ENTITY: entity.dictionary_encode(), _DAY: days.cast(pa.int32()).cast(pa.int64())}
    columns[_LINE] = pa.array(batch.lines)
    for name in options.columns:
        numbers, bad = parse_numbers(batch.column(name))
        with np.errstate(invalid="ignore"):
            verdict.reject(bad | (numbers < 0), reasons.NOT_A_NUMBER, "a number from 0 on", name)
        columns[name] = pa.array(numbers)
    rejects.extend([*batch.rejects, *verdict.rejects()])
    return pa.table(columns).take(pa.array(verdict.accepted))


def _doubled(daily: pa.Table, rows: np.ndarray, options: WindowOptions) -> Iterator[Reject]:
    for row in daily.take(pa.array(rows)).to_pylist():
        day = str(np.datetime64(row[_DAY], "D"))
        cells = [row[_ENTITY], day, *(f"{row[name]:g}" for name in options.columns)]
        detail = f"{options.date} should be a day that {row[_ENTITY]} has not yet. Received: {day!r}"
        yield Reject(options.daily, row[_LINE], reasons.DUPLICATE_DAY, detail, ",".join(cells))


def _attributes(options: Attributes, raw: pathlib.Path, rejects: list[Reject]) -> pa.Table:
    """The entity and, by feature, its attribute; of an entity that stands there twice, the first row counts."""
    columns = tuple(dict.fromkeys([options.entity, *options.columns.values()]))
    tables = []
    for batch in read_csv(str(raw / options.file), columns):
        rejects.extend(batch.rejects)
        found = {name: batch.column(column) for name, column in options.columns.items()}
        for name, groups in options.groups.items():
            values = found[name]
            place = pc.index_in(values, value_set=pa.array(list(groups), pa.string()))
            grouped = pa.array(list(groups.values()), pa.string()).take(place)
            found[name] = pc.if_else(values.is_null(), None, pc.fill_null(grouped, _OTHER))
        tables.append(pa.table({_ENTITY: batch.column(options.entity), **found}))
    return pa.concat_tables(tables)


def _of(entities: pa.Array, table: pa.Table) -> dict[str, pa.Array]:
    places = pc.index_in(entities, value_set=table.column(_ENTITY).combine_chunks())
    return {name: table.column(name).combine_chunks().take(places) for name in table.column_names if name != _ENTITY}
