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
        kind = {"is_count": accumulator.is_count, "is_value": accumulator.is_value}
        found.append(Measured(output, name, **kind, **common, **dict(zip(columns, values, strict=True))))
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
    if accumulator.is_value:
        main, old = _normalized_ginis(accumulator, start, count)
        columns |= {"gini": main.value, "gini_error": main.error}
        baseline["baseline_gini"] = old.value
    if not accumulator.is_count:
        main, old = map(area, accumulator.histograms(start, start + count)[:2])
        columns |= {"auc": main.value, "auc_error": main.error, "log_loss": quotient("loss", "finite").value}
        baseline |= {"baseline_auc": old.value, "baseline_log_loss": quotient("baseline_loss", "baseline_rows").value}
    baseline["change_error"] = (main - old).error
    return columns | {name: np.where(has_baseline, column, np.nan) for name, column in baseline.items()}


def _normalized_ginis(accumulator: Accumulator, start: int, count: int) -> tuple[Estimate, Estimate]:
    """Returns the normalized Gini coefficients of the candidate and of the served model on each slice."""
    candidate, baseline, best = map(area, accumulator.histograms(start, start + count))
    return _normalized(candidate, best), _normalized(baseline, best)


def _normalized(areas: Estimate, best: Estimate) -> Estimate:
    """Returns `(2 A - 1) / (2 B - 1)` for the areas A of a model and B of the best one; NaN where B is 1 / 2."""
    with np.errstate(divide="ignore", invalid="ignore"):
        value = (2 * areas.value - 1) / (2 * best.value - 1)
        left_out = (2 * areas.left_out - 1) / (2 * best.left_out - 1)
    return Estimate(np.where(best.value > 0.5, value, np.nan), left_out, best.slices)
