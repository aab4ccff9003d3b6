"""True probabilities and rates of a simulated log's test rows, and the AUC that they reach (the oracle)."""

import dataclasses
import pathlib
from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipelines.prepared.prepared import TRUTH
from pipelines.settings import Settings
from tfmtl.metrics import roc_auc
from tfmtl.spec import ENTIRE, DatasetSpec
from transforms.batches.columns import raw_columns
from transforms.batches.raw_batch import SPLITS
from transforms.ingest.split import assign
from transforms.panels.simulator import PANELS, RATES
from transforms.readers.csv_reader import read_csv
from transforms.simulation.simulator import IMPRESSIONS, PROBABILITIES
from transforms.validation.validate import validate

_TRUTH_FILES = {IMPRESSIONS: PROBABILITIES, PANELS: RATES}
"""File of the true values by the file of the simulated log."""
_BLOCK_ROWS = 1 << 18
_FIRST_ROW_LINE = 2
"""Line number of row 0: the header is line 1."""


@dataclasses.dataclass(frozen=True)
class SimulatedLog:
    """Files that a simulator wrote: row k of both is on line k + 2.

    Attributes:
        log: CSV file of the rows.
        truth: CSV file of the true probability or rate of each output, row by row.
    """

    log: pathlib.Path
    truth: pathlib.Path


def find_simulated_log(folder: pathlib.Path) -> SimulatedLog | None:
    """Finds the simulated log of a folder.

    Args:
        folder: Folder of a raw log.

    Returns:
        The files, or None if the folder does not hold a log together with its true values.
    """
    for log, truth in _TRUTH_FILES.items():
        if (folder / log).exists() and (folder / truth).exists():
            return SimulatedLog(folder / log, folder / truth)
    return None


def test_split_indices(spec: DatasetSpec, folder: pathlib.Path) -> np.ndarray:
    """Finds the rows of a simulated log that are in the test split, by the pipeline's reader, checks and split.

    Args:
        spec: Spec of the dataset.
        folder: Folder of the simulated log.

    Returns:
        Indices of the rows from 0, in the order of the log, int64 `(rows,)`.

    Raises:
        FileNotFoundError: If the folder holds no simulated log with its true values.
    """
    return _test_rows(spec, _simulated_log(folder).log)[0]


def oracle_auc(spec: DatasetSpec, folder: pathlib.Path, rows: np.ndarray) -> dict[str, float]:
    """Computes the AUC of the true probabilities, each output on its space. No model can be better in expectation.

    Args:
        spec: Spec of the dataset.
        folder: Folder of the simulated log.
        rows: Indices of the rows on which the AUC is computed, from 0.

    Returns:
        AUC by output name, of the binary tasks alone.

    Raises:
        FileNotFoundError: If the folder holds no simulated log with its true values.
    """
    simulated = _simulated_log(folder)
    labels = pd.read_csv(simulated.log, usecols=list(spec.labels)).iloc[rows]
    truth = pd.read_csv(simulated.truth).iloc[rows]
    aucs = {}
    for output in spec.outputs:
        task = spec.task(output.task)
        if task.kind != "binary":
            continue
        conditional = output.space != ENTIRE and task.follows is not None
        weights = labels[spec.task(str(task.follows)).label] if conditional else None
        aucs[output.name] = roc_auc(labels[task.label], truth[output.name], weights)
    return aucs


def write_truth(
    settings: Settings, folder: pathlib.Path, ingested_rows: np.ndarray, labels: Mapping[str, np.ndarray]
) -> None:
    """Writes the true values of the prepared test rows, which `Prepared.truth` reads, if the log was simulated.

    Ingestion keeps the order of a log's rows within a split, so that test row i of the ingested examples is test row i
    of the log: the true values are joined by that number, and the labels confirm that both are the same rows.

    Args:
        settings: Settings of the experiment; `settings.data.path` is the folder of the log.
        folder: Folder of the prepared data.
        ingested_rows: Number of each prepared test row in the ingested test split, int64 `(rows,)`.
        labels: Labels of the prepared test rows by task, `(rows,)`.

    Raises:
        ValueError: If the true values are not those of the log, or the prepared rows are not those of the log.
    """
    simulated = find_simulated_log(pathlib.Path(settings.data.path))
    if simulated is None:
        return
    lines, expected = _count_lines(simulated.truth), _count_lines(simulated.log)
    if lines != expected:
        message = f"{simulated.truth} should have the {expected:,} lines of {simulated.log.name}"
        raise ValueError(f"{message}. Received: {lines:,}")
    rows, log_labels = _test_rows(settings.spec, simulated.log)
    message = f"{simulated.log} should hold the {len(ingested_rows):,} test rows that were prepared, and no others"
    if len(rows) != len(ingested_rows):
        raise ValueError(f"{message}. Received: {len(rows):,} test rows")
    for task, values in labels.items():
        if not np.array_equal(log_labels[task][ingested_rows], values):
            raise ValueError(f"{message}. Received: {len(rows):,} test rows with other labels of {task}")
    outputs = [output.name for output in settings.spec.outputs]
    np.save(folder / TRUTH, _read_rows(simulated.truth, outputs, rows)[:, ingested_rows])


def _simulated_log(folder: pathlib.Path) -> SimulatedLog:
    simulated = find_simulated_log(folder)
    if simulated is None:
        names = " or ".join(f"{log} with {truth}" for log, truth in _TRUTH_FILES.items())
        raise FileNotFoundError(f"{folder} should hold a simulated log and its true values, {names}. Received: neither")
    return simulated


def _read_rows(path: pathlib.Path, columns: list[str], rows: np.ndarray) -> np.ndarray:
    """Reads rows, in ascending order, of a CSV file, float64 `(columns, rows)`."""
    found, start = [np.zeros((len(columns), 0))], 0
    for block in pd.read_csv(path, usecols=columns, chunksize=_BLOCK_ROWS):
        first, last = np.searchsorted(rows, (start, start + len(block)))
        found.append(block[columns].iloc[rows[first:last] - start].to_numpy(np.float64).T)
        start += len(block)
    return np.concatenate(found, axis=1)


def _count_lines(path: pathlib.Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)


def _test_rows(spec: DatasetSpec, log: pathlib.Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Returns the indices of the log's test rows, in their order, and their labels by task."""
    indices: list[np.ndarray] = []
    labels: dict[str, list[np.ndarray]] = {task.name: [] for task in spec.tasks}
    for batch in read_csv(str(log), raw_columns(spec)):
        checked = validate(batch, spec)
        in_test = assign(spec, checked) == SPLITS.index("test")
        indices.append(checked.raw.lines[in_test] - _FIRST_ROW_LINE)
        for task in spec.tasks:
            values = checked.typed.column(task.label).flatten().to_numpy(zero_copy_only=False)
            labels[task.name].append(values[in_test])
    return np.concatenate(indices), {name: np.concatenate(blocks) for name, blocks in labels.items()}
