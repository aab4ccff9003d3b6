"""Metrics of one output on all slices at once, from its accumulator."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pipelines.evaluation.accumulator import SUMS, Accumulator
from pipelines.evaluation.block_statistics import Estimate, area, ratio
from pipelines.gates.measured import Measured

CELLS = 1 << 20
"""Mean number of cells of histograms that are taken at once, which bounds the memory."""


def slice_metrics(accumulator: Accumulator, output: str, names: Sequence[str]) -> list[Measured]:
    """Returns the metrics of an output on all rows, then on each slice from number 1 on.

    Args:
        accumulator: Accumulator of the output.
        output: Name of the output.
        names: Name of each slice by its number. Slice 0, of rows without a scenario, is left out.
    """
    found = _measured(accumulator.as_one_slice(), output, [""], 0)
    step = max(1, CELLS * len(names) // max(1, len(accumulator.keys)))
    for start in range(1, len(names), step):
        found += _measured(accumulator, output, names[start : start + step], start)
    return found


def _measured(accumulator: Accumulator, output: str, names: Sequence[str], start: int) -> list[Measured]:
    """Returns the metrics on the slices from number `start` on."""
    columns = _columns(accumulator, start, len(names))
    bounds = {"lowest": accumulator.lowest, "highest": accumulator.highest}
    common: dict[str, Any] = {key: value if math.isfinite(value) else math.nan for key, value in bounds.items()}
    found = []
    for name, *values in zip(names, *(column.tolist() for column in columns.values()), strict=True):
        found.append(Measured(output, name, accumulator.is_count, **common, **dict(zip(columns, values, strict=True))))
    return found


def _columns(accumulator: Accumulator, start: int, count: int) -> dict[str, np.ndarray]:
    """Returns the metrics by name, `(slices,)` each."""
    slices, values = accumulator.block_sums(start, start + count)
    sums = dict(zip(SUMS, values.T, strict=True))

    def total(name: str) -> np.ndarray:
        return np.bincount(slices, sums[name], count)

    def quotient(above: str, below: str) -> Estimate:
        return ratio(sums[above], sums[below], slices, count)

    sums["finite"] = sums["rows"] - sums["not_finite"]
    sums["judged_label"] = sums["label"] * (total("finite") > 0)[slices]
    calibration = quotient("score", "judged_label")
    has_baseline = total("baseline_rows") > 0
    columns = {
        "rows": np.rint(total("rows")).astype(np.int64),
        "positives": total("label"),
        "not_finite": np.ceil(total("not_finite")).astype(np.int64),
        "mean_score": quotient("score", "finite").value,
        "mean_label": quotient("label", "rows").value,
        "calibration": calibration.value,
        "calibration_error": calibration.error,
    }
    baseline = {"baseline_calibration": quotient("baseline_score", "label").value}
    if accumulator.is_count:
        main, old = quotient("error", "label"), quotient("baseline_error", "label")
        columns |= {"nmae": main.value, "smape": quotient("term", "finite").value}
        baseline["baseline_nmae"] = old.value
    else:
        main, old = map(area, accumulator.histograms(start, start + count))
        columns |= {"auc": main.value, "auc_error": main.error, "log_loss": quotient("loss", "finite").value}
        baseline |= {"baseline_auc": old.value, "baseline_log_loss": quotient("baseline_loss", "baseline_rows").value}
    baseline["change_error"] = (main - old).error
    return columns | {name: np.where(has_baseline, column, np.nan) for name, column in baseline.items()}
