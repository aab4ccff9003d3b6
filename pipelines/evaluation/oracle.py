"""The best that any model can do on a simulated log: the AUC of the true probabilities on the test rows."""

import pathlib

import numpy as np
import pandas as pd

from tfmtl.metrics import roc_auc
from tfmtl.spec import ENTIRE, DatasetSpec
from transforms.ingest.split import assign
from transforms.readers.csv_reader import read_csv
from transforms.simulation.simulator import IMPRESSIONS, PROBABILITIES
from transforms.validation.validate import raw_columns, validate

_TEST = 2


def test_split_indices(spec: DatasetSpec, data: pathlib.Path) -> np.ndarray:
    """Indices from 0 of the simulated rows that the pipeline's test split holds: the same reader, check and hash."""
    rows = []
    for batch in read_csv(str(data / IMPRESSIONS), raw_columns(spec)):
        checked = validate(batch, spec)
        rows.append(checked.raw.lines[assign(spec, checked) == _TEST] - 2)
    return np.concatenate(rows)


def oracle_auc(spec: DatasetSpec, data: pathlib.Path, rows: np.ndarray) -> dict[str, float]:
    """AUC of the true probabilities on the given rows, by output, each on its space.

    Args:
        spec: of the simulated log.
        data: the folder that `transforms.simulation.simulator.simulate` wrote.
        rows: indices from 0.
    """
    labels = pd.read_csv(data / IMPRESSIONS, usecols=list(spec.labels)).iloc[rows]
    truth = pd.read_csv(data / PROBABILITIES).iloc[rows]
    aucs = {}
    for output in spec.outputs:
        task = spec.task(output.task)
        if task.kind == "binary":
            previous = None if output.space == ENTIRE or not task.follows else spec.task(task.follows).label
            weights = None if previous is None else labels[previous]
            aucs[output.name] = roc_auc(labels[task.label], truth[output.name], weights)
    return aucs
