"""Windows of daily rows: sequences of the days before a date, and sums of the days from that date on."""

import collections
import dataclasses
import pathlib
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfmtl.spec import DatasetSpec, TimeSplit
from transforms.batches.columns import raw_columns
from transforms.batches.csv_writer import CsvFile
from transforms.batches.parsing import build_lists
from transforms.batches.raw_batch import Reject
from transforms.panels.daily import Panel, read_panels
from transforms.panels.window_options import WindowOptions, check_window_options
from transforms.storage.atomic import atomic_file

WINDOWS = "panels.csv"
GAP, UNRECORDED = "label_reaches_the_next_split", "label_has_a_day_that_is_not_recorded"
"""Reasons for which a window is left out."""
_DAY = np.timedelta64(1, "D")


@dataclasses.dataclass(frozen=True)
class WindowReport:
    """Counts of windows and daily rows.

    Attributes:
        windows: Number of windows by split, or under `all` if the split of the spec is not by time.
        left_out: Number of windows that were not written, by reason. With `label_reaches_the_next_split`, the days of
            the label reach into the next split, so that a model would be evaluated on days on which it was trained.
        entities: Number of entities.
        days: Number of accepted daily rows.
        rejected: Number of rejected daily rows and rows of attributes, by reason.
    """

    windows: dict[str, int]
    left_out: dict[str, int]
    entities: int
    days: int
    rejected: dict[str, int]


def write_windows(
    spec: DatasetSpec,
    options: WindowOptions,
    raw: str | pathlib.Path,
    directory: str | pathlib.Path,
    progress: Callable[[int], object] | None = None,
) -> tuple[WindowReport, list[Reject]]:
    """Writes `panels.csv`, with the columns of `raw_columns(spec)`, for the reader `csv`.

    Rows are ordered by entity, then date. A sequence holds the last `max_length` days before the row's date, the most
    recent one last; a day that was not recorded is empty, and the days before the entity's first day are absent. The
    group key is the entity's id. The file appears only when it is complete.

    Args:
        spec: Spec of the dataset.
        options: Columns and days of the windows.
        raw: Folder of the raw files.
        directory: Folder to write to, which is created if it does not exist.
        progress: Function to call with the number of entities processed so far.

    Returns:
        The counts, and the rejected rows of the raw files.

    Raises:
        FieldError: If the options do not fit the spec.
        FileNotFoundError: If a raw file does not exist.
        MissingColumnError: If a raw file lacks a column.
    """
    check_window_options(spec, options)
    folder = pathlib.Path(directory)
    rejects: list[Reject] = []
    windows: collections.Counter[str] = collections.Counter()
    left_out: collections.Counter[str] = collections.Counter()
    entities = days = 0
    window_length = max(getattr(spec.feature(name), "max_length", 1) for name in options.series)
    with atomic_file(folder / WINDOWS) as path, CsvFile(pathlib.Path(path)) as file:
        for panel in read_panels(options, pathlib.Path(raw), rejects, window_length):
            table, panel_left_out = make_windows(spec, options, panel)
            file.write(table)
            left_out.update(panel_left_out)
            windows.update(_count_by_split(spec, table))
            entities, days = entities + len(panel.entities), days + panel.rows
            if progress is not None:
                progress(entities)
    rejected = dict(collections.Counter(reject.reason for reject in rejects))
    return WindowReport(dict(windows), dict(left_out), entities, days, rejected), rejects


def make_windows(spec: DatasetSpec, options: WindowOptions, panel: Panel) -> tuple[pa.Table, dict[str, int]]:
    """Makes the windows of some entities.

    Args:
        spec: Spec of the dataset.
        options: Columns and days of the windows.
        panel: Daily numbers of the entities.

    Returns:
        The windows, and the number of windows that were left out by reason.
    """
    dates = np.fromiter(_window_days(options, panel), np.int64)
    entity, date = (index.ravel() for index in np.meshgrid(np.arange(len(panel.entities)), dates, indexing="ij"))
    has_history = panel.start[entity] < date
    entity, date = entity[has_history], date[has_history]
    label_days = date[:, None] + np.arange(options.horizon)
    labels = {label: panel.values[name][entity[:, None], label_days].sum(1) for label, name in options.targets.items()}
    recorded = np.logical_and.reduce([~np.isnan(values) for values in labels.values()])
    within_split = ~_crosses_bound(spec, panel.first + date * _DAY, options.horizon)
    left_out = {UNRECORDED: int((~recorded).sum()), GAP: int((recorded & ~within_split).sum())}
    keep = recorded & within_split
    entity, date = entity[keep], date[keep]
    columns: dict[str, pa.Array] = {label: pa.array(values[keep]).cast(pa.string()) for label, values in labels.items()}
    for name, column in options.series.items():
        columns[name] = _sequence(spec, name, panel, panel.values[column], entity, date)
    for name, values in panel.attributes.items():
        columns[name] = values.take(pa.array(entity))
    if spec.group_key:
        columns[spec.group_key] = panel.entities.take(pa.array(entity))
    if isinstance(spec.split, TimeSplit):
        columns[spec.split.column] = pa.array(np.datetime_as_string(panel.first + date * _DAY, unit="D"))
    return pa.table({name: columns[name] for name in raw_columns(spec)}), left_out


def _window_days(options: WindowOptions, panel: Panel) -> Iterator[int]:
    """Yields the days of the windows, counted from the panel's first day, whose labels end within the panel."""
    first = 1 if options.first_date is None else int((np.datetime64(options.first_date) - panel.first) / _DAY)
    yield from range(max(first, 1), panel.days - options.horizon + 1, options.step)


def _crosses_bound(spec: DatasetSpec, dates: np.ndarray, horizon: int) -> np.ndarray:
    """Returns a mask of the dates from which the days of a label reach into the next split."""
    crosses = np.zeros(len(dates), bool)
    if isinstance(spec.split, TimeSplit):
        for bound in map(np.datetime64, (str(spec.split.eval_from), str(spec.split.test_from))):
            crosses |= (dates < bound) & (dates + horizon * _DAY > bound)
    return crosses


def _sequence(
    spec: DatasetSpec, name: str, panel: Panel, values: np.ndarray, entity: np.ndarray, date: np.ndarray
) -> pa.Array:
    """Joins the numbers of the days before each window's date, from the entity's first day on."""
    feature = spec.feature(name)
    length, separator = getattr(feature, "max_length", 0), getattr(feature, "separator", "")
    days = date[:, None] + np.arange(-length, 0)
    row, position = np.nonzero(days >= np.maximum(panel.start[entity], 0)[:, None])
    numbers = values[entity[row], days[row, position]]
    texts = pc.fill_null(pa.array(numbers, from_pandas=True).cast(pa.string()), "")
    return pc.binary_join(build_lists(texts, row, len(date)), separator)


def _count_by_split(spec: DatasetSpec, table: pa.Table) -> dict[str, int]:
    if not isinstance(spec.split, TimeSplit):
        return {"all": table.num_rows}
    dates = table.column(spec.split.column).to_numpy()
    from_eval, from_test = dates >= str(spec.split.eval_from), dates >= str(spec.split.test_from)
    return {
        "train": int((~from_eval).sum()),
        "eval": int((from_eval & ~from_test).sum()),
        "test": int(from_test.sum()),
    }
