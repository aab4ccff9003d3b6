"""Daily rows of entities as rows of windows: the days before a date, and the sums of the days from it on."""

import collections
import dataclasses
import pathlib
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfmtl.spec import DatasetSpec, TimeSplit
from transforms.batches.csv_writer import CsvFile
from transforms.batches.parsing import build_lists
from transforms.batches.raw_batch import Reject
from transforms.panels.daily import Panel, read_panels
from transforms.panels.window_options import WindowOptions, check_window_options
from transforms.validation.validate import raw_columns

WINDOWS = "panels.csv"
GAP, UNRECORDED = "label_reaches_the_next_split", "label_has_a_day_that_is_not_recorded"
_DAY = np.timedelta64(1, "D")


@dataclasses.dataclass(frozen=True)
class WindowReport:
    """What became of the daily rows.

    Attributes:
        windows: by split; of all under `all` where rows are not split by time.
        left_out: windows that were not written, by reason: in `label_reaches_the_next_split` the days to be predicted
            reach into the next split's, so that a model would be judged by days that it was trained on.
        entities: how many there are.
        days: daily rows that were used.
        rejected: daily rows and entities that were not, by reason.
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
    """Writes `panels.csv`, with the columns of `raw_columns(spec)`: what the reader `csv` takes.

    Rows stand by entity, then date. A sequence holds the last `max_length` days before the row's date, the most recent
    one last; the days before an entity's first are left out, and one that is not recorded is an empty place. The group
    key is the entity's id.

    Args:
        spec: of the data set.
        options: which columns and days.
        raw: the folder of the files.
        directory: made if it is not there.
        progress: called with the number of entities done so far.

    Returns:
        The counts, and the rows of the files that were not used.

    Raises:
        FieldError: if the options do not fit the spec.
        FileNotFoundError: if a file is not there.
        MissingColumnError: if one lacks a column.
    """
    check_window_options(spec, options)
    folder = pathlib.Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    rejects: list[Reject] = []
    windows: collections.Counter[str] = collections.Counter()
    left_out: collections.Counter[str] = collections.Counter()
    entities = days = 0
    with CsvFile(folder / WINDOWS) as file:
        longest = max(getattr(spec.feature(name), "max_length", 1) for name in options.series)
        for panel in read_panels(options, pathlib.Path(raw), rejects, longest):
            table, lost = windows_of(spec, options, panel)
            file.write(table)
            left_out.update(lost)
            windows.update(_by_split(spec, table))
            entities, days = entities + len(panel.entities), days + panel.rows
            if progress is not None:
                progress(entities)
    rejected = dict(collections.Counter(reject.reason for reject in rejects))
    return WindowReport(dict(windows), dict(left_out), entities, days, rejected), rejects


def windows_of(spec: DatasetSpec, options: WindowOptions, panel: Panel) -> tuple[pa.Table, dict[str, int]]:
    """The windows of some entities, and how many were left out for each reason."""
    dates = np.fromiter(_dates(options, panel), np.int64)
    entity, at = (places.ravel() for places in np.meshgrid(np.arange(len(panel.entities)), dates, indexing="ij"))
    there = panel.start[entity] < at  # At least one day before.
    entity, at = entity[there], at[there]
    future = at[:, None] + np.arange(options.horizon)
    labels = {label: panel.values[name][entity[:, None], future].sum(1) for label, name in options.targets.items()}
    recorded = np.logical_and.reduce([~np.isnan(values) for values in labels.values()])
    whole = ~_crosses(spec, panel.first + at * _DAY, options.horizon)
    left_out = {UNRECORDED: int((~recorded).sum()), GAP: int((recorded & ~whole).sum())}
    keep = recorded & whole
    entity, at = entity[keep], at[keep]
    columns: dict[str, pa.Array] = {label: pa.array(values[keep]).cast(pa.string()) for label, values in labels.items()}
    for name, column in options.series.items():
        columns[name] = _sequence(spec, name, panel, panel.values[column], entity, at)
    for name, values in panel.attributes.items():
        columns[name] = values.take(pa.array(entity))
    if spec.group_key:
        columns[spec.group_key] = panel.entities.take(pa.array(entity))
    if isinstance(spec.split, TimeSplit):
        columns[spec.split.column] = pa.array(np.datetime_as_string(panel.first + at * _DAY, unit="D"))
    return pa.table({name: columns[name] for name in raw_columns(spec)}), left_out


def _dates(options: WindowOptions, panel: Panel) -> Iterator[int]:
    """The days, counted from the panel's first one, at which windows stand: their labels end with the panel."""
    first = 1 if options.first_date is None else int((np.datetime64(options.first_date) - panel.first) / _DAY)
    yield from range(max(first, 1), panel.days - options.horizon + 1, options.step)


def _crosses(spec: DatasetSpec, dates: np.ndarray, horizon: int) -> np.ndarray:
    """Whether the days from a date on reach a split that the date itself is not in."""
    crosses = np.zeros(len(dates), bool)
    if isinstance(spec.split, TimeSplit):
        for bound in map(np.datetime64, (str(spec.split.eval_from), str(spec.split.test_from))):
            crosses |= (dates < bound) & (dates + horizon * _DAY > bound)
    return crosses


def _sequence(
    spec: DatasetSpec, name: str, panel: Panel, values: np.ndarray, entity: np.ndarray, at: np.ndarray
) -> pa.Array:
    feature = spec.feature(name)
    length, separator = getattr(feature, "max_length", 0), getattr(feature, "separator", "")
    days = at[:, None] + np.arange(-length, 0)
    row, place = np.nonzero(days >= np.maximum(panel.start[entity], 0)[:, None])
    numbers = values[entity[row], days[row, place]]
    texts = pc.fill_null(pa.array(numbers, from_pandas=True).cast(pa.string()), "")
    return pc.binary_join(build_lists(texts, row, len(at)), separator)


def _by_split(spec: DatasetSpec, table: pa.Table) -> dict[str, int]:
    if not isinstance(spec.split, TimeSplit):
        return {"all": table.num_rows}
    dates = table.column(spec.split.column).to_numpy()
    late, last = dates >= str(spec.split.eval_from), dates >= str(spec.split.test_from)
    return {"train": int((~late).sum()), "eval": int((late & ~last).sum()), "test": int(last.sum())}
