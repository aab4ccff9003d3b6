"""Simulator of an ad log: impressions with labels, and the true probability of every label."""

import pathlib
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from tfmtl.features import MultiValuedFeature, SequenceFeature
from tfmtl.spec import DatasetSpec, TimeSplit
from transforms.simulation.draws import Tokens, numbers_column
from transforms.simulation.effects import Values
from transforms.simulation.log_writer import LogChunk, Progress, Simulation, write_log
from transforms.simulation.options import SimulatorOptions, check_options
from transforms.simulation.times import DECIMALS, time_column
from transforms.simulation.world import Rows, World, output_probabilities

IMPRESSIONS, PROBABILITIES = "impressions.csv", "probabilities.csv"
"""Names of the files of rows and of true probabilities."""
CHUNK_ROWS = 65_536
_VALUE_DECIMALS = 2


def simulate(
    spec: DatasetSpec, options: SimulatorOptions, directory: str | pathlib.Path, progress: Progress | None = None
) -> Simulation:
    """Writes `impressions.csv` and `probabilities.csv`.

    The files are determined, byte by byte, by spec, options and seed. A log with more rows begins with the same rows,
    except for the times of a split by time: these divide the log into ten parts that are as long as the eval split, of
    which the first eight are `train`, then one `eval` and one `test`. If the premise has new groups, the time of each
    row is drawn, and the rows are not in the order of their times; a log with more rows then has the same times too.

    Args:
        spec: Spec of the dataset, which names all columns.
        options: Distributions of entities, features and tasks.
        directory: Folder to write to, which is created if it does not exist.
        progress: Function to call with the number of rows written so far.

    Returns:
        The files and their totals.

    Raises:
        FieldError: If the options do not fit the spec.
    """
    check_options(spec, options)
    world = World(spec, options)
    folder = pathlib.Path(directory)
    return write_log(
        spec, draw_chunks(world), folder / IMPRESSIONS, folder / PROBABILITIES, decimals=DECIMALS, progress=progress
    )


def draw_chunks(world: World, first: int = 0, last: int | None = None) -> Iterator[LogChunk]:
    """Draws rows of a log, which do not depend on the other rows.

    Args:
        world: Entities of the log.
        first: Index of the first row.
        last: Index after the last row; None for all rows of the options.

    Yields:
        The rows in their order, in chunks.
    """
    spec, options = world.spec, world.options
    entity_columns = {scope: _columns(spec, options, values) for scope, values in world.values.items()}
    end = options.rows if last is None else last
    for start in range(first, end, CHUNK_ROWS):
        rows = world.rows(start, min(start + CHUNK_ROWS, end))
        columns = _columns(spec, options, rows.values)
        for scope, members in rows.members.items():
            columns[options.entities[scope].key] = pa.array(members)
            columns |= {name: column.take(pa.array(members)) for name, column in entity_columns[scope].items()}
        if isinstance(spec.split, TimeSplit):
            columns[spec.split.column] = time_column(spec.split, rows.position)
        if options.position is not None:
            columns[options.position.column] = pa.array(rows.shown_at)
        yield LogChunk(columns, draw_labels(spec, rows, options), output_probabilities(spec, rows.true_probabilities))


def draw_labels(spec: DatasetSpec, rows: Rows, options: SimulatorOptions) -> dict[str, np.ndarray]:
    """Draws the labels of rows from their probabilities.

    Args:
        spec: Spec of the dataset.
        rows: Rows of the log.
        options: Options of the simulator.

    Returns:
        Labels by name of the task, int64 or, of a value, float64 `(rows,)`; 0 where the previous task's label is 0.
    """
    labels: dict[str, np.ndarray] = {}
    for task in spec.tasks:
        uniform = rows.draws.uniform(f"label/{task.name}")[:, 0]
        if task.kind == "count":
            labels[task.name] = _poisson(rows.probabilities[task.name], uniform)
        elif task.kind == "value":
            noise, normal = options.tasks[task.name].noise, rows.draws.normal(f"value/{task.name}")
            values = rows.probabilities[task.name] * np.exp(noise * normal - noise**2 / 2)
            labels[task.name] = np.round(values, _VALUE_DECIMALS)
        else:
            labels[task.name] = (uniform < rows.probabilities[task.name]).astype(np.int64)
        if task.follows is not None:
            labels[task.name] *= labels[task.follows]
    return labels


def _poisson(mean: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Returns the smallest counts whose cumulative Poisson probability exceeds `uniform`."""
    count = np.zeros(len(mean), np.int64)
    term = np.exp(-mean)
    cumulative = term.copy()
    while (below := (uniform >= cumulative) & (term > 0)).any():
        count += below
        term = np.where(below, term * mean / np.maximum(count, 1), term)
        cumulative = np.where(below, cumulative + term, cumulative)
    return count


def _columns(spec: DatasetSpec, options: SimulatorOptions, values: dict[str, Values]) -> dict[str, pa.Array]:
    """Formats the values of features, and the weights of their tokens, as columns of the log."""
    features = {feature.name: feature for feature in spec.features}
    columns = {}
    for name, value in values.items():
        feature, settings = features.get(name), options.features[name]
        if not isinstance(value, Tokens):
            columns[name] = numbers_column(value, settings.decimals)
        elif isinstance(feature, MultiValuedFeature | SequenceFeature):
            columns[name] = value.column(settings.tokens, feature.separator)
            if isinstance(feature, MultiValuedFeature) and feature.weights:
                columns[feature.weights] = value.weights_column(feature.separator)
        else:
            columns[name] = value.column(settings.tokens, None)
    return columns
