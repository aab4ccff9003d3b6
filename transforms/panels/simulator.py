"""Writes panels from a spec alone: days of behaviour and performance, the counts that follow, and their true rates."""

import dataclasses
import pathlib
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfmtl.spec import DatasetSpec, TimeSplit
from transforms.batches.csv_writer import CsvFile
from transforms.batches.parsing import build_lists
from transforms.panels.simulator_options import PanelOptions, check_panel_options
from transforms.panels.simulator_world import Chunk, PanelWorld
from transforms.simulation.draws import Tokens, numbers_column
from transforms.validation.validate import raw_columns

PANELS, RATES = "panels.csv", "rates.csv"
ROW = "row"
_DECIMALS = 6


@dataclasses.dataclass(frozen=True)
class PanelSimulation:
    """What `simulate_panels` wrote.

    Attributes:
        panels: a CSV with the columns of `raw_columns`; in a sequence the days before the row's date are joined by its
            separator, the most recent one last, a day that was not recorded being empty; the days before an entity
            appeared are left out.
        rates: a CSV with `row`, counted from 1, and each output of the spec, by its name: the mean of the count given
            all that was drawn before it. Row k is on line k + 1 of both files.
        rows: how many.
        totals: the sum of each label, by its column.
    """

    panels: pathlib.Path
    rates: pathlib.Path
    rows: int
    totals: dict[str, int]


def simulate_panels(
    spec: DatasetSpec,
    options: PanelOptions,
    directory: str | pathlib.Path,
    progress: Callable[[int], None] | None = None,
) -> PanelSimulation:
    """Writes `panels.csv` and `rates.csv`.

    The same spec, options and seed give the same bytes; with more rows, the first ones are the same. Rows stand by
    entity, then scenario, then date.

    Args:
        spec: of the data set; all names come from it. Its `group_key`, if it has one, is the entity's id.
        options: how scenarios, profiles, series and tasks are drawn.
        directory: made if it is not there.
        progress: called with the number of rows written so far.

    Raises:
        FieldError: if the options do not fit the spec.
    """
    check_panel_options(spec, options)
    world = PanelWorld(spec, options)
    folder = pathlib.Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    totals, written, index = dict.fromkeys(spec.labels, 0), 0, 0
    with CsvFile(folder / PANELS) as panels, CsvFile(folder / RATES) as rates:
        while written < options.rows:
            chunk = world.chunk(index)
            places = _places(world, chunk)[: options.rows - written]
            columns, labels = _columns(world, chunk, places), _labels(world, chunk.counts, places)
            columns |= {task.label: pa.array(labels[task.name].astype(np.int64)) for task in spec.tasks}
            panels.write(pa.table({name: columns[name] for name in raw_columns(spec)}))
            rates.write(_rates(world, chunk, places, written))
            for task in spec.tasks:
                totals[task.label] += int(labels[task.name].sum())
            written, index = written + len(places), index + 1
            if progress is not None:
                progress(written)
    return PanelSimulation(folder / PANELS, folder / RATES, written, totals)


def _places(world: PanelWorld, chunk: Chunk) -> np.ndarray:
    """Entity, scenario and period of each row: those with at least one day before their date; `(rows, 3)`."""
    days = world.options.horizon * (world.lead + np.arange(world.options.periods))
    there = chunk.active[:, :, None] & (chunk.start[:, None, None] < days)
    return np.argwhere(there)


def _labels(world: PanelWorld, values: dict[str, np.ndarray], places: np.ndarray) -> dict[str, np.ndarray]:
    """By task: the sum of its series over the period that begins on the row's date."""
    horizon = world.options.horizon
    entity, scenario, period = places.T
    days = horizon * (world.lead + period)[:, None] + np.arange(horizon)
    return {
        task: values[series][entity[:, None], scenario[:, None], days].sum(1)
        for task, series in world.options.tasks.items()
    }


def _rates(world: PanelWorld, chunk: Chunk, places: np.ndarray, written: int) -> pa.Table:
    rates = _labels(world, chunk.rates, places)
    outputs = {task.output: pa.array(np.round(rates[task.name], _DECIMALS)) for task in world.spec.tasks}
    return pa.table({ROW: pa.array(written + np.arange(len(places)) + 1), **outputs})


def _columns(world: PanelWorld, chunk: Chunk, places: np.ndarray) -> dict[str, pa.Array]:
    """All columns but the labels, as they are written."""
    spec, options = world.spec, world.options
    entity, scenario, period = places.T
    columns: dict[str, pa.Array] = {}
    for name in options.scenarios[0].attributes:
        values = pa.array([one.attributes[name] for one in options.scenarios])
        columns[name] = values.take(pa.array(scenario))
    for name, values in chunk.profile.items():
        settings = options.profile[name]
        written = (
            values.column(settings.tokens, None)
            if isinstance(values, Tokens)
            else numbers_column(values, settings.decimals)
        )
        columns[name] = written.take(pa.array(entity))
    for name in options.series:
        columns[name] = _sequence(world, chunk, places, name)
    if spec.group_key:
        columns[spec.group_key] = pa.array(chunk.first + entity)
    if isinstance(spec.split, TimeSplit):
        columns[spec.split.column] = pa.array(options.dates).take(pa.array(period))
    return columns


def _sequence(world: PanelWorld, chunk: Chunk, places: np.ndarray, name: str) -> pa.Array:
    """The days before each row's date, since the entity is there, joined; an empty place for a day without a record."""
    feature = world.spec.feature(name)
    length, separator = getattr(feature, "max_length", 0), getattr(feature, "separator", "")
    entity, scenario, period = places.T
    days = world.options.horizon * (world.lead + period)[:, None] + np.arange(-length, 0)
    row, place = np.nonzero(days >= chunk.start[entity][:, None])
    where = (entity[row], scenario[row], days[row, place])
    texts = pc.if_else(pa.array(chunk.recorded[where]), pa.array(chunk.counts[name][where]).cast(pa.string()), "")
    return pc.binary_join(build_lists(texts, row, len(places)), separator)
