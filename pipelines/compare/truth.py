"""The truth of a simulated log: the probabilities and rates of the test rows, in the order of the prepared rows."""

import dataclasses
import pathlib

import numpy as np
import pandas as pd
import pyarrow as pa

from pipelines.compare import order
from pipelines.compare.prepared import TRUTH
from pipelines.settings import Settings
from tfmtl.spec import DatasetSpec
from transforms.batch import SPLITS
from transforms.check import check, raw_columns
from transforms.csv_reader import read_csv
from transforms.example_columns import encode
from transforms.panel_simulator import PANELS, RATES
from transforms.simulator import IMPRESSIONS, PROBABILITIES
from transforms.split import assign

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


def write_truth(settings: Settings, folder: pathlib.Path) -> None:
    """Writes what `Prepared.truth` reads, if the log's folder holds the truth."""
    found = simulated(pathlib.Path(settings.data.path))
    if found is not None:
        rows = _test_rows(settings.spec, found.log)
        truth = pd.read_csv(found.truth).iloc[rows]
        columns = {output.name: truth[output.name].to_numpy() for output in settings.spec.outputs}
        np.savez_compressed(folder / TRUTH, **columns)


def _test_rows(spec: DatasetSpec, log: pathlib.Path) -> np.ndarray:
    """Indices from 0 of the log's rows that are in the test split, in the order of their fingerprints.

    Rows of one content may change places: whatever made them gave them the same truth.
    """
    rows, prints = [], []
    for batch in read_csv(str(log), raw_columns(spec)):
        checked = check(batch, spec)
        chosen = np.flatnonzero(assign(spec, checked) == SPLITS.index("test"))
        rows.append(checked.raw.lines[chosen] - 2)
        prints.append(order.fingerprints(spec, encode(checked.typed.take(pa.array(chosen)))))
    return np.concatenate(rows)[np.argsort(np.concatenate(prints), kind="stable")]
