"""Simulator of panels: days of behaviour and performance, the counts of the following period, and their true rates."""

import pathlib
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfmtl.spec import DatasetSpec, TimeSplit
from transforms.batches.parsing import build_lists
from transforms.panels.simulator_options import PanelOptions, check_panel_options
from transforms.panels.simulator_world import Chunk, PanelWorld
from transforms.simulation.draws import Tokens, numbers_column
from transforms.simulation.log_writer import LogChunk, Progress, Simulation, write_log

PANELS, RATES = "panels.csv", "rates.csv"
"""Names of the files of rows and of true means."""
_DECIMALS = 6


def simulate_panels(
    spec: DatasetSpec, options: PanelOptions, directory: str | pathlib.Path, progress: Progress | None = None
) -> Simulation:
    """Writes `panels.csv` and `rates.csv`.

    The files are determined, byte by byte, by spec, options and seed, and a log with more rows begins with the same
    rows. Rows are ordered by entity, then scenario, then date. A sequence holds the days before the row's date, the
    most recent one last; a day without a record is empty, and the days before the entity appeared are absent. The rate
    of an output is the mean of the count given all that was drawn before it.

    Args:
        spec: Spec of the dataset, which names all columns. Its `group_key`, if it has one, is the entity's id.
        options: Distributions of scenarios, profiles, series and tasks.
        directory: Folder to write to, which is created if it does not exist.
        progress: Function to call with the number of rows written so far.

    Returns:
        The files and their totals.

    Raises:
        FieldError: If the options do not fit the spec.
    """
    check_panel_options(spec, options)
    folder = pathlib.Path(directory)
    chunks = _chunks(PanelWorld(spec, options))
    return write_log(spec, chunks, folder / PANELS, folder / RATES, decimals=_DECIMALS, progress=progress)


def _chunks(world: PanelWorld) -> Iterator[LogChunk]:
    spec, written, index = world.spec, 0, 0
    while written < world.options.rows:
        chunk = world.chunk(index)
        rows = _select_rows(world, chunk)[: world.options.rows - written]
        rates = _period_sums(world, chunk.rates, rows)
        truth = {task.output: rates[task.name] for task in spec.tasks}
        yield LogChunk(_columns(world, chunk, rows), _period_sums(world, chunk.counts, rows), truth)
        written, index = written + len(rows), index + 1


def _select_rows(world: PanelWorld, chunk: Chunk) -> np.ndarray:
    """Returns entity, scenario and period of each row, those with at least one day before their date; `(rows, 3)`."""
    days = world.options.horizon * (world.lead + np.arange(world.options.periods))
    exists = chunk.active[:, :, None] & (chunk.start[:, None, None] < days)
    return np.argwhere(exists & ~_is_hidden(world))


def _is_hidden(world: PanelWorld) -> np.ndarray:
    """Returns a mask of the rows of an unseen scenario before the test split, `(scenarios, periods)`."""
    options, split, premise = world.options, world.spec.split, world.options.premise
    if premise is None or premise.unseen is None or not isinstance(split, TimeSplit):
        return np.zeros((1, 1), bool)
    unseen = np.array([one.attributes[str(world.spec.scenario)] == premise.unseen for one in options.scenarios])
    return unseen[:, None] & (np.array(options.dates) < str(split.test_from))


def _period_sums(world: PanelWorld, values: dict[str, np.ndarray], rows: np.ndarray) -> dict[str, np.ndarray]:
    """Sums the series of each task over the period that begins on the row's date; `(rows,)` by task."""
    horizon = world.options.horizon
    entity, scenario, period = rows.T
    days = horizon * (world.lead + period)[:, None] + np.arange(horizon)
    return {
        task: values[series][entity[:, None], scenario[:, None], days].sum(1)
        for task, series in world.options.tasks.items()
    }


def _columns(world: PanelWorld, chunk: Chunk, rows: np.ndarray) -> dict[str, pa.Array]:
    """Formats all columns of the log except the labels."""
    spec, options = world.spec, world.options
    entity, scenario, period = rows.T
    columns: dict[str, pa.Array] = {}
    for name in options.scenarios[0].attributes:
        values = pa.array([one.attributes[name] for one in options.scenarios])
        columns[name] = values.take(pa.array(scenario))
    for name, values in chunk.profile.items():
        settings = options.profile[name]
        column = (
            values.column(settings.tokens, None)
            if isinstance(values, Tokens)
            else numbers_column(values, settings.decimals)
        )
        columns[name] = column.take(pa.array(entity))
    for name in options.series:
        columns[name] = _sequence(world, chunk, rows, name)
    if spec.group_key:
        columns[spec.group_key] = pa.array(chunk.first + entity)
    if isinstance(spec.split, TimeSplit):
        columns[spec.split.column] = pa.array(options.dates).take(pa.array(period))
    return columns


def _sequence(world: PanelWorld, chunk: Chunk, rows: np.ndarray, name: str) -> pa.Array:
    """Joins the counts of the days before each row's date, from the entity's first day on."""
    feature = world.spec.feature(name)
    length, separator = getattr(feature, "max_length", 0), getattr(feature, "separator", "")
    entity, scenario, period = rows.T
    days = world.options.horizon * (world.lead + period)[:, None] + np.arange(-length, 0)
    row, position = np.nonzero(days >= chunk.start[entity][:, None])
    index = (entity[row], scenario[row], days[row, position])
    texts = pc.if_else(pa.array(chunk.recorded[index]), pa.array(chunk.counts[name][index]).cast(pa.string()), "")
    return pc.binary_join(build_lists(texts, row, len(rows)), separator)
