"""Writes an ad log from a spec alone: impressions with labels, and apart the true probability of every label."""

import dataclasses
import pathlib
from collections.abc import Callable

import numpy as np
import pyarrow as pa

from tfmtl.features import MultiValuedFeature, SequenceFeature
from tfmtl.spec import ENTIRE, DatasetSpec, TimeSplit
from transforms.batches.csv_writer import CsvFile
from transforms.simulation.draws import Tokens, numbers_column
from transforms.simulation.effects import Values
from transforms.simulation.options import SimulatorOptions, check_options
from transforms.simulation.world import Rows, World, entire
from transforms.validation.validate import raw_columns

IMPRESSIONS, PROBABILITIES = "impressions.csv", "probabilities.csv"
ROW = "row"
CHUNK_ROWS = 65_536
_DECIMALS = 9
_TRAIN_SPANS = 8  # As many times the span of eval; test has one.


@dataclasses.dataclass(frozen=True)
class Simulation:
    """What `simulate` wrote.

    Attributes:
        impressions: the log, a CSV with the columns of `raw_columns`.
        probabilities: a CSV with `row`, counted from 1, and each output of the spec, by its name: the probability of
            the label given all that the row shows (of a count: its mean). Row k is on line k + 1 of both files.
        rows: how many.
        totals: the sum of each label, by its column.
    """

    impressions: pathlib.Path
    probabilities: pathlib.Path
    rows: int
    totals: dict[str, int]


def simulate(
    spec: DatasetSpec,
    options: SimulatorOptions,
    directory: str | pathlib.Path,
    progress: Callable[[int], None] | None = None,
) -> Simulation:
    """Writes `impressions.csv` and `probabilities.csv`.

    The same spec, options and seed give the same bytes; with more rows, the first ones are the same (but for the time
    of a `TimeSplit`, which divides the log into ten spans as long as that of eval: 8 train, 1 eval, 1 test, in order).

    Args:
        spec: of the data set; all names come from it.
        options: how its entities, features and tasks are drawn.
        directory: made if it is not there.
        progress: called with the number of rows written so far.

    Raises:
        FieldError: if the options do not fit the spec.
    """
    check_options(spec, options)
    world = World(spec, options)
    entities = {scope: _columns(spec, options, values) for scope, values in world.values.items()}
    folder = pathlib.Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    totals = dict.fromkeys(spec.labels, 0)
    with CsvFile(folder / IMPRESSIONS) as impressions, CsvFile(folder / PROBABILITIES) as probabilities:
        for start in range(0, options.rows, CHUNK_ROWS):
            rows = world.rows(start, min(start + CHUNK_ROWS, options.rows))
            labels = draw_labels(spec, rows)
            impressions.write(_impressions(spec, options, rows, labels, entities))
            probabilities.write(_probabilities(spec, rows))
            for task in spec.tasks:
                totals[task.label] += int(labels[task.name].sum())
            if progress is not None:
                progress(rows.draws.stop)
    return Simulation(folder / IMPRESSIONS, folder / PROBABILITIES, options.rows, totals)


def draw_labels(spec: DatasetSpec, rows: Rows) -> dict[str, np.ndarray]:
    """By task: a label for each row, int64, drawn from its chance; 0 wherever the label of the task it follows is 0."""
    labels: dict[str, np.ndarray] = {}
    for task in spec.tasks:
        uniform = rows.draws.uniform(f"label/{task.name}")[:, 0]
        if task.kind == "count":
            labels[task.name] = _poisson(rows.chances[task.name], uniform)
        else:
            labels[task.name] = (uniform < rows.chances[task.name]).astype(np.int64)
        if task.follows is not None:
            labels[task.name] *= labels[task.follows]
    return labels


def _poisson(mean: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """The smallest counts whose cumulated Poisson probability exceeds `uniform`."""
    count = np.zeros(len(mean), np.int64)
    term = np.exp(-mean)
    cumulated = term.copy()
    while (short := (uniform >= cumulated) & (term > 0)).any():
        count += short
        term = np.where(short, term * mean / np.maximum(count, 1), term)
        cumulated = np.where(short, cumulated + term, cumulated)
    return count


def _impressions(
    spec: DatasetSpec,
    options: SimulatorOptions,
    rows: Rows,
    labels: dict[str, np.ndarray],
    entities: dict[str, dict[str, pa.Array]],
) -> pa.Table:
    columns = _columns(spec, options, rows.values)
    for scope, members in rows.members.items():
        columns[options.entities[scope].key] = pa.array(members)
        columns |= {name: column.take(pa.array(members)) for name, column in entities[scope].items()}
    columns |= {task.label: pa.array(labels[task.name]) for task in spec.tasks}
    if isinstance(spec.split, TimeSplit):
        columns[spec.split.column] = _times(spec.split, np.arange(rows.draws.start, rows.draws.stop) / options.rows)
    return pa.table({name: columns[name] for name in raw_columns(spec)})


def _probabilities(spec: DatasetSpec, rows: Rows) -> pa.Table:
    spaces = {ENTIRE: entire(spec, rows.chances)}
    outputs = {
        output.name: pa.array(np.round(spaces.get(output.space, rows.chances)[output.task], _DECIMALS))
        for output in spec.outputs
    }
    return pa.table({ROW: pa.array(np.arange(rows.draws.start, rows.draws.stop) + 1), **outputs})


def _columns(spec: DatasetSpec, options: SimulatorOptions, values: dict[str, Values]) -> dict[str, pa.Array]:
    """The values of features as they are written, with the columns of their weights."""
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


def _times(split: TimeSplit, progress: np.ndarray) -> pa.Array:
    """The time of rows that are so far, from 0 to below 1, into the log."""
    bounds = [np.datetime64(bound, "D").astype(int) if isinstance(bound, str) else bound for bound in _bounds(split)]
    span = bounds[1] - bounds[0]
    times = bounds[0] - _TRAIN_SPANS * span + (_TRAIN_SPANS + 2) * span * progress
    if isinstance(split.eval_from, float) or isinstance(split.test_from, float):
        return pa.array(np.round(times, _DECIMALS))
    whole = np.floor(times).astype(np.int64)
    return (
        pa.array(whole.astype("datetime64[D]")).cast(pa.string())
        if isinstance(split.eval_from, str)
        else pa.array(whole)
    )


def _bounds(split: TimeSplit) -> tuple[int | float | str, int | float | str]:
    return split.eval_from, split.test_from
