"""Writer of a simulated log: a CSV of rows and one of their true values, chunk by chunk."""

import dataclasses
import pathlib
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pyarrow as pa

from tfmtl.spec import DatasetSpec
from transforms.batches.columns import raw_columns
from transforms.batches.csv_writer import CsvFile

ROW = "row"
"""Column of the row's number in the file of true values."""

Progress = Callable[[int], object]
"""A function that is called with the number of rows written so far."""


@dataclasses.dataclass(frozen=True)
class Simulation:
    """Files of a simulated log.

    Attributes:
        log: CSV file of the rows, with the columns of `transforms.batches.columns.raw_columns`.
        truth: CSV file with the column `row`, counted from 1, and a column for each output of the spec: the true
            probability of the label given the row, or the true mean of a count or value. Row k is on line k + 1 of both
            files.
        rows: Number of rows.
        totals: Sum of each label, by its column.
    """

    log: pathlib.Path
    truth: pathlib.Path
    rows: int
    totals: dict[str, int | float]


@dataclasses.dataclass(frozen=True)
class LogChunk:
    """Some rows of a simulated log.

    Attributes:
        columns: Columns of the log, except the labels, as they are written, by name.
        labels: Labels by name of the task, `(rows,)`.
        truth: True value of each output by name, `(rows,)`.
    """

    columns: Mapping[str, pa.Array]
    labels: Mapping[str, np.ndarray]
    truth: Mapping[str, np.ndarray]


def write_log(
    spec: DatasetSpec,
    chunks: Iterable[LogChunk],
    log: pathlib.Path,
    truth: pathlib.Path,
    decimals: int,
    progress: Progress | None = None,
) -> Simulation:
    """Writes the rows and the true values of a simulated log.

    Args:
        spec: Spec of the dataset.
        chunks: Rows in their order.
        log: CSV file of the rows; its folder is created if it does not exist.
        truth: CSV file of the true values.
        decimals: Number of decimals of the true values.
        progress: Function to call after each chunk, with the number of rows written so far.

    Returns:
        The files and their totals.
    """
    totals: dict[str, int | float] = dict.fromkeys(spec.labels, 0)
    written = 0
    log.parent.mkdir(parents=True, exist_ok=True)
    with CsvFile(log) as log_file, CsvFile(truth) as truth_file:
        for chunk in chunks:
            types = {task.name: np.float64 if task.kind == "value" else np.int64 for task in spec.tasks}
            labels = {task.label: chunk.labels[task.name].astype(types[task.name]) for task in spec.tasks}
            columns = {**chunk.columns, **{name: pa.array(values) for name, values in labels.items()}}
            table = pa.table({name: columns[name] for name in raw_columns(spec)})
            log_file.write(table)
            numbers = pa.array(written + np.arange(table.num_rows) + 1)
            outputs = {name: pa.array(np.round(values, decimals)) for name, values in chunk.truth.items()}
            truth_file.write(pa.table({ROW: numbers, **outputs}))
            for name, values in labels.items():
                totals[name] += values.sum().item()
            written += table.num_rows
            if progress is not None:
                progress(written)
    return Simulation(log, truth, written, totals)
