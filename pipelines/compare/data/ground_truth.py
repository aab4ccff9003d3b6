"""The truth of a simulated log: the probabilities and rates of the test rows, in the order of the prepared rows."""

import dataclasses
import pathlib

import numpy as np
import pandas as pd
import pyarrow as pa

from pipelines.compare.data import row_order as order
from pipelines.compare.data.prepared import TRUTH
from pipelines.settings import Settings
from tfmtl.spec import DatasetSpec
from transforms.batches.raw_batch import SPLITS
from transforms.examples.from_columns import encode
from transforms.ingest.split import assign
from transforms.panels.simulator import PANELS, RATES
from transforms.readers.csv_reader import read_csv
from transforms.simulation.simulator import IMPRESSIONS, PROBABILITIES
from transforms.validation.validate import check, raw_columns

_FILES = {IMPRESSIONS: PROBABILITIES, PANELS: RATES}
"""The truth that a simulator writes beside each log."""


@dataclasses.dataclass(frozen=True)
class SimulatedLog:
    """A log, and the truth of its rows: row k is on line k + 1 of both."""

    log: pathlib.Path
    truth: pathlib.Path


def simulated(folder: pathlib.Path) -> SimulatedLog | None:
    """What a simulator wrote in a folder; None if none did."""
    for log, truth in _FILES.items():
        if (folder / log).exists() and (folder / truth).exists():
            return SimulatedLog(folder / log, folder / truth)
    return None


def write_truth(settings: Settings, folder: pathlib.Path, prints: np.ndarray) -> None:
    """Writes what `Prepared.truth` reads, if the log's folder holds the truth.

    Args:
        settings: of the experiment.
        folder: of the prepared data.
        prints: the fingerprints of the prepared test rows, in their order.

    Raises:
        ValueError: if the truth is not that of the log, or the log is not the one whose rows were prepared.
    """
    found = simulated(pathlib.Path(settings.data.path))
    if found is None:
        return
    lines, expected = _lines(found.truth), _lines(found.log)
    if lines != expected:
        raise ValueError(f"{found.truth} should have the {expected:,} lines of {found.log.name}. Received: {lines:,}")
    rows, of_log = _test_rows(settings.spec, found.log)
    if not np.array_equal(of_log, prints):
        message = f"{found.log} should hold the {len(prints):,} test rows that were prepared, and no others"
        raise ValueError(f"{message}. Received: {len(of_log):,} test rows")
    truth = pd.read_csv(found.truth).iloc[rows]
    columns = {output.name: truth[output.name].to_numpy() for output in settings.spec.outputs}
    np.savez_compressed(folder / TRUTH, **columns)


def _lines(path: pathlib.Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)


def _test_rows(spec: DatasetSpec, log: pathlib.Path) -> tuple[np.ndarray, np.ndarray]:
    """Indices from 0 of the log's rows that are in the test split, in the order of their fingerprints, and these.

    Rows of one content may change places: whatever made them gave them the same truth.
    """
    rows, prints = [], []
    for batch in read_csv(str(log), raw_columns(spec)):
        checked = check(batch, spec)
        chosen = np.flatnonzero(assign(spec, checked) == SPLITS.index("test"))
        rows.append(checked.raw.lines[chosen] - 2)
        prints.append(order.fingerprints(spec, encode(checked.typed.take(pa.array(chosen)))))
    found = np.concatenate(prints)
    places = np.argsort(found, kind="stable")
    return np.concatenate(rows)[places], found[places]
